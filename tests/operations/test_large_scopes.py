"""A search of a user who has more messages than any page of them shows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest

from graph.enrichment.tokens import load_counter
from graph.operations.backend import Backend
from graph.operations.memory import MessageToAdd, add_memory
from graph.operations.messages import delete_message
from graph.operations.recall import search
from graph.recall.entries import words_of
from graph.recall.vectors import quantise
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import Document, now
from graph.store.scope import EVERYTHING
from graph.store.vectors import LAYOUT
from tests.support.untyped import untyped

pytestmark = pytest.mark.slow

SESSIONS = 12
MESSAGES = 10_000  # of a session
WORDS = [f"word{number}" for number in range(5_000)]


@pytest.fixture
async def backend(settings: Settings, database: Database) -> AsyncIterator[Backend]:
    opened = Backend(settings, database, load_counter())
    yield opened
    await opened.close()


def uuid_of(session: int, seq: int) -> str:
    return str(UUID(int=session * MESSAGES + seq))


def messages_and_vectors(session: int, model: str) -> Iterator[tuple[Document, Document]]:
    """The documents of a session as an application and a worker leave them."""
    chance, numbers = random.Random(session), np.random.default_rng(session)
    at = now() - timedelta(days=1)
    for seq in range(1, MESSAGES + 1):
        content = " ".join(chance.choices(WORDS, k=12)) + (f" needle{session}" if seq == MESSAGES // 2 else "")
        place = {"_id": uuid_of(session, seq), "sessionId": f"s{session}", "memoryId": f"m{session}", "seq": seq}
        said = {"role": "user", "content": content, "entities": [], "createdAt": at, "updatedAt": at}
        done = {"state": "DONE", "attempts": 1, "at": at}
        vector = numbers.standard_normal(384, np.float32)
        whole, scale = quantise(vector / np.linalg.norm(vector))
        words = words_of(content)
        yield (
            {**place, **said, "metadata": {}, "tokenCount": 12, "enrichment": done},
            {
                **place,
                "dueAt": at,
                "at": at,
                "model": model,
                "vector": whole,
                "scale": scale,
                "layout": LAYOUT,
                "language": words.language,
                "terms": words.terms,
                "question": words.question,
            },
        )


async def fill(backend: Backend, model: str) -> None:
    """Store the messages of a user, session by session."""
    for session in range(SESSIONS):
        await add_memory(backend, EVERYTHING, f"s{session}", [MessageToAdd("user", "first")], user_id="ada")
        pairs = await asyncio.to_thread(list, messages_and_vectors(session, model))
        first = await untyped(backend.database, "messages").find_one({"sessionId": f"s{session}"})
        await delete_message(backend, EVERYTHING, first["_id"])
        await untyped(backend.database, "messages").insert_many([message for message, _ in pairs])
        await untyped(backend.database, "recall").insert_many([vector for _, vector in pairs])
        counts = {"messageCount": MESSAGES, "lastSeq": MESSAGES}
        await untyped(backend.database, "sessions").update_one({"_id": f"s{session}"}, {"$set": counts})


async def found(backend: Backend, query: str) -> list[str]:
    return [one.message_id for one in (await search(backend, EVERYTHING, query, user_id="ada")).found[:3]]


async def test_a_user_with_120000_messages_is_searched(backend: Backend) -> None:
    model = await backend.embedding_model()
    assert model is not None
    await fill(backend, model)
    needle = uuid_of(7, MESSAGES // 2)
    assert (await found(backend, "needle7"))[0] == needle
    assert len(backend.searched) == 1, "the scope is kept"
    new = MessageToAdd("user", "the needle77 is new", uuid=str(UUID(int=10**9)))
    await add_memory(backend, EVERYTHING, "s3", [new], user_id="ada")
    assert (await found(backend, "needle77"))[0] == new.uuid
    await delete_message(backend, EVERYTHING, needle)
    assert needle not in await found(backend, "needle7")
