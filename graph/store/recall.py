"""Reading the messages of a scope for a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime

from graph.store.database import Database
from graph.store.documents import Document, MessageDocument, RecallDocument, SessionDocument
from graph.store.entities.reading import keys_by_session
from graph.store.messages import MessageFilter
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.vectors import LAYOUT
from graph.store.visible import Visible

_AT_ONCE = 100
"""Messages that are read together with their contents: each may hold a megabyte."""
_WITHOUT_CONTENTS_AT_ONCE = 1_000
_SESSIONS_AT_ONCE = 1_000
_PARTS_AT_ONCE = 100
_FIELDS = {
    "sessionId": 1,
    "memoryId": 1,
    "seq": 1,
    "branch": 1,
    "role": 1,
    "name": 1,
    "createdAt": 1,
    "entities.label": 1,
    "editedAt": 1,
    "enrichment.at": 1,
}
_STATE = {"sessionId": 1, "editedAt": 1, "enrichment.at": 1}
_SESSION = projection({"uuid", "messageCount", "lastSeq", *Visible.HEAD_FIELDS})
_STORED = {"memoryId": 1, "model": 1, "vector": 1, "scale": 1, "at": 1}
_WORDS = {"layout": 1, "language": 1, "terms": 1, "question": 1, "ofTools": 1}


async def searched_sessions(
    database: Database, scope: Scope, *, user_id: str | None, session_id: str | None, limit: int
) -> list[SessionDocument]:
    """Return the sessions of a search within the scope.

    The sessions have `uuid`, `messageCount`, `lastSeq` and `Visible.HEAD_FIELDS`.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        user_id: only sessions of this user.
        session_id: only this session.
        limit: the maximum number.
    """
    match: Document = scope.sessions()
    if user_id is not None:
        if match.get("userId", user_id) != user_id:
            return []
        match["userId"] = user_id
    if session_id is not None:
        match["_id"] = session_id
    return await database.sessions.find(match, _SESSION, limit=limit)


async def sessions_with(database: Database, session_ids: Sequence[str]) -> dict[str, SessionDocument]:
    """The sessions with these ids, which callers have searched, by id, with the fields of `searched_sessions`."""
    found: dict[str, SessionDocument] = {}
    for start in range(0, len(session_ids), _SESSIONS_AT_ONCE):
        match = {"_id": {"$in": list(session_ids[start : start + _SESSIONS_AT_ONCE])}}
        found |= {session["_id"]: session for session in await database.sessions.find(match, _SESSION)}
    return found


async def messages_of(
    database: Database, sessions: Sequence[Visible], *, contents: bool = True, parts: bool = False
) -> AsyncIterator[list[MessageDocument]]:
    """Yield the messages of the visible parts of sessions, in no order, with their contents and parts if asked."""
    for start in range(0, len(sessions), _SESSIONS_AT_ONCE):
        visible = {part.session_id: part for part in sessions[start : start + _SESSIONS_AT_ONCE]}
        async for read in _read(database, {"sessionId": {"$in": list(visible)}}, contents=contents, parts=parts):
            yield [message for message in read if visible[message["sessionId"]].sees(message["seq"])]


async def later_messages(database: Database, parts: Sequence[Visible]) -> AsyncIterator[list[MessageDocument]]:
    """Yield the messages of a few parts of sessions, each of which is the end of its session, without contents."""
    for start in range(0, len(parts), _PARTS_AT_ONCE):
        matches = [part.match("seq") for part in parts[start : start + _PARTS_AT_ONCE]]
        async for read in _read(database, {"$or": matches}, contents=False):
            yield read


async def messages_with(
    database: Database, uuids: Sequence[str], *, contents: bool, parts: bool = False
) -> AsyncIterator[list[MessageDocument]]:
    """Yield the messages with these uuids, whose sessions the caller has been found to see."""
    async for read in _read(database, {"_id": {"$in": list(uuids)}}, contents=contents, parts=parts):
        yield read


async def messages_meeting(database: Database, sessions: Sequence[Visible], filter_: MessageFilter) -> set[str]:
    """Return the uuids of the messages that meet a filter, in the visible parts of sessions."""
    found: set[str] = set()
    for start in range(0, len(sessions), _SESSIONS_AT_ONCE):
        parts = {part.session_id: part for part in sessions[start : start + _SESSIONS_AT_ONCE]}
        for keys, session_ids in (await _by_entity(database, list(parts), filter_)).items():
            match = {"sessionId": {"$in": session_ids}, **filter_.conditions(keys)}
            for message in await database.messages.find(match, {"sessionId": 1, "seq": 1}):
                if parts[message["sessionId"]].sees(message["seq"]):
                    found.add(message["_id"])
    return found


async def _by_entity(
    database: Database, session_ids: list[str], filter_: MessageFilter
) -> dict[frozenset[str], list[str]]:
    """Return the sessions that may have a message that meets a filter, by the keys of the named entity in them."""
    if filter_.entity is None:
        return {frozenset(): session_ids}
    grouped: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for session_id, keys in (await keys_by_session(database, session_ids, filter_.entity)).items():
        grouped[keys].append(session_id)
    return grouped


async def _read(
    database: Database, match: Document, *, contents: bool, parts: bool = False
) -> AsyncIterator[list[MessageDocument]]:
    fields = {**_FIELDS, **({"content": 1} if contents else {}), **({"parts": 1} if parts else {})}
    size = _AT_ONCE if contents else _WITHOUT_CONTENTS_AT_ONCE
    async with aclosing(database.messages.batches(match, fields, size=size, batch_size=size)) as batches:
        async for read in batches:
            yield read


async def recall_documents(
    database: Database, messages: Sequence[MessageDocument], *, of_tools: bool = False
) -> dict[str, RecallDocument]:
    """Return the documents of messages, by uuid; with `terms` only where they are of this version.

    Read the messages before: an edit removes the document, so the terms are never older than the message.

    Args:
        database: the open database.
        messages: the messages.
        of_tools: whether the terms must include the terms of the arguments and results of tools.
    """
    memories = {message["_id"]: message["memoryId"] for message in messages}
    found = await database.recall.find({"_id": {"$in": list(memories)}}, {**_STORED, **_WORDS})
    # The uuid of an erased message may be sent again before its document is erased: a memory's id never is.
    own = {document["_id"]: document for document in found if memories[document["_id"]] == document["memoryId"]}
    for document in own.values():
        if document.get("layout") != LAYOUT or document.get("ofTools", False) != of_tools:
            document.pop("terms", None)
    return own


async def changed_messages(database: Database, session_ids: Sequence[str], since: datetime) -> list[MessageDocument]:
    """The messages that were edited or enriched since a time, with the fields of `version_of`; some occur twice."""
    found: list[MessageDocument] = []
    for start in range(0, len(session_ids), _SESSIONS_AT_ONCE):
        within = {"sessionId": {"$in": list(session_ids[start : start + _SESSIONS_AT_ONCE])}}
        for name in ("editedAt", "enrichment.at"):
            found += await database.messages.find({**within, name: {"$gte": since}}, _STATE)
    return found


def version_of(message: MessageDocument) -> tuple[datetime | None, datetime | None]:
    """Return the version of a message: the times of its last edit and of its enrichment."""
    return message.get("editedAt"), message.get("enrichment", {}).get("at")


async def vectors_of(
    database: Database, session_ids: Sequence[str], model: str, since: datetime | None
) -> AsyncIterator[list[RecallDocument]]:
    """The vectors of a model that were stored since a time, of sessions in the caller's scope."""
    for start in range(0, len(session_ids), _SESSIONS_AT_ONCE):
        match: Document = {"sessionId": {"$in": list(session_ids[start : start + _SESSIONS_AT_ONCE])}, "model": model}
        if since is not None:
            match["at"] = {"$gte": since}
        fields = {"sessionId": 1, "seq": 1, **_STORED}
        size = _WITHOUT_CONTENTS_AT_ONCE
        async with aclosing(database.recall.batches(match, fields, size=size, batch_size=size)) as batches:
            async for found in batches:
                yield found
