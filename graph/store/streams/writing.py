"""The pieces of a message that is being written, and its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import dropwhile
from typing import TypeAlias

from graph.errors import BadUserInput, Conflict, NotFound
from graph.store.adding.tool_pairs import pairs_of
from graph.store.database import Database
from graph.store.documents import JSONObject, MessageChanges, MessageDocument, SessionDocument, now, pending
from graph.store.driver.deadline import bounded
from graph.store.driver.transactions import held
from graph.store.driver.types import Transaction
from graph.store.editing.edits import message_with_session
from graph.store.editing.merge import merged_metadata
from graph.store.editing.stamps import stamp_of
from graph.store.messages import find_meant
from graph.store.scope import EVERYTHING, Scope
from graph.store.streams.documents import MessageStatus, Piece, PiecesDocument, StreamDocument, pieces_in
from graph.store.streams.reading import forget_streams, is_streaming
from graph.store.writes import next_revision, write, write_session

MOST_BYTES = 1_048_576
"""Maximum bytes of the texts and data of the pieces of a message together, as of a content."""
MOST_PIECES = 20_000
"""Maximum pieces of a message: the transaction of its end deletes them."""
MOST_AT_ONCE = 1_000
"""Maximum pieces that one transaction stores."""
_AT_ONCE = 100  # silent streams that one look finds

Count: TypeAlias = Callable[[str, str], Awaitable[int]]
"""Returns the tokens of a role and a content."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The state of a stream after an append."""

    uuid: str
    next_index: int


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a stream.

    Attributes:
        status: the status of the message afterwards.
        count: counts the tokens of a role and a content, without parts.
        content: the text; None for the text of the pieces.
        parts: the content as model APIs have it.
        metadata: merged into the metadata of the message (RFC 7396).
        part_tokens: tokens of the parts, without the tokens of the content.
    """

    status: MessageStatus
    count: Count
    content: str | None = None
    parts: list[JSONObject] | None = None
    metadata: JSONObject | None = None
    part_tokens: int = 0


@dataclass(slots=True, eq=False)
class WaitingAppend:
    """An append that waits for earlier appends of this process to the same message.

    Attributes:
        scope: the data that its caller may see.
        pieces: the pieces to store.
        appended: the result; None until the pieces are stored.
    """

    scope: Scope
    pieces: Sequence[Piece]
    appended: Appended | None = None


async def append_pieces(
    database: Database, scope: Scope, chosen: str, pieces: Sequence[Piece], silence_until: datetime
) -> Appended:
    """Store the next pieces of a message; pieces that are stored with the same text and data are left out.

    The calls of this process for one message are executed in their order. Of the calls that wait, the first one stores
    the pieces of the next ones with its own; where that is refused, each call stores its own pieces.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        chosen: the caller's uuid of the message.
        pieces: at least one, with consecutive indexes.
        silence_until: the time at which the message is interrupted without another append.

    Raises:
        BadUserInput: the message would have too many bytes or pieces.
        Conflict: the message is not being written, pieces before these are missing, or a stored one differs.
        Forbidden: the caller does not write messages of its role.
        NotFound: the message is not within the scope.
    """
    key = f"stream\0{scope.user_id or ''}\0{chosen}"
    lock, queue = database.write_lock(key), database.append_queue(key)
    own = WaitingAppend(scope, pieces)
    queue.append(own)
    try:
        with bounded(database.write_deadline) as until:
            async with held(lock, until, database.write_deadline):
                if own.appended is not None:
                    return own.appended
                message = await find_meant(database, scope, chosen, {"_id", "sessionId", "seq", "memoryId", "role"})
                if message is None:
                    raise _unknown(chosen)
                scope.refuse_role(message["role"], "the role of the message")
                return await _append_together(database, message, _together(queue, own), silence_until)
    finally:
        queue.remove(own)


def _together(queue: Iterable[WaitingAppend], own: WaitingAppend) -> list[WaitingAppend]:
    """Return a call with the later calls whose pieces follow without a gap, up to the maximum of one call."""
    group = [own]
    count = len(own.pieces)
    for call in dropwhile(lambda call: call is not own, queue):
        if call is own:
            continue
        count += len(call.pieces)
        follows = call.pieces[0].index == group[-1].pieces[-1].index + 1
        if call.appended is not None or call.scope != own.scope or not follows or count > MOST_AT_ONCE:
            break
        group.append(call)
    return group


async def _append_together(
    database: Database, message: MessageDocument, group: Sequence[WaitingAppend], silence_until: datetime
) -> Appended:
    """Store the pieces of calls in one transaction; return the result of the first call.

    A call without a result stores its own pieces later, also after a transaction with an unknown outcome: stored
    pieces are left out.
    """
    pieces = [piece for call in group for piece in call.pieces]
    try:
        before = await write(database, partial(_append, database, message, pieces, silence_until))
    except (BadUserInput, Conflict):
        if len(group) == 1:
            raise
        return await _append_together(database, message, group[:1], silence_until)
    results = [Appended(message["_id"], max(before, call.pieces[-1].index + 1)) for call in group]
    for call, result in zip(group, results, strict=True):
        call.appended = result
    return results[0]


async def _append(
    database: Database, message: MessageDocument, pieces: Sequence[Piece], silence_until: datetime, tx: Transaction
) -> int:
    """Within a transaction, store the pieces that are not stored yet; return the index of the next piece before."""
    stream = await _taking(database, message, pieces, silence_until, tx)
    fresh = pieces
    if stream is None:
        same = {"_id": message["_id"], "memoryId": message["memoryId"]}
        stream = await database.streams.find_one(same, session=tx)
        if stream is None:
            raise await _ended(database, message, tx)
        fresh = await _fresh(database, stream, pieces, tx)
        size = stream["size"] + _size(fresh)
        _refuse_too_much(stream["nextIndex"] + len(fresh), size)
        change = {"nextIndex": stream["nextIndex"] + len(fresh), "size": size, "dueAt": silence_until}
        await database.streams.update_one(same, {"$set": change}, session=tx)
    if fresh:
        await database.pieces.insert_one(_document(stream, fresh), session=tx)
    return stream["nextIndex"]


async def _taking(
    database: Database, message: MessageDocument, pieces: Sequence[Piece], silence_until: datetime, tx: Transaction
) -> StreamDocument | None:
    """Count the pieces, if they are the next ones and not too many; return the stream before that, or else None."""
    size = _size(pieces)
    return await database.streams.find_one_and_update(
        {
            "_id": message["_id"],
            "memoryId": message["memoryId"],
            "nextIndex": {"$eq": pieces[0].index, "$lte": MOST_PIECES - len(pieces)},
            "size": {"$lte": MOST_BYTES - size},
        },
        {"$inc": {"nextIndex": len(pieces), "size": size}, "$set": {"dueAt": silence_until}},
        session=tx,
    )


def _size(pieces: Sequence[Piece]) -> int:
    return sum(piece.size for piece in pieces)


async def end_stream(database: Database, scope: Scope, chosen: str, ending: Ending) -> MessageDocument:
    """End a message that is being written, and delete its pieces; a message with the same end stays unchanged.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        chosen: the caller's uuid of the message.
        ending: the status and the text.

    Returns:
        The whole document.

    Raises:
        Conflict: the message is not being written, and it has not ended in the same way.
        Forbidden: the caller does not write messages of its role.
        NotFound: the message is not within the scope.
    """
    found = await find_meant(database, scope, chosen, {"_id", "sessionId"})
    if found is None:
        raise _unknown(chosen)
    uuid = found["_id"]

    async def attempt(tx: Transaction) -> MessageDocument:
        old, session = await message_with_session(database, scope, uuid, tx)
        scope.refuse_role(old["role"], "the role of the message")
        if is_streaming(old):
            return await _end(database, old, session, ending, tx)
        if old.get("status") == ending.status and ending.content in (None, old["content"]):
            return old
        raise await _ended(database, old, tx)

    return await write_session(database, found["sessionId"], attempt)


async def interrupt_silent(database: Database, count: Count) -> int:
    """End the streams whose writers are silent as interrupted, with the pieces that there are; return their number."""
    silent = await database.streams.find(
        {"dueAt": {"$lte": now()}}, {"sessionId": 1}, sort=[("dueAt", 1)], limit=_AT_ONCE
    )
    return sum([await _interrupt(database, stream, count) for stream in silent])


async def _interrupt(database: Database, stream: StreamDocument, count: Count) -> bool:
    async def attempt(tx: Transaction) -> bool:
        still = {"_id": stream["_id"], "dueAt": {"$lte": now()}}
        if await database.streams.find_one(still, {"_id": 1}, session=tx) is None:
            return False
        old, session = await message_with_session(database, EVERYTHING, stream["_id"], tx)
        await _end(database, old, session, Ending(MessageStatus.INTERRUPTED, count), tx)
        return True

    try:
        return await write_session(database, stream["sessionId"], attempt)
    except NotFound:  # an erasure is under way, which deletes the stream
        return False


async def _end(
    database: Database,
    old: MessageDocument,
    session: SessionDocument,
    ending: Ending,
    tx: Transaction,
) -> MessageDocument:
    """Within a transaction, store the text of a message, and make it due for its entities."""
    at, stamp = now(), stamp_of(next_revision(session), 1)
    content = await _text(database, old, tx) if ending.content is None else ending.content
    tokens = await ending.count(old["role"], content) + ending.part_tokens
    changes: MessageChanges = {
        "content": content,
        "metadata": merged_metadata(old["metadata"], ending.metadata),
        "tokenCount": tokens,
        "entities": [],
        "enrichment": pending(at),
        "status": ending.status.value,
        "updatedAt": max(at, old["updatedAt"]),
        "editedAt": at,
        "revision": next_revision(old),
        "sessionRevision": stamp["sessionRevision"],
        "partOfMany": stamp["partOfMany"],
    }
    if ending.parts is not None:
        pairs = pairs_of(ending.parts, old.get("toolCallId"))
        changes["parts"] = ending.parts
        changes["toolCalls"], changes["toolResults"] = pairs["toolCalls"], pairs["toolResults"]
    await forget_streams(database, [old], tx)
    await database.messages.update_one({"_id": old["_id"]}, {"$set": changes}, session=tx)
    await _count_tokens(database, old, tokens - old["tokenCount"], at, tx)
    return {**old, **changes}


async def _text(database: Database, message: MessageDocument, tx: Transaction) -> str:
    """Return the text of the pieces of a message."""
    of_message = {"sessionId": message["sessionId"], "seq": message["seq"]}
    found = await database.pieces.find(of_message, {"texts": 1}, sort=[("index", 1)], session=tx)
    return "".join(text for document in found for text in document["texts"])


async def _count_tokens(
    database: Database, message: MessageDocument, tokens: int, at: datetime, tx: Transaction
) -> None:
    await database.memories.update_one({"_id": message["memoryId"]}, {"$inc": {"tokenCount": tokens}}, session=tx)
    await database.sessions.update_one(
        {"_id": message["sessionId"]},
        {"$inc": {"tokenCount": tokens, "revision": 1}, "$max": {"updatedAt": at}},
        session=tx,
    )


async def _fresh(
    database: Database, stream: StreamDocument, pieces: Sequence[Piece], tx: Transaction
) -> Sequence[Piece]:
    """Return the pieces that are not stored yet.

    Raises:
        Conflict: pieces before these are missing, or a stored one differs.
    """
    expected, first = stream["nextIndex"], pieces[0].index
    if first > expected:
        message = f"the first piece has index {first}, and the next one of the message is {expected}: send that first"
        raise Conflict(message, expectedIndex=expected)
    if first == expected:
        return pieces
    found = await database.pieces.find(
        {"sessionId": stream["sessionId"], "seq": stream["seq"], "index": {"$gte": first}},
        {"index": 1, "texts": 1, "data": 1},
        sort=[("index", 1)],
        limit=len(pieces),  # each document has at least one piece
        session=tx,
    )
    stored = {piece.index: piece for document in found for piece in pieces_in(document)}
    for piece in pieces:
        before = stored.get(piece.index, piece)
        if before != piece:
            other = "text" if before.text != piece.text else "data"
            message = (
                f"piece {piece.index} was sent before with another {other}: the next one of the message is {expected}"
            )
            raise Conflict(message, expectedIndex=expected)
    return [piece for piece in pieces if piece.index >= expected]


def _refuse_too_much(count: int, size: int) -> None:
    if count > MOST_PIECES:
        message = f"the message would have {count:,} pieces, and at most {MOST_PIECES:,} are accepted: send longer ones"
        raise BadUserInput(message)
    if size > MOST_BYTES:
        raise BadUserInput(f"the message would have {size:,} bytes, and at most {MOST_BYTES:,} are accepted")


def _document(stream: StreamDocument, pieces: Sequence[Piece]) -> PiecesDocument:
    document: PiecesDocument = {
        "_id": f"{stream['memoryId']}:{pieces[0].index}",
        "messageId": stream["_id"],
        "memoryId": stream["memoryId"],
        "sessionId": stream["sessionId"],
        "seq": stream["seq"],
        "index": pieces[-1].index,
        "texts": [piece.text for piece in pieces],
    }
    if any(piece.data is not None for piece in pieces):
        document["data"] = [piece.data for piece in pieces]
    return document


async def _ended(database: Database, message: MessageDocument, tx: Transaction) -> Conflict | NotFound:
    """Return the error for a message that is not being written."""
    found = await database.messages.find_one({"_id": message["_id"]}, {"status": 1}, session=tx)
    if found is None:
        return _unknown(message["_id"])
    status = found.get("status", MessageStatus.COMPLETE.value)
    text = f"message {message['_id']} is not being written, its status is {status}: change it with updateMessage"
    return Conflict(text, status=status)


def _unknown(uuid: str) -> NotFound:
    return NotFound(f"there is no message {uuid}")
