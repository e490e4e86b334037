"""Pending enrichment: claims with leases, and the storage of outcomes.

The state is a field of the message, so that no queue can disagree with the messages. A pending message is due when its
`dueAt` has passed; a lease sets `dueAt` ahead, so that the messages of a dead worker become due again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import bson

from graph.errors import Unavailable
from graph.store.database import Database
from graph.store.documents import (
    Document,
    EnrichmentState,
    EntityDocument,
    MentioningMessage,
    MessageDocument,
    MessagePlace,
    OwnedMessage,
    SessionDocument,
    new_uuid,
    now,
)
from graph.store.driver.deadline import commands_within
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import Transaction, UpdateOne
from graph.store.entities.mentions import Change, replace_all
from graph.store.jobs.batches import Limits, batch, is_exhausted, is_long
from graph.store.jobs.lease import Lease
from graph.store.jobs.tool_texts import TextOfTools, read_tool_texts
from graph.store.jobs.turns import Turns
from graph.store.reading.projection import projection
from graph.store.vectors import await_vectors
from graph.store.visible import Visible

_PENDING, _DONE, _FAILED = (state.value for state in EnrichmentState)
LEASE = Lease("enrichment")

MOST_ENTITIES = 4_000
"""Maximum entities of a message, and of a transaction: about 8,000 do not fit into mongod's smallest cache."""
_MOST_BYTES = 12 * 2**20  # of a message's entities: a document of MongoDB has at most 16 MiB, the content included

HELD_BACK = timedelta(days=1)
"""Time for which staged messages are not due; it matters only if an import died while it released them."""

_SHARE_OF_MANY = 8  # a session with this share of the oldest messages is left out of the search for the newest
_SHARE_OF_NEWEST = 4  # the newest messages that are read, as a share of the messages of one claim
_LOOK_SECONDS = 0.2

_KILLED = "the worker ended while it read this message, at each of its attempts"
_GIVEN_UP: Document = {
    "$set": {
        "enrichment": {
            "state": {"$literal": _FAILED},
            "attempts": "$enrichment.attempts",
            "at": "$$NOW",
            "reason": {"$ifNull": ["$enrichment.reason", {"$literal": _KILLED}]},
            "lease": "$$REMOVE",
            "together": "$$REMOVE",
            "trace": "$$REMOVE",
            "dueAt": "$$REMOVE",
        },
        "revision": {"$add": [{"$ifNull": ["$revision", 0]}, 1]},
    }
}


