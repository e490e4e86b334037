"""Addition of messages to a session."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from graph.errors import BadUserInput, Unavailable
from graph.operations import validation
from graph.operations.answered import NOTHING_ANSWERED, Answered
from graph.operations.backend import Backend
from graph.operations.concurrency import Yielder
from graph.operations.messages import check_own_role, check_said
from graph.operations.payload import digest_of_call
from graph.operations.sessions import check_expected, check_expiry, check_user_id
from graph.operations.times import check_past
from graph.store import memories, messages
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.driver.availability import until_zero
from graph.store.driver.client import time_limit
from graph.store.expectations import NOTHING_EXPECTED, ExpectedSession
from graph.store.expiry import Expiry
from graph.store.memories import Added
from graph.store.scope import Scope
from graph.store.visible import Visible
from graph.telemetry.steps import waiting

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MessageToAdd:
    """A message as a caller sends it, unchecked.

    Attributes:
        content: the text; None for the text of the parts.
        created_at: the time of the message, UTC; None for now.
        name: the speaker.
        tool_call_id: the call that it answers.
        parts: the content as model APIs have it; None for no parts.
        parent_uuid: the message that it follows, or the nil UUID for the beginning of the session; None for the one
            before it in the call, or else the head.
    """

    role: str
    content: str | None
    metadata: Any = None
    uuid: str | None = None
    created_at: datetime | None = None
    name: str | None = None
    tool_call_id: str | None = None
    parts: Sequence[object] | None = None
    parent_uuid: str | None = None


async def add_memory(
    backend: Backend,
    scope: Scope,
    session_id: str,
    sent: Sequence[MessageToAdd],
    *,
    metadata: object = None,
    user_id: str | None = None,
    idempotency_key: str | None = None,
    await_entities: bool = False,
    session_fields: Collection[str] = (),
    answered: Answered = NOTHING_ANSWERED,
    expected: ExpectedSession = NOTHING_EXPECTED,
    expiry: Expiry | None = None,
) -> Added:
    """Add messages to a session, which is created if it is new.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        session_id: the caller's id of the session, at most 512 bytes.
        sent: 1 to 1,000 messages.
        metadata: any JSON object; stored with the memory and merged into the session's metadata.
        user_id: the user that the session belongs to; created if it is new.
        idempotency_key: a retry with the same key returns the result of the first call.
        await_entities: wait until the entities are extracted, at most `await_entities_timeout` seconds. A
            failure ends the wait, and the stored memory is returned.
        session_fields: the paths to read of the session for `Added.session`.
        answered: the parts of messages in the answer; an add whose messages do not fit into an answer is refused.
        expected: the session that the caller has read; the revision 0 is that of a new one.
        expiry: the expiry of the session after the add; None leaves it unchanged.

    Raises:
        BadUserInput: an argument is refused; nothing was stored.
        Conflict: the session belongs to another user or is not the expected one, a message uuid belongs to another
            session, or the idempotency key to another payload.
        Forbidden: the caller may not write for the user, or may not write messages of a role that is sent or changed.
        OutcomeUnknown: the database did not confirm whether the memory is stored.
        TooCostly: the messages do not fit into the answer; nothing was stored.
        Unavailable: the database does not answer; nothing was stored.
    """
    validation.check_id(session_id, "sessionId")
    check_user_id(scope, user_id)
    if idempotency_key is not None:
        validation.check_id(idempotency_key, "idempotencyKey")
    messages_ = await check_messages(backend, scope, sent)
    metadata = validation.check_metadata(metadata)
    expiry = check_expiry(expiry)
    new = NewMemory(
        session_id,
        messages_,
        metadata,
        user_id,
        idempotency_key,
        await digest_of_call(idempotency_key, messages_, metadata, user_id, expiry=expiry),
        check_expected(expected),
        keeps_pairs=backend.settings.tool_pairs,
        expiry=expiry,
    )
    added = await memories.add_memory(backend.database, scope, new, session_fields, answered)
    if await_entities:
        await _wait_for_entities(backend, added)
    return added


async def check_messages(backend: Backend, scope: Scope, sent: Sequence[MessageToAdd]) -> list[NewMessage]:
    """Return the checked messages with their numbers of tokens.

    Raises:
        BadUserInput: a message is refused.
        Forbidden: the caller may not write messages of a role that is sent.
    """
    if not sent:
        raise BadUserInput("messages must hold at least one message")
    if len(sent) > validation.MAX_MESSAGES:
        raise BadUserInput(f"messages has {len(sent):,} items, and at most {validation.MAX_MESSAGES:,} are accepted")
    seen: set[str] = set()
    checked: list[NewMessage] = []
    yielder = Yielder()
    for place, message in enumerate(sent):
        await yielder.yield_if_due()
        name = f"messages[{place}]"
        uuid = None if message.uuid is None else validation.check_uuid(message.uuid, f"{name}.uuid")
        if uuid is not None and uuid in seen:
            raise BadUserInput(f"{name}.uuid is sent twice in one call")
        if uuid is not None:
            seen.add(uuid)
        role = check_own_role(scope, message.role, f"{name}.role")
        content, parts = check_said(message.content, message.parts, f"{name}.")
        if content is None:
            raise BadUserInput(f"{name} has neither content nor parts: send one of them, or both")
        checked.append(
            NewMessage(
                role,
                content,
                0,
                validation.check_metadata(message.metadata, f"{name}.metadata"),
                uuid,
                None if message.created_at is None else check_past(message.created_at, f"{name}.createdAt"),
                validation.check_optional(message.name, f"{name}.name", validation.check_speaker),
                validation.check_optional(message.tool_call_id, f"{name}.toolCallId", validation.check_id),
                parts,
                validation.check_optional(message.parent_uuid, f"{name}.parentUuid", validation.check_uuid),
            )
        )
    await yielder.yield_if_due()
    return await _counted(backend, checked)


async def _counted(backend: Backend, messages: Sequence[NewMessage]) -> list[NewMessage]:
    """The messages with their numbers of tokens."""
    tokens = backend.tokens
    of_texts = await tokens.count_messages_async([(message.role, message.content) for message in messages])
    of_parts = await tokens.count_parts_async([message.parts or () for message in messages])
    counts = zip(messages, of_texts, of_parts, strict=True)
    return [replace(message, token_count=text + parts) for message, text, parts in counts]


async def _wait_for_entities(backend: Backend, added: Added) -> None:
    """Wait until no message of the memory is pending, or until the timeout.

    The memory is stored already, and an error would make the client send it again, so an error only ends the wait.
    """
    limit = backend.settings.await_entities_timeout
    memory = added.memory
    count = partial(messages.count_pending, backend.database, Visible.of_memory(memory), memory["lastSeq"])
    try:
        with waiting(), time_limit(limit):
            await until_zero(count, seconds=limit)
    except Unavailable as error:
        logger.info("a wait for entities ends early: %s", error)
    except Exception:
        logger.exception("a wait for entities ends early")
