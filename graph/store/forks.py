"""Forks: new sessions with the first messages of others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from graph.errors import BadUserInput, Conflict, shown
from graph.store import users
from graph.store.copies import copy_contents
from graph.store.database import Database
from graph.store.documents import Document, SessionDocument, new_uuid, now
from graph.store.driver.types import Transaction
from graph.store.entities import mentions
from graph.store.jobs import erasure
from graph.store.messages import whole_messages
from graph.store.scope import Scope
from graph.store.sessions import refuse_other_prefix, refuse_other_user, refuse_unseen, session_to_change
from graph.store.vectors import await_vectors
from graph.store.visible import Visible
from graph.store.writes import write_session

MOST_COPIED = 1_000
"""Maximum messages of a fork, which is one transaction."""
MOST_BYTES = 16_777_216
"""Maximum bytes of the messages of a fork, as many as one `addMemory` may have."""
_DONE = ("DONE", "FAILED")


@dataclass(frozen=True, slots=True)
class Fork:
    """A fork to be made.

    Attributes:
        source_id: the session with the messages.
        through_seq: the number of the last message that is copied.
        session_id: the new session.
        user_id: the user of the new session, if the source belongs to no user.
    """

    source_id: str
    through_seq: int
    session_id: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Forked:
    """The result of a fork.

    Attributes:
        session: the whole new session.
        replayed: whether the fork existed, so that nothing changed.
    """

    session: SessionDocument
    replayed: bool


async def fork_session(database: Database, scope: Scope, fork: Fork) -> Forked:
    """Create a session with copies of the visible messages on the path to the head of another one, up to a number.

    Raises:
        BadUserInput: the source never had a message with the number, or the messages are too many or too large.
        Conflict: the new session exists and is no fork of this source up to this number, or the source belongs to
            another user.
        Forbidden: the new session exists outside the caller's scope, or its id lacks the caller's prefix.
        NotFound: the source is not within the scope.
    """

    async def attempt(tx: Transaction) -> Forked:
        source = await session_to_change(database, scope, fork.source_id, tx)
        refuse_other_user(source, fork.user_id)
        if (existing := await _existing(database, scope, fork, tx)) is not None:
            return Forked(existing, replayed=True)
        _refuse_later(fork, source)
        await erasure.refuse_while_under_way(database, erasure.session_job(fork.session_id), tx)
        return Forked(await _create(database, source, fork, tx), replayed=False)

    return await write_session(database, fork.session_id, attempt)


async def _existing(database: Database, scope: Scope, fork: Fork, tx: Transaction) -> SessionDocument | None:
    existing = await database.sessions.find_one({"_id": fork.session_id}, session=tx)
    if existing is None:
        refuse_other_prefix(scope, fork.session_id)
        return None
    refuse_unseen(scope, existing)
    if existing.get("forkedFrom") != {"sessionId": fork.source_id, "seq": fork.through_seq}:
        message = f"newSessionId is {shown(fork.session_id)}, and this session exists already: choose another id"
        raise Conflict(message)
    return existing


def _refuse_later(fork: Fork, source: SessionDocument) -> None:
    if fork.through_seq > source["lastSeq"]:
        message = (
            f"throughSeq is {fork.through_seq:,}, and the newest message has {source['lastSeq']:,}: send the seq of a"
            " message"
        )
        raise BadUserInput(message)


async def _create(database: Database, source: SessionDocument, fork: Fork, tx: Transaction) -> SessionDocument:
    """Store the new session with its contents."""
    at, visible = now(), Visible.of_head(source)
    await _refuse_larger(database, visible, fork, tx)
    found = await whole_messages(database, visible, fork.through_seq, tx)
    old_memories = await database.memories.find({"_id": {"$in": list({old["memoryId"] for old in found})}}, session=tx)
    memories, messages = copy_contents(found, old_memories, fork.session_id, at)
    session = _session(source, fork, at, len(found), sum(message["tokenCount"] for message in found))
    session["readSeq"] = sum(old["seq"] <= source.get("readSeq", 0) for old in found)
    await database.sessions.insert_one(session, session=tx)
    if (user_id := session.get("userId")) is not None:
        await users.give_session(database, user_id, fork.session_id, at, tx)
    if messages:
        await database.memories.insert_many(memories, session=tx)
        await database.messages.insert_many(messages, session=tx)
        await mentions.replace_all(database, [(None, message) for message in messages], tx)
        # The text is embedded again: a vector belongs to one message.
        done = [message for message in messages if message["enrichment"]["state"] in _DONE]
        await await_vectors(database, done, tx)
    return session


async def _refuse_larger(database: Database, visible: Visible, fork: Fork, tx: Transaction) -> None:
    size: list[Document] = [
        {"$match": visible.match("seq", fork.through_seq)},
        {"$limit": MOST_COPIED + 1},
        {"$group": {"_id": None, "messages": {"$sum": 1}, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}},
    ]
    for found in await database.messages.aggregate(size, session=tx):
        if found["messages"] > MOST_COPIED or found["bytes"] > MOST_BYTES:
            message = (
                f"throughSeq is {fork.through_seq:,}, and the messages up to it are more than {MOST_COPIED:,}, or have"
                f" more than {MOST_BYTES:,} bytes, the maximum of a fork: send a smaller seq"
            )
            raise BadUserInput(message)


def _session(source: SessionDocument, fork: Fork, at: datetime, count: int, tokens: int) -> SessionDocument:
    session: SessionDocument = {
        "_id": fork.session_id,
        "uuid": new_uuid(),
        "metadata": source["metadata"],
        "createdAt": at,
        "updatedAt": at,
        "lastSeq": count,
        "messageCount": count,
        "tokenCount": tokens,
        "summarySeq": 0,
        "summarising": {"dueAt": at, "attempts": 0},
        "revision": 1,
        "forkedFrom": {"sessionId": fork.source_id, "seq": fork.through_seq},
    }
    if (user_id := source.get("userId") or fork.user_id) is not None:
        session["userId"] = user_id
    if title := source.get("title"):
        session["title"] = title
    if "expiresAt" in source:
        session["expiresAt"] = source["expiresAt"]
    return session
