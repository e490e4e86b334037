"""The context of random sessions never has more tokens than asked, in both encodings that need no network."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from graph.enrichment.tokens import TokenCounter, load_counter
from graph.operations.backend import Backend
from graph.operations.context import ContextArguments, context
from graph.operations.memory import MessageToAdd, add_memory
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.scope import EVERYTHING
from tests.support.encoding_files import o200k_base
from tests.support.untyped import untyped

PARTS = (
    *(
        "I moved to Kyoto in May. ",
        "Where is the garden? ",
        "図書館で本を読みました。",
        "\n\n",
        "   ",
        "🎉🎉",
        "e.g. ",
        "\t",
    ),
    *(
        "def f(x):\n    return x ** 2\n",
        "https://example.org/a?b=c ",
        "Straßenbahnhaltestelle ",
        "9876543210 ",
        '"quoted" ',
    ),
)
TRIES = 60


def text(chance: random.Random, most: int = 60) -> str:
    return "".join(chance.choices(PARTS, k=chance.choice([1, 3, 10, most]))).strip() or "Yes."


async def summarise(database: Database, chance: random.Random, session_id: str, last_seq: int) -> None:
    summary = {"_id": str(uuid4()), "sessionId": session_id, "firstSeq": 1, "lastSeq": last_seq, "tokenCount": 9}
    stored = {"lastMessageUuid": str(uuid4()), "content": text(chance), "source": "EXTRACTIVE", "entities": []}
    await untyped(database, "summaries").insert_one({**summary, **stored, "createdAt": now()})
    await database.sessions.update_one({"_id": session_id}, {"$set": {"summarySeq": last_seq}})


def arguments(chance: random.Random) -> ContextArguments:
    named: dict[str, Any] = {"session_id": chance.choice(["s0", "s1", "s2", None]), "user_id": "ada"}
    query = text(chance) if named["session_id"] is None else chance.choice([None, text(chance)])
    budget = chance.choice([chance.randint(1, 60), chance.randint(60, 2_000), chance.randint(2_000, 100_000)])
    return ContextArguments(budget, query=query, recent=chance.choice([None, 0, 1, 5, 100]), **named)


@pytest.mark.slow
@pytest.mark.parametrize("counter", [load_counter, o200k_base], ids=["cl100k_base", "o200k_base"])
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_context_never_has_more_tokens_than_asked(
    settings: Settings, database: Database, counter: Callable[[], TokenCounter], seed: int
) -> None:
    chance, tokens = random.Random(seed), counter()
    backend = Backend(settings, database, tokens)
    for number, count in enumerate((3, 40, 150)):
        new = [MessageToAdd(chance.choice(["user", "assistant", "tool"]), text(chance)) for _ in range(count)]
        await add_memory(backend, EVERYTHING, f"s{number}", new, user_id="ada")
        if count > 3:
            await summarise(database, chance, f"s{number}", count - chance.randrange(20))
    recalled = 0
    for _ in range(TRIES):
        asked = arguments(chance)
        found = await context(backend, EVERYTHING, asked)
        assert found["tokenCount"] == tokens.count(found["text"]) <= asked.max_tokens
        ids = [one["_id"] for one in found["messages"]] + [one["message"]["_id"] for one in found["recalled"]]
        assert len(ids) == len(set(ids))
        recalled += len(found["recalled"])
    assert recalled
    await backend.close()
