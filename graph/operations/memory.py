"""Adding to a session's memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.errors import BadUserInput
from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.sessions import check_user_id
from graph.store import memories, messages
from graph.store.memories import Added, NewMemory, NewMessage
from graph.store.scope import Scope


@dataclass(frozen=True, slots=True)
class MessageToAdd:
    """A message as a caller sends it, unchecked.

    Attributes:
        created_at: when it was said, for a message that was kept elsewhere until now; UTC, in whole milliseconds.
    """

    role: str
    content: str
    metadata: Any = None
    uuid: str | None = None
    created_at: datetime | None = None


async def add_memory(
    backend: Backend,
    scope: Scope,
    session_id: str,
    sent: Sequence[MessageToAdd],
    *,
    metadata: Any = None,
    user_id: str | None = None,
    idempotency_key: str | None = None,
    await_entities: bool = False,
) -> Added:
    """Add messages to a session, which is made where it is new.

    Args:
        backend: the open parts of this process.
        scope: what the caller may see.
        session_id: the caller's id of the session, at most 512 bytes.
        sent: 1 to 1,000 messages.
        metadata: any JSON object; kept with the memory and merged into the session's.
        user_id: the user that the session belongs to; made where it is new.
        idempotency_key: a retry with the same key returns what the first call did.
        await_entities: wait until the entities are extracted, at most `await_entities_timeout` seconds.

    Raises:
        BadUserInput: something is not accepted; nothing was stored.
        Conflict: the session belongs to another user, or a message uuid to another session.
        Forbidden: the caller may not write for that user.
        Unavailable: the database does not answer.
    """
    validation.check_id(session_id, "sessionId")
    check_user_id(scope, user_id)
    if idempotency_key is not None:
        validation.check_id(idempotency_key, "idempotencyKey")
    new = NewMemory(
        session_id=session_id,
        messages=await _checked_messages(backend, sent),
        metadata=validation.check_metadata(metadata),
        user_id=user_id,
        idempotency_key=idempotency_key,
    )
    added = await memories.add_memory(backend.database, scope, new)
    if await_entities:
        await _wait_for_entities(backend, added)
    return added


async def _checked_messages(backend: Backend, sent: Sequence[MessageToAdd]) -> list[NewMessage]:
    if not sent:
        raise BadUserInput("messages must hold at least one message")
    if len(sent) > validation.MAX_MESSAGES:
        raise BadUserInput(f"messages has {len(sent):,} items, and at most {validation.MAX_MESSAGES:,} are accepted")
    seen: set[str] = set()
    checked = []
    for place, message in enumerate(sent):
        name = f"messages[{place}]"
        uuid = None if message.uuid is None else validation.check_uuid(message.uuid, f"{name}.uuid")
        if uuid is not None and uuid in seen:
            raise BadUserInput(f"{name}.uuid is sent twice in one call")
        if uuid is not None:
            seen.add(uuid)
        checked.append(
            MessageToAdd(
                validation.check_role(message.role, f"{name}.role"),
                validation.check_content(message.content, f"{name}.content"),
                validation.check_metadata(message.metadata, f"{name}.metadata"),
                uuid,
                message.created_at,
            )
        )
    counts = await backend.tokens.count_messages_async([(message.role, message.content) for message in checked])
    return [
        NewMessage(message.role, message.content, count, message.metadata, message.uuid, message.created_at)
        for message, count in zip(checked, counts, strict=True)
    ]


async def _wait_for_entities(backend: Backend, added: Added) -> None:
    """Return when no message of the memory is pending any more, or when the limit is reached."""
    until = time.monotonic() + backend.settings.await_entities_timeout
    pause = 0.01
    memory = added.memory
    while (
        await messages.count_pending(backend.database, memory["sessionId"], memory["firstSeq"], memory["lastSeq"])
        and time.monotonic() + pause < until
    ):
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.25)
