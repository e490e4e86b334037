"""Memories: what a session remembers as one, and what each `addMemory` persisted."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graph.execution.fields import as_source, computed, resolved, stored
from graph.execution.selection import Selection
from graph.execution.size import Size
from graph.operations.memory_window import recalled_memory, recalled_messages
from graph.operations.validation import MAX_LAST, MAX_MESSAGES, check_first, check_last
from graph.schema.context import Info
from graph.schema.entities.types import Entity
from graph.schema.messages.types import Message
from graph.schema.node import DocumentType, Node, global_id
from graph.schema.relay import LIST, FirstOfList
from graph.schema.scalars import JSON, UUID
from graph.schema.summaries import Summary
from graph.store import keyset, messages, summaries
from graph.store.documents import Document
from graph.store.entities import reading as entities
from graph.store.entities.owners import session_owner
from graph.store.sessions import find_session_memory
from graph.store.visible import Visible

if TYPE_CHECKING:
    from graph.schema.sessions.types import Session


def _is_persisted(memory: Document) -> bool:
    """Whether the source is one persisted memory, and not a session's memory as one."""
    return "firstSeq" in memory


def _id(memory: Document) -> strawberry.ID:
    key = f"m:{memory['uuid']}" if _is_persisted(memory) else f"s:{memory['sessionId']}"
    return global_id("Memory", key)


def _messages(memory: Document) -> list[Message]:
    """Those that were read with the memory, as the arguments say."""
    found: list[Message] = memory["messages"]
    return found


@strawberry.type(
    description="A session's memory as one (`memory(sessionId:)`, `Session.memory`), or what one `addMemory` persisted"
    " (`Session.memories`, `AddMemoryPayload.memory`)."
)
class Memory(Node, DocumentType):
    """The source is a document of `memories` with its `_id` as `uuid`, or a session shaped like one."""

    id: strawberry.ID = computed(_id, "uuid", "sessionId", "firstSeq", description="Opaque global id.")
    uuid: UUID = stored("uuid", description="UUID of the memory; of the session for a session's memory.")
    created_at: datetime = stored("createdAt", description="When it was first added.")
    token_count: int = stored("tokenCount", description="Tokens of all its messages.")
    metadata: JSON = stored(
        "metadata", description="The JSON object sent with it; for a session's memory, the session's."
    )

    @resolved("sessionId", description="The session that it belongs to.")
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
            session = await info.context.session(root["sessionId"], Visible.FIELDS)
            if session is None:
                return None
            visible = Visible.of(session)
        found = await summaries.newest_summary(info.context.backend.database, visible, Selection.of(info).reads())
        return as_source(found)

    @resolved(
        *Visible.MEMORY_FIELDS,
        "lastSeq",
        "summarySeq",
        description="Its messages, oldest first. Of a session's memory: those that the newest summary does not cover,"
        " at most the message window (12, unless the service is set otherwise).",
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
        check_last(last)
        if "messages" in root:
            return _messages(root)
        backend, visible, fields = info.context.backend, Visible.of_memory(root), Selection.of(info).reads()
        if _is_persisted(root):
            found = await messages.messages_in_range(
                backend.database, visible, fields, last_seq=root["lastSeq"], last=last
            )
        else:
            found = await recalled_messages(backend, visible, root.get("summarySeq", 0), fields, last=last)
        return as_source(found)

    @resolved(
        "sessionId",
        "uuid",
        "firstSeq",
        "lastSeq",
        description="Names in its messages, merged by label and name, most mentioned first.",
        size=LIST,
    )
    async def entities(
        root: strawberry.Parent[Any],
        info: Info,
        labels: Annotated[list[str] | None, strawberry.argument(description="Only these labels.")] = None,
        first: FirstOfList = None,
    ) -> list[Entity]:
        database, limit = info.context.backend.database, check_first(first)
        if not limit:
            return []
        if not _is_persisted(root):
            listing = entities.list_entities(database, session_owner(root["sessionId"]), labels=labels)
            page = await keyset.page(listing, keyset.Window(limit), Selection.of(info).reads(), whole=True)
            return as_source(page.items)
        found = await entities.entities_in_range(
            database,
            root["sessionId"],
            f"e:{root['uuid']}",
            labels=labels,
            first_seq=root["firstSeq"],
            last_seq=root["lastSeq"],
            limit=limit,
        )
        return as_source(found)


MESSAGES_OF_SESSION = {"messages": Size(MAX_LAST, setting="message_window")}
"""The size of a list of messages below a field that is a session's memory as one."""


async def session_memory(info: Info, session_id: str) -> Document | None:
    """A session's memory as the source of the current field, with its messages where they are selected once."""
    context, selected = info.context, Selection.of(info)
    messages_ = selected.sole("messages")
    last = messages_[1].get("last") if messages_ else None
    if messages_ is None or not (last is None or 0 < last <= MAX_LAST):
        return await find_session_memory(context.backend.database, context.scope, session_id, selected.reads())
    return await recalled_memory(
        context.backend, context.scope, session_id, selected.reads(), messages_[0].reads(), last=last
    )
