"""The client of MongoDB: Motor's, or PyMongo's own for asyncio, which has the same methods.

`motor` has the differences. All other modules use PyMongo's types.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from typing import Any

from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.dbref import DBRef
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from graph.errors import StartupError, Unavailable
from graph.store.driver.abandoned import ended_when_cancelled
from graph.store.driver.deadline import commands_within
from graph.store.driver.errors import translated_errors
from graph.store.driver.listening import listeners
from graph.store.driver.types import Client, DriverName, Transaction, awaited, is_motor
from graph.store.driver.waiting import lose_no_cancellation


class _ReferenceDecoder(TypeDecoder):
    """Returns a map with `$ref` and `$id` unchanged: the driver would make a DBRef, but metadata may have both keys."""

    bson_type = DBRef

    def transform_bson(self, value: DBRef) -> dict[str, Any]:
        """Return the map of the reference."""
        return dict(value.as_doc())


_TYPES = TypeRegistry([_ReferenceDecoder()])
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(document_class=dict, tz_aware=True, type_registry=_TYPES)
RESPONSE_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(document_class=dict, tz_aware=False, type_registry=_TYPES)
"""For documents that go straight into a response: times without a zone, in UTC, decode four times as fast."""
_ABOUT_MOTOR = ".*[Mm]otor"
"""A warning about Motor itself, which an operator can't change."""
MAJORITY = WriteConcern("majority")
_ABORT_SECONDS = 2.0
"""Maximum seconds for aborting a failed transaction; MongoDB would abort it later."""
_CLOSE_SECONDS = 2.0
"""Maximum seconds for ending the sessions of a client; MongoDB would end them later."""


def connect(
    uri: str, *, pool_size: int, timeout: float, driver: DriverName, named: str = "RECALLQL_MONGODB_URI"
) -> Client:
    """A client with majority concerns; no connection is made yet.

    Args:
        uri: a MongoDB connection string.
        pool_size: maximum connections in the pool.
        timeout: seconds to wait for a usable server or a free connection.
        driver: the driver that the client is of.
        named: the name of the setting or argument with the string, for the error.

    Raises:
        StartupError: the string is not a connection string, or names a file that can't be read.
    """
    milliseconds = int(timeout * 1000)
    try:
        with warnings.catch_warnings():
            # The driver ignores unknown options and wrong values.
            warnings.simplefilter("error", UserWarning)
            warnings.filterwarnings("ignore", _ABOUT_MOTOR)
            return _class_of(driver)(
                uri,
                appname="recallql",
                tz_aware=True,
                w="majority",
                readConcernLevel="majority",
                retryWrites=True,
                retryReads=True,
                maxPoolSize=pool_size,
                serverSelectionTimeoutMS=milliseconds,
                waitQueueTimeoutMS=milliseconds,
                event_listeners=listeners(),
            )
    except KeyError as error:  # of an option whose value is not in its list of values
        raise StartupError(f"{named} has an option with the unknown value {error}") from None
    except (PyMongoError, ValueError, TypeError, OSError, UserWarning) as error:
        raise StartupError(f"{named} is not a usable MongoDB connection string: {error}") from None


def _class_of(driver: DriverName) -> type[Client]:
    if driver == "pymongo":
        lose_no_cancellation()
        return AsyncMongoClient
    from graph.store.driver.motor import MotorClient  # noqa: PLC0415 - no import of Motor where it is not used

    return MotorClient


async def load(driver: DriverName) -> None:
    """Import the driver in a thread: the import of Motor takes a tenth of a second, and other tasks run meanwhile."""
    await asyncio.to_thread(_class_of, driver)


async def close(client: Client) -> None:
    """Tell MongoDB which sessions end, if it answers in time, and close the client's connections."""
    with commands_within(_CLOSE_SECONDS):
        if is_motor(client):
            from graph.store.driver.motor import (  # noqa: PLC0415 - no import of Motor where it is not used
                close_from_thread,
            )

            await close_from_thread(client)
        else:
            await client.close()


async def ping(client: Client, seconds: float, *, secondary: bool = False) -> None:
    """Wait for an answer of MongoDB to a ping.

    Args:
        client: the MongoDB client.
        seconds: the maximum time, the selection of a server included.
        secondary: whether a secondary must answer instead of the primary.

    Raises:
        PyMongoError: no answer came in time.
    """
    preference = ReadPreference.SECONDARY if secondary else ReadPreference.PRIMARY
    if is_motor(client):
        from graph.store.driver.motor import ping_from_thread  # noqa: PLC0415 - no import of Motor where it is not used

        await ping_from_thread(client, seconds, preference)
        return
    with commands_within(seconds):
        await client.admin.command("ping", read_preference=preference)


@contextmanager
def answering_within(seconds: float) -> Iterator[None]:
    """Bound the total time of the commands within the block, and name temporary errors as `Unavailable`."""
    with translated_errors(), commands_within(seconds):
        yield


async def require_answer(client: Client, seconds: float) -> None:
    """Wait for an answer of MongoDB's primary to a ping.

    Args:
        client: the MongoDB client.
        seconds: the maximum time, the selection of a server included.

    Raises:
        Unavailable: MongoDB did not answer in time.
    """
    try:
        # The driver's own limit ends its work; asyncio's ends the wait where all threads for pings are taken.
        with translated_errors():
            async with asyncio.timeout(seconds):
                await ping(client, seconds)
    except TimeoutError:
        raise Unavailable(f"MongoDB did not answer within {seconds:g} seconds") from None


async def latest_commit(client: Client) -> Any:
    """Return a cluster time at which all acknowledged writes are committed.

    Raises:
        Unavailable: MongoDB does not answer.
    """
    with translated_errors():
        async with session_of(client) as tx:
            await client.admin.command("ping", session=tx)
            return tx.operation_time


@asynccontextmanager
async def session_of(client: Client, *, snapshot: bool = False) -> AsyncIterator[Transaction]:
    """A driver session (MongoDB's, not a conversation).

    Args:
        client: the MongoDB client.
        snapshot: whether all reads are of the moment of the first one. MongoDB keeps a snapshot for five minutes by
            default.
    """
    if is_motor(client):
        from graph.store.driver.motor import start_session  # noqa: PLC0415 - no import of Motor where it is not used

        session = start_session(client, snapshot=snapshot)
    else:
        session = client.start_session(snapshot=snapshot)
    async with session:
        yield session


@asynccontextmanager
async def transaction_of(tx: Transaction) -> AsyncIterator[None]:
    """A transaction with snapshot reads and majority commit, which the block commits; aborted when the block raises."""
    await awaited(
        tx.start_transaction(
            read_concern=ReadConcern("snapshot"), write_concern=MAJORITY, read_preference=ReadPreference.PRIMARY
        )
    )
    try:
        yield
    except BaseException:
        if tx.in_transaction:
            # With its own time limit alone: an open transaction would lock its documents for a minute.
            await asyncio.create_task(_abort(tx), context=Context())
        raise


async def _abort(tx: Transaction) -> None:
    with commands_within(_ABORT_SECONDS):
        await tx.abort_transaction()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Bound the total time of the reads within the block; MongoDB ends the unfinished ones.

    MongoDB also ends them if the block is cancelled.

    Args:
        seconds: the maximum time; 0 disables the limit.
    """
    with ended_when_cancelled(), commands_within(seconds):
        yield