class _Held(MentioningMessage, OwnedMessage):
    """The fields of a message that its completion reads."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Messages that this worker holds until the lease runs out.

    Attributes:
        lease: the lease's name.
        messages: each with `_id`, `sessionId`, `content` and `enrichment`.
        suspect: whether one of them may have ended an earlier worker.
        contended: whether other workers claimed due messages first.
        long_waits: whether a long message is due that this claim did not ask for.
        tool_texts: the text of the tools in the parts, by the uuid of the message; without a text, a message is left
            out.
    """

    lease: str
    messages: list[MessageDocument] = field(default_factory=list)
    suspect: bool = False
    contended: bool = False
    long_waits: bool = False
    tool_texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def uuids(self) -> list[str]:
        """The ids of the messages."""
        return [message["_id"] for message in self.messages]

    @property
    def match(self) -> Document:
        """The filter of the messages that are still held."""
        return {"_id": {"$in": self.uuids}, **LEASE.held(self.lease)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one message: its entities, or the reason for a failure.

    Attributes:
        uuid: the message.
        attempts: the number of claims, including the present one.
        entities: the entities to store.
        failure: why the extraction failed.
        due_at: the time of the next attempt after a failure; None gives the message up.
    """

    uuid: str
    attempts: int
    entities: Sequence[EntityDocument] = ()
    failure: str | None = None
    due_at: datetime | None = None


def _due(at: datetime, session_id: str | None) -> Document:
    within = {} if session_id is None else {"sessionId": session_id}
    return {**within, "enrichment.state": _PENDING, **LEASE.due(at)}


async def claim(
    database: Database,
    limits: Limits,
    *,
    lease_seconds: float,
    session_id: str | None = None,
    fresh: bool = False,
    long: bool = False,
    turns: Turns | None = None,
    text_of_tools: TextOfTools | None = None,
) -> Claim:
    """Claim due messages, by turns of their users and sessions.

    A message whose lease ran out may have ended its worker. Fewer such messages are taken at a time, and finally each
    alone, so that a message that ends every worker does not affect others.

    Args:
        database: the open database.
        limits: the limits of the claim.
        lease_seconds: the duration of the lease, which may be renewed.
        session_id: only messages of this session.
        fresh: only messages whose lease never ran out.
        long: only one long message, whose lease never ran out.
        turns: the shares that the caller has taken lately.
        text_of_tools: returns the text of the tools in parts; None to read no parts.
    """
    turns = turns or Turns()
    at = now()
    due = _due(at, session_id)
    if fresh or long:
        due["enrichment.lease"] = {"$exists": False}
    token = new_uuid()
    found = await _look(database, due, limits)
    sessions = await _sessions_of_messages(database, found)
    erased = _erased(found, sessions)
    if erased:
        await _exclude(database, [message for message in found if message["_id"] in erased], due)
    exhausted = {message["_id"] for message in found if is_exhausted(message, limits)} - erased
    if exhausted:
        await _give_up(database, list(exhausted), due, limits.attempts)
    left = [message for message in found if message["_id"] not in erased | exhausted]
    long_ones = [message for message in left if is_long(message, limits)]
    ordered = turns.ordered(long_ones if long else [one for one in left if not is_long(one, limits)], sessions)
    chosen = ordered[:1] if long else batch(ordered, limits)
    long_waits = bool(long_ones) and not long
    if not chosen:
        return Claim(token, contended=bool(erased or exhausted), long_waits=long_waits)
    ids = {"_id": {"$in": [message["_id"] for message in chosen]}}
    also = {"enrichment.together": len(chosen)}
    if not await LEASE.claim(database.messages, {**ids, **due}, token, seconds=lease_seconds, also=also):
        return Claim(token, contended=True, long_waits=long_waits)
    fields = {"sessionId": 1, "content": 1, "enrichment": 1}
    held = await database.messages.find({**ids, **LEASE.held(token)}, fields)
    turns.note(chosen, sessions)
    texts: dict[str, str] = {}
    if text_of_tools is not None:
        texts, unread = await read_tool_texts(database, [one["_id"] for one in held], LEASE.held(token), text_of_tools)
        if unread:
            await _release(database, {"_id": {"$in": unread}, **LEASE.held(token)})
            held = [message for message in held if message["_id"] not in unread]
    is_suspect = any(message["enrichment"]["attempts"] > 1 for message in held)
    return Claim(token, held, is_suspect, long_waits=long_waits, tool_texts=texts)


async def _look(database: Database, due: Document, limits: Limits) -> list[MessageDocument]:
    """Read due messages to choose from: the oldest, and if there are more, the newest of other sessions.

    So the latest writer is considered, even if the messages of others have waited longer.
    """
    fields = {"sessionId": 1, "memoryId": 1, "seq": 1, "tokenCount": 1, "enrichment": 1}
    longest = await database.messages.find(due, fields, sort=[("enrichment.dueAt", 1)], limit=limits.messages)
    if len(longest) < limits.messages or "sessionId" in due:
        return longest
    counts = Counter(message["sessionId"] for message in longest)
    many = [session_id for session_id, count in counts.items() if count * _SHARE_OF_MANY >= limits.messages]
    others = {"sessionId": {"$nin": many}, "tokenCount": {"$lte": limits.tokens}}
    try:
        with commands_within(_LOOK_SECONDS):
            newest = await database.messages.find(
                {**due, **others},
                fields,
                sort=[("enrichment.dueAt", -1)],
                limit=max(1, limits.messages // _SHARE_OF_NEWEST),
            )
    except Unavailable:
        newest = []  # the time is over: the backlog is very large
    seen = {message["_id"] for message in longest}
    return longest + [message for message in reversed(newest) if message["_id"] not in seen]


async def _sessions_of_messages(
    database: Database, messages: Iterable[MessagePlace], tx: Transaction | None = None
) -> dict[str, SessionDocument]:
    """The sessions of messages, with `userId` and the paths that `Visible.of` reads, by id."""
    ids = {message["sessionId"] for message in messages}
    found = await database.sessions.find(
        {"_id": {"$in": list(ids)}}, projection({"userId", *Visible.FIELDS}), session=tx
    )
    return {session["_id"]: session for session in found}


def _erased(messages: Iterable[MessagePlace], sessions: dict[str, SessionDocument]) -> set[str]:
    """Return the ids of invisible messages: being erased, or of an unfinished import."""
    return {
        message["_id"]
        for message in messages
        if (session := sessions.get(message["sessionId"])) is None or not Visible.of(session).sees(message["seq"])
    }


async def _exclude(database: Database, messages: Sequence[MessageDocument], due: Document) -> None:
    """Exclude messages that are being erased from claims; messages that an import holds back are held back again."""
    # By the memory as well: a new message may get the uuid of an erased message at any moment.
    these = {
        "_id": {"$in": [message["_id"] for message in messages]},
        "memoryId": {"$in": list({message["memoryId"] for message in messages})},
    }
    staged = {"enrichment.importedDueAt": {"$exists": True}}
    await database.messages.update_many({**these, **due, **staged}, {"$set": {"enrichment.dueAt": now() + HELD_BACK}})
    await database.messages.update_many({**these, **due, "$nor": [staged]}, {"$unset": {"enrichment": ""}})


async def _give_up(database: Database, uuids: list[str], due: Document, attempts: int) -> None:
    """Mark messages as `FAILED` that ended the worker at each attempt; their vectors may still be computed."""

    async def attempt(tx: Transaction) -> None:
        # A pipeline, since it keeps the reason of an earlier attempt.
        await database.messages.update_many(
            {"_id": {"$in": uuids}, **due, "enrichment.attempts": {"$gte": attempts}}, [_GIVEN_UP], session=tx
        )
        failed = await database.messages.find(
            {"_id": {"$in": uuids}, "enrichment.state": _FAILED}, {"sessionId": 1, "memoryId": 1, "seq": 1}, session=tx
        )
        await await_vectors(database, failed, tx)

    await in_transaction(database.client, attempt, deadline=database.write_deadline)


async def renew(database: Database, held: Claim, *, lease_seconds: float) -> None:
    """Extend the lease of the held messages by `lease_seconds`."""
    await LEASE.renew(database.messages, held.match, seconds=lease_seconds)


async def release(database: Database, held: Claim) -> None:
    """Give back claimed messages that were not begun, as if they had never been claimed."""
    await _release(database, held.match)


async def _release(database: Database, held: Document) -> None:
    await LEASE.release(database.messages, held, unset={"enrichment.together": ""})


async def complete(database: Database, lease: str, outcomes: Sequence[Outcome]) -> int:
    """Store the outcomes of the messages that are still held, and update the counts of entities.

    Each message is stored in one transaction, together with as many others as fit. An edit, a deletion or another
    worker's lease since the claim wins.

    Returns:
        The number of stored outcomes.

    Raises:
        Unavailable: some outcomes may not be stored: repeat the call.
    """
    return sum([await _complete(database, lease, portion) for portion in _portions(outcomes)])


def _portions(outcomes: Sequence[Outcome]) -> Iterator[list[Outcome]]:
    """The outcomes in parts that have at most `MOST_ENTITIES` each, unless a single one has more."""
    portion: list[Outcome] = []
    size = 0
    for outcome in outcomes:
        if portion and size + len(outcome.entities) > MOST_ENTITIES:
            yield portion
            portion, size = [], 0
        portion.append(outcome)
        size += len(outcome.entities)
    if portion:
        yield portion


async def _complete(database: Database, lease: str, outcomes: Sequence[Outcome]) -> int:
    by_uuid = {outcome.uuid: _bounded(outcome) for outcome in outcomes}

    async def attempt(tx: Transaction) -> int:
        # The lease of a message is gone once it is stored or its content has changed; a change after this
        # transaction's snapshot makes the write below fail, and the next attempt no longer finds it.
        held: Sequence[_Held] = await database.messages.find(
            {"_id": {"$in": list(by_uuid)}, **LEASE.held(lease)},
            {"sessionId": 1, "memoryId": 1, "seq": 1, "createdAt": 1, "entities": 1},
            session=tx,
        )
        erased = _erased(held, await _sessions_of_messages(database, held, tx)) if held else set()
        held = [message for message in held if message["_id"] not in erased]
        if not held:
            return 0
        at = now()
        updates: list[UpdateOne] = []
        changes: list[Change] = []
        for old in held:
            outcome = by_uuid[old["_id"]]
            change: Document = {"enrichment": _state(outcome, at)}
            if outcome.failure is None:
                change["entities"] = list(outcome.entities)
                new: _Held = {**old, "entities": list(outcome.entities)}
                changes.append((old, new))
            updates.append(UpdateOne({"_id": old["_id"]}, {"$set": change, "$inc": {"revision": 1}}))
        await database.messages.bulk_write(updates, ordered=False, session=tx)
        await await_vectors(database, held, tx)
        await replace_all(database, changes, tx)
        return len(held)

    return await in_transaction(database.client, attempt, deadline=database.write_deadline)


def _bounded(outcome: Outcome) -> Outcome:
    """Return the outcome, or a failure if it is too large for MongoDB."""
    if sum(len(entity["matches"]) for entity in outcome.entities) < 10_000:
        return outcome
    size = len(bson.encode({"entities": list(outcome.entities)}))
    if size <= _MOST_BYTES:
        return outcome
    reason = f"its entities take {size:,} bytes, and at most {_MOST_BYTES:,} can be stored"
    return Outcome(outcome.uuid, outcome.attempts, failure=reason)


def _state(outcome: Outcome, at: datetime) -> Document:
    state: Document = {"attempts": outcome.attempts}
    if outcome.failure is None:
        return {"state": _DONE, **state, "at": at}
    state["reason"] = outcome.failure
    if outcome.due_at is None:
        return {"state": _FAILED, **state, "at": at}
    return {"state": _PENDING, **state, "dueAt": outcome.due_at}


async def next_due(database: Database, session_id: str | None = None) -> datetime | None:
    """Return the time at which the next pending message is due, or None if no message is pending."""
    within = {} if session_id is None else {"sessionId": session_id}
    found = await database.messages.find_one(
        {**within, "enrichment.state": _PENDING}, {"enrichment.dueAt": 1}, sort=[("enrichment.dueAt", 1)]
    )
    return None if found is None else found["enrichment"]["dueAt"]
