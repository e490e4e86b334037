"""A search of a user who has very many messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from graph.enrichment.tokens import load_counter
from graph.operations.backend import Backend
from graph.operations.memory import MessageToAdd, add_memory
from graph.operations.messages import delete_message
from graph.operations.recall import search
from graph.settings import Settings
from graph.store.database import Database
from graph.store.scope import EVERYTHING
from tests.support.embedded_messages import LongSession, uuid_of
from tests.support.untyped import untyped

pytestmark = pytest.mark.slow

SESSIONS = 12
MESSAGES = 10_000  # of a session


@pytest.fixture
async def backend(settings: Settings, database: Database) -> AsyncIterator[Backend]:
    opened = Backend(settings, database, load_counter())
    yield opened
    await opened.close()


async def fill(backend: Backend) -> None:
    """Store the messages of a user, session by session."""
    model = await backend.embedding_model()
    assert model is not None
    for number in range(SESSIONS):
        session = LongSession(number, "ada", MESSAGES, model)
        pairs = await asyncio.to_thread(lambda one: list(one.messages()), session)
        await untyped(backend.database, "sessions").insert_one(session.document)
        await untyped(backend.database, "messages").insert_many([message for message, _ in pairs])
        await untyped(backend.database, "recall").insert_many([recall for _, recall in pairs])


async def found(backend: Backend, query: str) -> list[str]:
    return [one.message_id for one in (await search(backend, EVERYTHING, query, user_id="ada")).part(0, 3)]


async def test_a_user_with_120000_messages_is_searched(backend: Backend) -> None:
    await fill(backend)
    needle = uuid_of(7, MESSAGES // 2)
    assert (await found(backend, "needle7"))[0] == needle
    assert len(backend.search_cache) == 1, "the scope is kept"
    new = MessageToAdd("user", "the needle77 is new", uuid=str(UUID(int=10**9)))
    await add_memory(backend, EVERYTHING, "s3", [new], user_id="ada")
    assert (await found(backend, "needle77"))[0] == new.uuid
    await delete_message(backend, EVERYTHING, needle)
    assert needle not in await found(backend, "needle7")
