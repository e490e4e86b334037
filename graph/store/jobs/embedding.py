"""Messages without a vector: claims with leases, and the storage of vectors.

A message with a vector of another model is due as well. A vector is stored only while the claim holds: a deletion or an
edit of the message removes the document, and so the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from graph.store.database import Database
from graph.store.documents import Document, JSONObject, MessageDocument, RecallDocument, new_uuid, now
from graph.store.driver.types import UpdateOne
from graph.store.jobs.lease import Lease
from graph.store.vectors import LAYOUT, without_vector

LEASE = Lease()

_KILLED = "the worker ended while it embedded this message, at each of its attempts"
_CURRENT = {"_id": "embedding"}
_CLAIM = {"lease": "", "attempts": ""}
"""The fields of a claim, to unset."""
_READ_AT_ONCE = 32  # messages, each of up to 1 MiB
_MOST_CHARACTERS = 4_194_304
"""Characters of contents after which a claim reads no more messages, and gives them back."""


@dataclass(frozen=True, slots=True)
class TextToEmbed:
    """A message to embed.

    Attributes:
        uuid: the message.
        content: its text.
        attempts: how often it has been claimed, this time included.
        parts: its parts, if the claim reads them.
    """

    uuid: str
    content: str
    attempts: int
    parts: Sequence[JSONObject] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """Messages that this worker may embed until the lease runs out.

    Attributes:
        lease: the lease's name.
        texts: the messages.
        looked: the number of due messages that were found.
        of_tools: whether the arguments and results of tools are read, too.
    """

    lease: str
    texts: Sequence[TextToEmbed] = ()
    looked: int = 0
    of_tools: bool = False
    traces: Sequence[str] = ()

    @property
    def held(self) -> Document:
        """Return the filter of the documents that the claim still holds."""
        return {"_id": {"$in": [text.uuid for text in self.texts]}, **LEASE.held(self.lease)}


@dataclass(frozen=True, slots=True)
class Words:
    """The facts of a text that a search needs in addition to its vector, see `RecallDocument`."""

    language: str
    terms: bytes
    question: bool


@dataclass(frozen=True, slots=True)
class Vector:
    """The vector of a text: 8-bit integers, and the factor to a vector of length 1; with the words of the text."""

    numbers: bytes
    scale: float
    words: Words


def _without(model: str, session_id: str | None) -> Document:
    """Return the filter of documents without a vector of a model, or without terms."""
    return {**({} if session_id is None else {"sessionId": session_id}), **without_vector(model)}


async def announce(database: Database, model: str) -> None:
    """Make a model the current one: workers with another model embed no more."""
    await database.models.upsert_one(_CURRENT, {"$set": {"name": model}})


async def current_model(database: Database) -> str | None:
    """The name of the model that was announced last."""
    found = await database.models.find_one(_CURRENT)
    return found and found["name"]


async def claim(
    database: Database,
    model: str,
    limit: int,
    *,
    lease_seconds: float,
    attempts: int,
    session_id: str | None = None,
    of_tools: bool = False,
) -> Claimed:
    """Claim messages without a vector of a model.

    A message whose lease ran out may have ended its worker: it is taken alone, and given up after some attempts.

    Args:
        database: the open database.
        model: the model's name.
        limit: maximum number of messages.
        lease_seconds: the duration of the lease.
        attempts: maximum claims of a message that ends its workers; then it gets no vector.
        session_id: only messages of this session.
        of_tools: whether the parts are read, too, for the arguments and results of tools.
    """
    token = new_uuid()
    due = {**_without(model, session_id), **LEASE.due(now())}
    found = await database.recall.find(due, {"memoryId": 1, "lease": 1, "attempts": 1}, limit=limit)
    exhausted = [one["_id"] for one in found if "lease" in one and one.get("attempts", 0) >= attempts]
    if exhausted:
        await database.recall.update_many({"_id": {"$in": exhausted}, **due}, _failed(model, _KILLED))
    chosen = _together([one for one in found if one["_id"] not in exhausted])
    ids = {"_id": {"$in": [one["_id"] for one in chosen]}}
    await LEASE.claim(database.recall, {**ids, **due}, token, seconds=lease_seconds)
    held = await database.recall.find({**ids, **LEASE.held(token)}, {"memoryId": 1, "attempts": 1, "trace": 1})
    contents, unread = await _contents(database, [one["_id"] for one in held], parts=of_tools)
    if unread:
        await LEASE.release(database.recall, {"_id": {"$in": unread}, **LEASE.held(token)})
    read = [one for one in held if one["_id"] not in unread]
    gone = [one["_id"] for one in read if (one["_id"], one["memoryId"]) not in contents]
    if gone:
        await database.recall.delete_many({"_id": {"$in": gone}, **LEASE.held(token)})
    texts = [
        TextToEmbed(one["_id"], message["content"], one.get("attempts", 1), message.get("parts", ()))
        for one in read
        if (message := contents.get((one["_id"], one["memoryId"]))) is not None
    ]
    return Claimed(token, texts, len(found), of_tools, [one["trace"] for one in read if "trace" in one])


def _together(found: Sequence[RecallDocument]) -> Sequence[RecallDocument]:
    """Return the messages whose lease never ran out, or else one whose lease did."""
    return [one for one in found if "lease" not in one] or found[:1]


async def _contents(
    database: Database, uuids: Sequence[str], *, parts: bool
) -> tuple[dict[tuple[str, str], MessageDocument], list[str]]:
    """Return messages with their contents by uuid and memory, up to a size, and the uuids of those beyond."""
    contents: dict[tuple[str, str], MessageDocument] = {}
    characters = 0
    for start in range(0, len(uuids), _READ_AT_ONCE):
        if characters >= _MOST_CHARACTERS:
            return contents, list(uuids[start:])
        match = {"_id": {"$in": list(uuids[start : start + _READ_AT_ONCE])}}
        fields = {"content": 1, "memoryId": 1, **({"parts": 1} if parts else {})}
        for message in await database.messages.find(match, fields):
            contents[message["_id"], message["memoryId"]] = message
            characters += len(message["content"]) + (len(orjson.dumps(message["parts"])) if "parts" in message else 0)
    return contents, []


async def renew(database: Database, claimed: Claimed, *, lease_seconds: float) -> None:
    """Extend the lease of the held messages by `lease_seconds`."""
    await LEASE.renew(database.recall, claimed.held, seconds=lease_seconds)


async def release(database: Database, claimed: Claimed) -> None:
    """Give back the messages without a vector, as if they had never been claimed."""
    await LEASE.release(database.recall, claimed.held)


async def complete(database: Database, claimed: Claimed, model: str, vectors: Mapping[str, Vector]) -> int:
    """Store the vectors and words of the messages that are still held; return the number of stored ones."""
    if not vectors:
        return 0
    at = now()
    writes = [
        UpdateOne(
            {"_id": uuid, **LEASE.held(claimed.lease)},
            {
                "$set": {
                    "model": model,
                    "vector": vector.numbers,
                    "scale": vector.scale,
                    "dueAt": at,
                    "layout": LAYOUT,
                    "language": vector.words.language,
                    "terms": vector.words.terms,
                    "question": vector.words.question,
                    **({"ofTools": True} if claimed.of_tools else {}),
                },
                "$currentDate": {"at": True},
                "$unset": {**_CLAIM, "trace": "", "failure": "", **({} if claimed.of_tools else {"ofTools": ""})},
            },
        )
        for uuid, vector in vectors.items()
    ]
    stored = await database.recall.bulk_write(writes, ordered=False)
    count: int = stored.modified_count
    return count


async def put_off(database: Database, claimed: Claimed, uuid: str, due_at: datetime) -> None:
    """Schedule the retry of a message that could not be embedded."""
    await LEASE.postpone(database.recall, {"_id": uuid, **LEASE.held(claimed.lease)}, due_at)


async def give_up(database: Database, claimed: Claimed, model: str, uuid: str, reason: str) -> None:
    """Leave a message that can't be embedded without a vector of this model."""
    await database.recall.update_one({"_id": uuid, **LEASE.held(claimed.lease)}, _failed(model, reason))


def _failed(model: str, reason: str) -> dict[str, Any]:
    return {
        "$set": {"model": model, "failure": reason, "dueAt": now(), "layout": LAYOUT},
        "$currentDate": {"at": True},
        "$unset": {**_CLAIM, "vector": "", "scale": ""},
    }


async def is_any_left(database: Database, model: str, session_id: str | None = None) -> bool:
    """Whether a message that has its entities has no vector of a model yet."""
    return await database.recall.find_one(_without(model, session_id), {"_id": 1}) is not None
