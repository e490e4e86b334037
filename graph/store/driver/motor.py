"""Motor, the default driver: where it differs from PyMongo's own client for asyncio."""

from __future__ import annotations

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

with warnings.catch_warnings():
    # Motor is past its end of life, and a later release may warn at its import, which an operator can't change.
    warnings.simplefilter("ignore")
    from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession

from graph.store.driver.batches import Batch, has_more
from graph.store.driver.deadline import commands_within

if TYPE_CHECKING:
    from graph.store.driver.types import ChangeStream, Client, Transaction

MotorClient = cast("type[Client]", AsyncIOMotorClient)
"""The class has the methods of PyMongo's client, whose types the store uses."""

_PINGS = ThreadPoolExecutor(8, thread_name_prefix="ping")
"""Separate from Motor's threads: long reads may take all of them while MongoDB answers."""


def start_session(client: Client, *, snapshot: bool) -> Transaction:
    """Start a session of the driver. It sends nothing, so it needs no thread: a fifth of a transaction's switches."""
    motors: Any = client
    started = motors.delegate.start_session(snapshot=snapshot)
    return cast("Transaction", AsyncIOMotorClientSession(started, motors))


async def ping_from_thread(client: Client, seconds: float, preference: object) -> None:
    """Wait for an answer to a ping, without one of Motor's threads.

    Args:
        client: the MongoDB client.
        seconds: the maximum time.
        preference: the members that may answer, as a read preference.
    """
    await asyncio.get_running_loop().run_in_executor(_PINGS, _ping, client, seconds, preference)


def _ping(client: Any, seconds: float, preference: object) -> None:
    with commands_within(seconds):
        client.delegate.admin.command("ping", read_preference=preference)


async def close_from_thread(client: Client) -> None:
    """Close the client on a thread: Motor's own method sends a command and waits for the answer on the event loop."""
    motors: Any = client
    await asyncio.to_thread(motors.delegate.close)


async def next_batch(stream: ChangeStream) -> Batch:
    """Return all events of the next answer, with one thread switch; Motor's own method has one for each event."""
    motors: Any = stream
    return await asyncio.get_running_loop().run_in_executor(None, _batch_of, motors.delegate)


def _batch_of(stream: Any) -> Batch:
    events = []
    event = stream.try_next()
    while event is not None:
        events.append(event)
        event = stream.try_next() if has_more(stream) else None
    return Batch(events, stream.resume_token)
