"""Reads in one batch, without the driver's cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from graph.errors import Unavailable
from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver.client import RESPONSE_CODEC, connect, session_of
from graph.store.driver.collection import Collection, collection_of
from graph.store.driver.types import is_motor
from tests.support.driver import DRIVER
from tests.support.proxy import Proxy, proxy

NUMBERS = [{"_id": number, "n": -number} for number in range(5)]


@pytest.fixture
async def between(mongodb_uri: str) -> AsyncIterator[Proxy]:
    async with proxy(mongodb_uri) as made:
        yield made


@pytest.fixture
async def things(between: Proxy, database: Database) -> AsyncIterator[Collection[Document]]:
    """A collection of five documents, which is read through the proxy."""
    client = connect(between.uri, pool_size=4, timeout=10.0, driver=DRIVER)
    opened = collection_of(client[database.name], "users", Document)
    await opened.insert_many(NUMBERS)
    yield opened
    # Motor's `close` blocks: in this thread, the proxy could not pass on its last command.
    await (asyncio.to_thread(client.close) if is_motor(client) else client.close())


class CutOnce:
    """Closes the connection at the first read of a kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind.encode()
        self.cut = 0

    def __call__(self, request: bytes) -> bool:
        if self.cut or self._kind not in request:
            return False
        self.cut += 1
        return True


async def test_the_first_documents_come_in_their_order(things: Collection[Document]) -> None:
    found = await things.find_at_once({"_id": {"$gt": 0}}, {"n": 1}, limit=2, sort=[("n", 1)], hint=[("_id", 1)])
    assert found == [{"_id": 4, "n": -4}, {"_id": 3, "n": -3}]
    assert await things.find_at_once({}, limit=10, sort=[("_id", 1)]) == NUMBERS


async def test_a_read_of_documents_is_sent_again_after_the_connection_failed(
    things: Collection[Document], between: Proxy
) -> None:
    between.cuts = cut = CutOnce("singleBatch")
    assert await things.find_at_once({}, limit=10, sort=[("_id", 1)]) == NUMBERS
    assert cut.cut == 1


async def test_a_pipeline_is_sent_again_after_the_connection_failed(
    things: Collection[Document], between: Proxy
) -> None:
    between.cuts = cut = CutOnce("pipeline")
    assert await things.aggregate_at_once([{"$sort": {"_id": 1}}], RESPONSE_CODEC, most=10) == NUMBERS
    assert cut.cut == 1


async def test_a_read_that_fails_again_is_unavailable(things: Collection[Document], between: Proxy) -> None:
    between.cuts = lambda request: b"singleBatch" in request
    with pytest.raises(Unavailable):
        await things.find_at_once({}, limit=10)


async def test_a_snapshot_is_read_with_the_drivers_method(database: Database) -> None:
    users: Collection[Any] = database.users
    async with session_of(database.client, snapshot=True) as tx:
        assert await users.find_at_once({}, limit=10, session=tx) == []
