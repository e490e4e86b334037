"""The plan of an add: pure functions of the new memory and of the stored documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from graph.errors import Conflict, ErasureUnderWay
from graph.store.documents import JSONObject, MemoryDocument, MessageDocument, SessionChanges, SessionDocument, new_uuid
from graph.store.editing.edits import Edit
from graph.store.editing.merge import merged_metadata
from graph.store.expectations import NOTHING_EXPECTED, ExpectedSession
from graph.store.expiry import Expiry
from graph.store.jobs import erasure
from graph.store.scope import Scope
from graph.store.sessions import refuse_other_user, refuse_unseen
from graph.store.visible import Visible

NIL: Final = "00000000-0000-0000-0000-000000000000"
"""As the uuid of a parent: the beginning of the session."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A checked message to be stored.

    Attributes:
        uuid: the caller's UUID in canonical form; None for a new one.
        token_count: tokens of `"{role}: {content}"` and of the other parts.
        created_at: the time of the message; None for now.
        name: the speaker.
        tool_call_id: the call that it answers.
        parts: the content as model APIs have it.
        parent_uuid: the caller's UUID of the message that it follows; `NIL` for the beginning of the session, None for
            the message before it in the call, or else the head.
        silence_until: of a message whose text comes in pieces, the time at which it is interrupted without a piece.
    """

    role: str
    content: str
    token_count: int
    metadata: JSONObject = field(default_factory=dict)
    uuid: str | None = None
    created_at: datetime | None = None
    name: str | None = None
    tool_call_id: str | None = None
    parts: list[JSONObject] | None = None
    parent_uuid: str | None = None
    silence_until: datetime | None = None

    @property
    def edit(self) -> Edit:
        """Return the changes to the stored message with the same uuid."""
        return Edit(self.role, self.content, self.metadata, self.name, self.tool_call_id, self.parts)


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A checked memory to be stored: at least one message.

    Attributes:
        digest: a digest of the payload, to compare payloads with the same idempotency key.
        expected: the session that the caller has read.
        replaces_from: the number from which on the session's messages are deleted; None to delete no message.
        keeps_pairs: whether the result of a tool without its call, and a deletion of a result alone, are refused.
        expiry: the expiry of the session after the add; None leaves it unchanged.
        uuid: the memory's UUID, chosen before the first attempt, so that a memory stored by an attempt can be found.
    """

    session_id: str
    messages: Sequence[NewMessage]
    metadata: JSONObject = field(default_factory=dict)
    user_id: str | None = None
    idempotency_key: str | None = None
    digest: str | None = None
    expected: ExpectedSession = NOTHING_EXPECTED
    replaces_from: int | None = None
    keeps_pairs: bool = False
    expiry: Expiry | None = None
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class ExistingDocuments:
    """The stored documents that an add depends on, read in the transaction of the add.

    Attributes:
        earlier: the memory that was stored with the same idempotency key; if there is one, no messages are read.
        messages: the messages of the session with a sent uuid, by uuid.
        foreign: a message of another session with a sent uuid, and that session.
        session: the session; read only where a memory or messages are known.
        memory: the memory of one of the messages; read only for a replacement.
    """

    earlier: MemoryDocument | None = None
    messages: Mapping[str, MessageDocument] = field(default_factory=dict)
    foreign: tuple[MessageDocument, SessionDocument | None] | None = None
    session: SessionDocument | None = None
    memory: MemoryDocument | None = None


Edits: TypeAlias = tuple[tuple[MessageDocument, NewMessage], ...]
"""Stored messages, each with its new version."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Change nothing: the same was added before.

    Attributes:
        memory_id: the memory to return.
        session: the stored session.
    """

    memory_id: str
    session: SessionDocument


@dataclass(frozen=True, slots=True)
class Update:
    """Change stored messages or the session, and add no message.

    Attributes:
        memory_id: the memory to return, which holds the first message that was sent.
        session: the stored session.
        edits: the messages that differ.
        session_changes: the new values of the session's fields.
    """

    memory_id: str
    session: SessionDocument
    edits: Edits
    session_changes: SessionChanges


@dataclass(frozen=True, slots=True)
class Append:
    """Add messages in a memory of their own, and change stored ones that were sent with them.

    Attributes:
        fresh: the messages to add, in order; at least one.
        edits: the messages that differ.
    """

    fresh: tuple[NewMessage, ...]
    edits: Edits


def plan_add(new: NewMemory, existing: ExistingDocuments, scope: Scope) -> Replay | Update | Append:
    """Plan the addition of a memory.

    Raises:
        BadUserInput: the metadata would exceed the maximum size, or a stored message with parts would get another text
            without parts.
        Conflict: the session belongs to another user, a message uuid to another session, or the idempotency key to
            another payload.
        ErasureUnderWay: the stored session or messages are being erased.
        Forbidden: the session is not the caller's, or a message that would change has a role that the caller does not
            write.
    """
    if existing.foreign is not None:
        _refuse_foreign(*existing.foreign)
    if existing.earlier is not None:
        return _replay(new, existing.earlier, _session(new, existing, scope, existing.earlier["firstSeq"]))
    if not existing.messages:
        return Append(tuple(new.messages), ())
    session = _session(new, existing, scope, min(message["seq"] for message in existing.messages.values()))
    fresh = tuple(message for message in new.messages if message.uuid not in existing.messages)
    edits = _edits(new, existing, scope)
    if fresh:
        return Append(fresh, edits)
    memory_id = existing.messages[new.messages[0].uuid or ""]["memoryId"]
    changes = session_changes(session, new, scope)
    return Update(memory_id, session, edits, changes) if edits or changes else Replay(memory_id, session)


