"""Changes of the newest messages of a session."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.operations import validation
from graph.operations.answered import NOTHING_ANSWERED, Answered
from graph.operations.backend import Backend
from graph.operations.memory import MessageToAdd, check_messages
from graph.operations.payload import digest_of_call
from graph.operations.sessions import check_expected
from graph.store import memories
from graph.store.adding.add_plan import NewMemory
from graph.store.documents import MessageDocument
from graph.store.editing import newest as store
from graph.store.expectations import NOTHING_EXPECTED, ExpectedSession
from graph.store.memories import Added
from graph.store.scope import Scope


async def pop_message(
    backend: Backend,
    scope: Scope,
    session_id: str,
    *,
    expected: ExpectedSession = NOTHING_EXPECTED,
    answered: Answered = NOTHING_ANSWERED,
) -> MessageDocument | None:
    """Delete the newest message of a session, and the summaries that cover it.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        session_id: the caller's id of the session.
        expected: the session that the caller has read.
        answered: the parts of the message in the answer; a message that does not fit into an answer is not deleted.

    Returns:
        The deleted document; None if the session has no message.

    Raises:
        BadUserInput: `session_id` is not a valid id.
        Conflict: the session is not the one that the caller has read.
        Forbidden: the caller may not write messages of its role.
        NotFound: the session is not in the caller's scope.
    """
    validation.check_id(session_id, "sessionId")
    return await store.pop_message(
        backend.database,
        scope,
        session_id,
        check_expected(expected),
        answered.refuse_stored,
        keeps_pairs=backend.settings.tool_pairs,
    )


async def replace_from(
    backend: Backend,
    scope: Scope,
    session_id: str,
    seq: int,
    sent: Sequence[MessageToAdd],
    *,
    idempotency_key: str | None = None,
    expected: ExpectedSession = NOTHING_EXPECTED,
    session_fields: Collection[str] = (),
    answered: Answered = NOTHING_ANSWERED,
) -> Added:
    """Delete the messages of a session from a number on, and add others, in one transaction.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        session_id: the caller's id of the session.
        seq: the number of the first message that is deleted; the new messages get later numbers than all deleted ones.
        sent: 1 to 1,000 messages, which must be new to the session.
        idempotency_key: a retry with the same key returns the result of the first call.
        expected: the session that the caller has read.
        session_fields: the paths to read of the session for `Added.session`.
        answered: the parts of new messages in the answer.

    Raises:
        BadUserInput: an argument is refused, or more messages would be deleted than one transaction takes.
        Conflict: the session is not the one that the caller has read, a message uuid is in use, or the idempotency key
            belongs to another payload.
        Forbidden: the caller may not write messages of the role of a deleted or a new message.
        NotFound: the session is not in the caller's scope.
        OutcomeUnknown: the database did not confirm whether the messages are stored.
    """
    validation.check_id(session_id, "sessionId")
    validation.check_optional(idempotency_key, "idempotencyKey", validation.check_id)
    validation.check_seq(seq)
    messages = await check_messages(backend, scope, sent)
    new = NewMemory(
        session_id,
        messages,
        idempotency_key=idempotency_key,
        digest=await digest_of_call(idempotency_key, messages, {}, None, replaces_from=seq),
        expected=check_expected(expected),
        replaces_from=seq,
        keeps_pairs=backend.settings.tool_pairs,
    )
    return await memories.add_memory(backend.database, scope, new, session_fields, answered)
