"""Messages that are written piece by piece, as assistants answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from graph.errors import BadUserInput
from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.messages import check_own_role, check_said
from graph.operations.sessions import check_user_id
from graph.store import memories
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.documents import MessageDocument, new_uuid, now
from graph.store.memories import Added
from graph.store.scope import Scope
from graph.store.streams import typing_notices, writing
from graph.store.streams.documents import MessageStatus, Piece
from graph.store.streams.writing import Appended, Count, Ending

MAX_PIECE_BYTES = 65_536
MAX_PIECES_AT_ONCE = writing.MOST_AT_ONCE


@dataclass(frozen=True, slots=True)
class Started:
    """The result of a start.

    Attributes:
        uuid: identifies the message for the caller.
        added: the result of the addition of the message.
    """

    uuid: str
    added: Added


async def start_message(
    backend: Backend,
    scope: Scope,
    session_id: str,
    role: str,
    *,
    uuid: str | None = None,
    name: str | None = None,
    tool_call_id: str | None = None,
    metadata: object = None,
    user_id: str | None = None,
    parent_uuid: str | None = None,
    session_fields: Collection[str] = (),
) -> Started:
    """Add a message without a text to a session, which is created if it is new; the text follows in pieces.

    A repeated call with the same uuid changes nothing.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        session_id: the caller's id of the session.
        role: the role of the speaker.
        uuid: the caller's uuid for the message.
        name: the speaker.
        tool_call_id: the call that the message answers.
        metadata: any JSON object, stored with the message.
        user_id: the user that the session belongs to.
        parent_uuid: the message that it follows, as in `MessageToAdd`.
        session_fields: the paths to read of the session for `Added.session`.

    Raises:
        BadUserInput: an argument is refused; nothing was stored.
        Conflict: the session belongs to another user, or the uuid to another message.
        Forbidden: the caller may not write for the user, or may not write messages of the role.
    """
    validation.check_id(session_id, "sessionId")
    uuid = validation.check_optional(uuid, "uuid", validation.check_uuid) or new_uuid()
    message = NewMessage(
        check_own_role(scope, role, "role"),
        "",
        0,
        validation.check_metadata(metadata),
        uuid,
        name=validation.check_optional(name, "name", validation.check_speaker),
        tool_call_id=validation.check_optional(tool_call_id, "toolCallId", validation.check_id),
        parent_uuid=validation.check_optional(parent_uuid, "parentUuid", validation.check_uuid),
        silence_until=_silence_until(backend),
    )
    new = NewMemory(session_id, [message], user_id=check_user_id(scope, user_id))
    return Started(uuid, await memories.add_memory(backend.database, scope, new, session_fields))


async def append_pieces(backend: Backend, scope: Scope, uuid: str, sent: Sequence[Piece]) -> Appended:
    """Check and store the next pieces of a message; stored pieces may be sent again.

    Raises:
        BadUserInput: a piece is refused; nothing was stored.
        Conflict: the message is not being written, pieces before these are missing, or a stored one differs.
        Forbidden: the caller may not write messages of its role.
        NotFound: the message is not in the caller's scope.
    """
    uuid = validation.check_uuid(uuid, "uuid")
    pieces = _check_pieces(sent)
    return await writing.append_pieces(backend.database, scope, uuid, pieces, _silence_until(backend))


async def finish_message(
    backend: Backend,
    scope: Scope,
    uuid: str,
    *,
    content: str | None = None,
    parts: Sequence[object] | None = None,
    metadata: object = None,
) -> MessageDocument:
    """End a message as complete; without content and parts, its text is that of the pieces.

    Raises:
        BadUserInput: an argument is refused.
        Conflict: the message is not being written, and was not finished with the same content.
        Forbidden: the caller may not write messages of its role.
        NotFound: the message is not in the caller's scope.
    """
    content, checked = check_said(content, parts)
    (part_tokens,) = await backend.tokens.count_parts_async([checked or ()])
    patch = None if metadata is None else validation.check_metadata(metadata)
    ending = Ending(MessageStatus.COMPLETE, _counting(backend), content, checked, patch, part_tokens)
    return await _end(backend, scope, uuid, ending)


async def abort_message(backend: Backend, scope: Scope, uuid: str) -> MessageDocument:
    """End a message as aborted, with the text of the pieces.

    Raises:
        Conflict: the message is neither being written nor aborted.
        Forbidden: the caller may not write messages of its role.
        NotFound: the message is not in the caller's scope.
    """
    return await _end(backend, scope, uuid, Ending(MessageStatus.ABORTED, _counting(backend)))


async def note_typing(backend: Backend, scope: Scope, session_id: str, name: str | None, *, typing: bool) -> bool:
    """Tell subscribers that the caller writes in a session, or no longer does; return whether the notice goes out.

    Raises:
        BadUserInput: an argument is refused.
        NotFound: the session is not in the caller's scope.
    """
    validation.check_id(session_id, "sessionId")
    name = validation.check_optional(name, "name", validation.check_speaker)
    return await typing_notices.note_typing(backend.database, scope, session_id, name, typing=typing)


async def _end(backend: Backend, scope: Scope, uuid: str, ending: Ending) -> MessageDocument:
    uuid = validation.check_uuid(uuid, "uuid")
    return await writing.end_stream(backend.database, scope, uuid, ending)


def _counting(backend: Backend) -> Count:
    """Return a counter of tokens that counts a text once, since a write conflict repeats the transaction."""
    counted: dict[tuple[str, str], int] = {}

    async def count(role: str, content: str) -> int:
        if (role, content) not in counted:
            counted[role, content] = await backend.tokens.count_message_async(role, content)
        return counted[role, content]

    return count


def _silence_until(backend: Backend) -> datetime:
    return now() + timedelta(seconds=backend.settings.stream_timeout)


def _check_pieces(sent: Sequence[Piece]) -> list[Piece]:
    if not 1 <= len(sent) <= MAX_PIECES_AT_ONCE:
        raise BadUserInput(f"pieces has {len(sent):,} items, and 1 to {MAX_PIECES_AT_ONCE:,} are accepted")
    first = sent[0].index
    if first < 0:
        raise BadUserInput(f"the index of a piece must be 0 or more, not {first}")
    for place, piece in enumerate(sent):
        if piece.index != first + place:
            message = f"pieces[{place}].index is {piece.index}, and after {first + place - 1} comes {first + place}"
            raise BadUserInput(message)
        for name, value in (("text", piece.text), ("data", piece.data or "")):
            validation.check_text(value, f"pieces[{place}].{name}", most_bytes=MAX_PIECE_BYTES, empty=True, nul=True)
    return list(sent)
