"""A database in which some documents are not as the schema says."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Int64

from graph.operations.backend import Backend
from graph.operations.memory import MessageToAdd, add_memory
from graph.store.documents import MessageDocument
from graph.store.scope import EVERYTHING
from tests.support.untyped import untyped

SESSIONS = ["plain", "planted", "empty:ids", "long"]
START = datetime(2026, 1, 31, 12, tzinfo=UTC)

WRONG: list[Any] = [
    None,
    True,
    7,
    Int64(2**40),
    1.5,
    float("inf"),
    "text",
    "",
    [],
    [None],
    [1, "a"],
    {},
    {"state": "WEIRD"},
    START,
    b"bytes",
]
"""Values to plant where others belong."""

ABSENT = object()


async def fill(backend: Backend, seed: int = 8) -> list[str]:
    """Sessions with messages, entities and summaries, in half of which something is wrong; gives the message ids."""
    chance = random.Random(seed)
    for name in SESSIONS:
        for number in range({"long": 12, "empty:ids": 1}.get(name, 6)):
            await add_memory(
                backend,
                EVERYTHING,
                name,
                [MessageToAdd("human", f"Ada Lovelace met Grace in Paris {number}", {"n": number}, None)],
                metadata={"kept": {"deep": [number]}},
                user_id=f"user-{name}",
            )
    uuids: list[str] = []
    messages = backend.database.messages
    for document in await messages.find({}, sort=[("sessionId", 1), ("seq", 1)]):
        uuids.append(document["_id"])
        change = _enriched(document, chance)
        if document["sessionId"] == "planted" or (document["sessionId"] == "long" and chance.random() < 0.1):
            _plant(change, document, chance)
        unset = {name: "" for name, value in change.items() if value is ABSENT}
        put = {name: value for name, value in change.items() if value is not ABSENT}
        await messages.update_one({"_id": document["_id"]}, {"$set": put, **({"$unset": unset} if unset else {})})
    await _summaries(backend, chance)
    return uuids


def _enriched(document: MessageDocument, chance: random.Random) -> dict[str, Any]:
    entities = [
        {
            "key": f"PERSON:{name.lower()}",
            "name": name,
            "label": "PERSON",
            "matches": [
                {"start": start, "end": start + len(name), "text": name} for start in range(chance.randrange(1, 4))
            ],
        }
        for name in chance.sample(["Ada Lovelace", "Grace", "Paris"], chance.randrange(4))
    ]
    return {"entities": entities, "enrichment": {"state": chance.choice(["PENDING", "DONE", "FAILED"]), "reason": None}}


def _plant(change: dict[str, Any], document: MessageDocument, chance: random.Random) -> None:
    """Put something wrong into a message, at its top or in one of its entities."""
    wrong = chance.choice([*WRONG, ABSENT, ABSENT])
    if chance.random() < 0.5 and change["entities"]:
        entity = chance.choice(change["entities"])
        target = chance.choice([entity, chance.choice(entity["matches"])])
        name = chance.choice(sorted(target))
        if wrong is ABSENT:
            del target[name]
        else:
            target[name] = wrong
        return
    name = chance.choice(
        ["role", "content", "metadata", "tokenCount", "entities", "enrichment", "createdAt", "updatedAt"]
    )
    change[name] = wrong


async def _summaries(backend: Backend, chance: random.Random) -> None:
    for number, name in enumerate(SESSIONS):
        await untyped(backend.database, "summaries").insert_one(
            {
                "_id": f"00000000-0000-4000-8000-00000000000{number}",
                "sessionId": name,
                "firstSeq": 1,
                "lastSeq": 3,
                "content": "Ada met Grace.",
                "tokenCount": 4 if name != "planted" else "four",
                "lastMessageUuid": "00000000-0000-4000-8000-000000000009",
                "source": chance.choice(["EXTRACTIVE", "LLM"]),
                "createdAt": START + timedelta(seconds=number),
                "entities": [
                    {
                        "key": "PERSON:ada",
                        "name": "Ada",
                        "label": "PERSON",
                        "matches": [{"start": 0, "end": 3, "text": "Ada"}],
                    }
                ],
            }
        )
        await backend.database.sessions.update_one({"_id": name}, {"$set": {"summarySeq": 3}})
