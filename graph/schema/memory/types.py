"""Memories: the session memory, and the persisted memory of each `addMemory`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graph.execution.fields import as_source, computed, resolved, stored
from graph.execution.selection import Selection
from graph.execution.size import Size
from graph.operations.entities import entities_of_memory
from graph.operations.memories import messages_of_memory
from graph.operations.memory_window import (
    find_session_memory,
    omitted_messages,
    recalled_memory,
    recalled_messages,
)
from graph.operations.pages import read_page
from graph.operations.summaries import newest_summary
from graph.operations.validation import MAX_LAST, MAX_MESSAGES, check_first
from graph.schema.context import Info
from graph.schema.entities.listing import Labels
from graph.schema.entities.types import Entity
from graph.schema.messages.types import Message
from graph.schema.node import DocumentType, Node, global_id
from graph.schema.relay import LIST, FirstOfList
from graph.schema.scalars import JSON, UUID
from graph.schema.summaries import Summary
from graph.store.documents import Document
from graph.store.reading.keyset import Window
from graph.store.visible import Visible

if TYPE_CHECKING:
    from graph.schema.sessions.types import Session


def _is_persisted(memory: Document) -> bool:
    """Whether the source is a persisted memory, and not a session memory."""
    return "firstSeq" in memory


def _id(memory: Document) -> strawberry.ID:
    key = f"m:{memory['uuid']}" if _is_persisted(memory) else f"s:{memory['sessionId']}"
    return global_id("Memory", key)


def _messages(memory: Document) -> list[Message]:
    """Return the messages that were read with the memory, for its arguments."""
    found: list[Message] = memory["messages"]
    return found


@strawberry.type(
    description="A session memory (`memory(sessionId:)`, `Session.memory`), or the persisted memory of one `addMemory`"
    " (`Session.memories`, `AddMemoryPayload.memory`)."
)
class Memory(Node, DocumentType):
    """The source is a document of `memories` with its `_id` as `uuid`, or a session shaped like one."""

    id: strawberry.ID = computed(_id, "uuid", "sessionId", "firstSeq", description="Opaque global id.")
    uuid: UUID = stored("uuid", description="UUID of the memory; of the session for a session's memory.")
    created_at: datetime = stored("createdAt", description="Time at which the memory was first added.")
    token_count: int = computed(
        lambda memory: memory["tokenCount"],
        "tokenCount",
        *Visible.MEMORY_FIELDS,
        description="Number of tokens of all its messages; for a session memory, of the path to `Session.head`.",
    )
    metadata: JSON = stored(
        "metadata", description="The JSON object sent with `addMemory`; for a session memory, the session's metadata."
    )

    @resolved("sessionId", description="The session of the memory.")
    async def session(
        root: strawberry.Parent[Any], info: Info
    ) -> Annotated[Session, strawberry.lazy("graph.schema.sessions.types")]:
        found = await info.context.session(root["sessionId"], {"_id", *Selection.of(info).reads()})
        return as_source(found)

    @resolved(
        *Visible.MEMORY_FIELDS,
        description="The newest summary of the session; null before the first is written.",
    )
    async def summary(root: strawberry.Parent[Any], info: Info) -> Summary | None:
        visible = Visible.of_memory(root)
        if _is_persisted(root):
            session = await info.context.session(root["sessionId"], Visible.HEAD_FIELDS)
            if session is None:
                return None
            visible = Visible.of_head(session)
        found = await newest_summary(info.context.backend, visible, Selection.of(info).reads())
        return as_source(found)

    @resolved(
        *Visible.MEMORY_FIELDS,
        "lastSeq",
        "summarySeq",
        description="Its messages, oldest first. For a session memory: the messages that the newest summary does not"
        " cover, at most the message window (12 by default).",
        read=_messages,
        size=Size(MAX_LAST, MAX_MESSAGES, ("last",)),
    )
    async def messages(
        root: strawberry.Parent[Any],
        info: Info,
        last: Annotated[
            int | None, strawberry.argument(description="Return the newest N messages instead (0 to 1,000).")
        ] = None,
    ) -> list[Message]:
        if "messages" in root:
            return _messages(root)
        backend, fields = info.context.backend, Selection.of(info).reads()
        if _is_persisted(root):
            found = await messages_of_memory(backend, root, fields, last=last)
        else:
            visible, summary_seq = Visible.of_memory(root), root.get("summarySeq", 0)
            found = await recalled_messages(backend, visible, summary_seq, fields, last=last)
        return as_source(found)

    @resolved(
        *Visible.MEMORY_FIELDS,
        "summarySeq",
        description="For a session memory: the number of messages between the newest summary and the first of"
        " `messages` (without `last`); 0 for a persisted memory.",
    )
    async def omitted_messages(root: strawberry.Parent[Any], info: Info) -> int:
        if _is_persisted(root):
            return 0
        return await omitted_messages(info.context.backend, Visible.of_memory(root), root.get("summarySeq", 0))

    @resolved(
        *Visible.MEMORY_FIELDS,
        "uuid",
        "lastSeq",
        description="Names in its messages, merged by label and name, most mentioned first; for a session memory, as"
        " `Session.entities`.",
        size=LIST,
    )
    async def entities(
        root: strawberry.Parent[Any],
        info: Info,
        labels: Labels = None,
        first: FirstOfList = None,
    ) -> list[Entity]:
        backend, limit = info.context.backend, check_first(first)
        if not limit:
            return []
        if not _is_persisted(root):
            listing = await info.context.session_entities(Visible.of_memory(root), labels=labels)
            page = await read_page(listing, Window(limit), Selection.of(info).reads(), whole=True)
            return as_source(page.items)
        return as_source(await entities_of_memory(backend, root, labels=labels, limit=limit))


MESSAGES_OF_SESSION = {"messages": Size(MAX_LAST, setting="message_window")}
"""The size of a list of messages below a field with a session memory."""


async def session_memory(info: Info, session_id: str) -> Document | None:
    """Return a session memory as the source of the current field, with its messages if they are selected once."""
    context, selected = info.context, Selection.of(info)
    messages_ = selected.sole("messages")
    last = messages_[1].get("last") if messages_ else None
    if messages_ is None or not (last is None or 0 < last <= MAX_LAST):
        return await find_session_memory(context.backend, context.scope, session_id, selected.reads())
    return await recalled_memory(
        context.backend, context.scope, session_id, selected.reads(), messages_[0].reads(), last=last
    )
