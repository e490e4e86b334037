"""Whether MongoDB answers is judged by MongoDB, not by an event loop that is late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from graph.store.database import Database
from graph.store.driver import client as driver
from graph.store.driver.presence import Presence
from tests.support.driver import DRIVER
from tests.support.hanging import Hanging, hanging_mongodb

SILENCE = 1.0


@asynccontextmanager
async def late_loop(seconds: float) -> AsyncIterator[None]:
    """Hold the event loop in each of its turns."""

    async def hold() -> None:
        while seconds:
            time.sleep(seconds)  # noqa: ASYNC251 - the call holds the loop
            await asyncio.sleep(0)

    holding = asyncio.create_task(hold())
    try:
        yield
    finally:
        holding.cancel()


async def test_a_late_loop_is_not_taken_for_a_silent_mongodb(database: Database) -> None:
    presence = Presence(database.client, SILENCE)
    assert await presence.look()
    async with late_loop(SILENCE / 4):
        assert await presence.look()


async def test_a_loop_that_was_held_once_is_not_taken_for_a_silent_mongodb(database: Database) -> None:
    presence = Presence(database.client, SILENCE)
    assert await presence.look()
    look = presence.look()
    for _ in range(3):
        await asyncio.sleep(0)
    time.sleep(2 * SILENCE)  # noqa: ASYNC251 - the call holds the loop
    assert await look


@pytest.mark.parametrize("end", [Hanging.hang, Hanging.go_away])
@pytest.mark.parametrize("late", [0.0, 0.02])
async def test_a_silent_mongodb_is_seen_though_the_loop_is_late(
    mongodb_uri: str, end: Callable[[Hanging], None], late: float
) -> None:
    with hanging_mongodb(mongodb_uri) as proxy:
        await driver.load(DRIVER)
        client = driver.connect(proxy.uri, pool_size=2, timeout=10, driver=DRIVER)
        try:
            presence = Presence(client, SILENCE)
            assert await presence.look()
            end(proxy)
            async with late_loop(late):
                started = time.monotonic()
                assert not await presence.look()
                assert time.monotonic() - started < 5 * SILENCE
        finally:
            await driver.close(client)