def plan_replacement(new: NewMemory, existing: ExistingDocuments, scope: Scope) -> Replay | Append:
    """Plan the addition of a memory whose messages replace others of the session: they must be new to the session.

    Raises:
        Conflict: a message uuid is in use, other than by the same replacement; or as `plan_add` raises it.
    """
    plan = plan_add(new, existing, scope)
    if isinstance(plan, Append) and not existing.messages:
        return plan
    if isinstance(plan, Replay) and (existing.earlier is not None or _is_same_replacement(new, existing)):
        return plan
    message = (
        f"the session has message {next(iter(existing.messages))} already, and a replacement adds new messages: leave"
        " uuid out, or send new ones"
    )
    raise Conflict(message)


def plan_start(new: NewMemory, existing: ExistingDocuments, scope: Scope) -> Replay | Append:
    """Plan the addition of one message whose text comes in pieces.

    Raises:
        Conflict: the message uuid is in use, other than by the same start; or as `plan_add` raises it.
    """
    if existing.foreign is not None:
        _refuse_foreign(*existing.foreign)
    if not existing.messages:
        return Append(tuple(new.messages), ())
    (sent,), (stored,) = new.messages, existing.messages.values()
    session = _session(new, existing, scope, stored["seq"])
    same = (stored["role"], stored.get("name"), stored.get("toolCallId")) == (sent.role, sent.name, sent.tool_call_id)
    if "status" in stored and same:
        return Replay(stored["memoryId"], session)
    message = (
        f"the session has message {stored['_id']} already, and it was not started with the same role, name and"
        " toolCallId: leave uuid out, or send a new one"
    )
    raise Conflict(message)


def _is_same_replacement(new: NewMemory, existing: ExistingDocuments) -> bool:
    memory = existing.memory
    return (
        memory is not None
        and memory.get("replacesFrom") == new.replaces_from
        and memory["lastSeq"] - memory["firstSeq"] + 1 == len(new.messages)
        and all(message["memoryId"] == memory["_id"] for message in existing.messages.values())
    )


def session_changes(session: SessionDocument, new: NewMemory, scope: Scope) -> SessionChanges:
    """Return the changes of an add to an existing session, without the changes of its counts.

    Raises:
        BadUserInput: the metadata would exceed the maximum size.
    """
    changes: SessionChanges = {}
    user_id = user_of(new, scope)
    if user_id is not None and session.get("userId") is None:
        changes["userId"] = user_id
    if (metadata := merged_metadata(session["metadata"], new.metadata)) is not session["metadata"]:
        changes["metadata"] = metadata
    if new.expiry is not None:
        changes.update(new.expiry.changes(session))
    return changes


def user_of(new: NewMemory, scope: Scope) -> str | None:
    """Return the user of the session after the add."""
    return new.user_id or scope.user_id


def tokens_added(edits: Edits, fresh: Sequence[NewMessage] = ()) -> int:
    """Return the number of tokens that a session gains."""
    changed = sum(message.token_count - old["tokenCount"] for old, message in edits)
    return changed + sum(message.token_count for message in fresh)


def refuse_other_owner(session: SessionDocument, new: NewMemory, scope: Scope) -> None:
    """Refuse to add to a session, read with `userId`, of another user.

    Raises:
        Conflict: the session belongs to another user than the add names.
        Forbidden: the session is outside the scope.
    """
    refuse_unseen(scope, session)
    refuse_other_user(session, user_of(new, scope))


def _edits(new: NewMemory, existing: ExistingDocuments, scope: Scope) -> Edits:
    sent = [(existing.messages.get(message.uuid or ""), message) for message in new.messages]
    edits = tuple((old, message) for old, message in sent if old is not None and message.edit.changes(old))
    for old, _ in edits:
        scope.refuse_role(old["role"], f"the role of message {old['_id']}")
    return edits


def _replay(new: NewMemory, earlier: MemoryDocument, session: SessionDocument) -> Replay:
    # Old memories have no digest.
    if earlier.get("payloadDigest", new.digest) != new.digest:
        raise Conflict(
            "idempotencyKey was sent before in this session with another payload: send that payload again, or a new key"
        )
    return Replay(earlier["_id"], session)


def _session(new: NewMemory, existing: ExistingDocuments, scope: Scope, seq: int) -> SessionDocument:
    """Return the session, after a check that the number is not erased."""
    if existing.session is None:
        raise ErasureUnderWay(erasure.session_job(new.session_id))
    refuse_other_owner(existing.session, new, scope)
    if _is_erased(existing.session, seq):
        raise ErasureUnderWay(erasure.session_job(new.session_id))
    return existing.session


def _refuse_foreign(message: MessageDocument, session: SessionDocument | None) -> None:
    """Refuse a uuid of another session; if its message is being erased, the uuid is free after the erasure."""
    if session is None or _is_erased(session, message["seq"]):
        raise ErasureUnderWay(erasure.session_job(message["sessionId"]))
    text = f"message uuid {message['_id']} is already in use: leave uuid out, or send a new one"
    raise Conflict(text)


def plan_of(new: NewMemory, existing: ExistingDocuments, scope: Scope) -> Replay | Update | Append:
    """Plan an addition, a replacement or a start; raises as `plan_add`, `plan_replacement` and `plan_start`."""
    if new.replaces_from is not None:
        return plan_replacement(new, existing, scope)
    is_start = any(message.silence_until is not None for message in new.messages)
    return (plan_start if is_start else plan_add)(new, existing, scope)


def _is_erased(session: SessionDocument, seq: int) -> bool:
    return not Visible.of(session).sees(seq)
