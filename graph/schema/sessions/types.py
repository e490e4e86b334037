"""Sessions: conversations."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from graph.errors import BadUserInput
from graph.execution.fields import as_source, computed, resolved, stored
from graph.execution.selection import Selection
from graph.operations.enrichment import session_progress
from graph.operations.memories import list_memories
from graph.operations.messages import list_messages, list_messages_meeting
from graph.operations.overviews import newest_messages, titles, unfinished_counts, unread_counts
from graph.operations.recall import SearchMode
from graph.operations.summaries import list_summaries
from graph.operations.validation import check_place
from graph.schema.context import Info
from graph.schema.enrichment.types import EnrichmentProgress
from graph.schema.entities.listing import Labels, Search, connect_entities
from graph.schema.entities.types import Entity
from graph.schema.enums import described_enum
from graph.schema.memory.types import MESSAGES_OF_SESSION, Memory, session_memory
from graph.schema.messages.types import Message
from graph.schema.node import DocumentType, Node, global_id
from graph.schema.prompt_context import Context, ContextQuery, MaxTokens, Recent, context_of
from graph.schema.relay import CONNECTION, After, Before, Connection, Cursors, First, Last, connect, window_of
from graph.schema.scalars import JSON, UUID
from graph.schema.search import RESULTS, Filter, MessageSearchConnection, Mode, Query, SearchArguments, found_page
from graph.schema.search import First as FirstFound
from graph.schema.search import Last as LastFound
from graph.schema.summaries import Summary
from graph.schema.users.types import User
from graph.store.visible import Visible

MESSAGE_CURSORS = Cursors("message", (int,))
_UNFINISHED = frozenset({"pending", "failed"})
"""The fields of the progress of enrichment that are read for all sessions of a list at once."""
_SUMMARY_CURSORS = Cursors("summary", (int,))
_MEMORY_CURSORS = Cursors("memory", (int,))


AfterSeq = Annotated[
    int | None,
    strawberry.argument(
        description="Only messages with a greater `seq`, whether or not a message has it: a page at a linked message,"
        " or at `Session.readSeq`. Not together with `after`."
    ),
]
BeforeSeq = Annotated[
    int | None,
    strawberry.argument(description="Only messages with a smaller `seq`. Not together with `before`."),
]


def _place(cursor: str | None, seq: int | None, name: str) -> str | None:
    """Return the cursor of a place in the messages of a session, which a cursor or a `seq` gives.

    Raises:
        BadUserInput: both are given, or no message can have the `seq`.
    """
    if seq is None:
        return cursor
    if cursor:
        raise BadUserInput(f"give either {name} or {name}Seq")
    return MESSAGE_CURSORS.write((check_place(seq, f"{name}Seq"),))


class MessageBranch(Enum):
    """The messages of a session to list."""

    HEAD = "HEAD"
    ALL = "ALL"


described_enum(
    MessageBranch,
    description="The messages of a session to list.",
    values={
        "HEAD": "The messages on the path from the first message to `Session.head`.",
        "ALL": "The messages of all branches.",
    },
)


@strawberry.type(description="The source of a fork.")
class ForkOrigin(DocumentType):
    """The source is the `forkedFrom` of a document of `sessions`."""

    session_id: strawberry.ID = stored(
        "sessionId", description="The application's own id of the session, which may be deleted since."
    )
    seq: int = stored(
        "seq", description="The `throughSeq` of the fork: the last copied message had it, or a smaller one."
    )


@strawberry.type(description="A conversation. The application chooses its id.")
class Session(Node, DocumentType):
    """The source is a document of `sessions`."""

    id: strawberry.ID = computed(
        lambda session: global_id("Session", session["_id"]), "_id", description="Opaque global id."
    )
    session_id: strawberry.ID = stored("_id", description="The application's own id of the session.")
    uuid: UUID = stored("uuid", description="The UUID of the session, generated at its creation.")
    created_at: datetime = stored("createdAt", description="Time of the creation.")
    updated_at: datetime = stored("updatedAt", description="The time of the last change or message.")
    revision: int = stored(
        "revision",
        default=0,
        description="Grows with each change of the session or its messages by a caller, not by a worker. Of two"
        " answers, the one with the smaller revision is older.",
    )
    metadata: JSON = stored(
        "metadata", description="A JSON object: the metadata sent with the session and its memories, merged."
    )
    archived: bool = stored(
        "archived", default=False, description="Whether the session is archived, as `updateSession` set it."
    )
    expires_at: datetime | None = stored(
        "expiresAt",
        default=None,
        description="The time that was set, from which the session is as deleted, or null. The retention"
        " of the deployment or of the user may end it earlier.",
    )
    message_count: int = stored("messageCount", description="Number of messages of the session, of all branches.")
    token_count: int = stored("tokenCount", description="Number of tokens of all its messages, of all branches.")

    @resolved(
        "_id",
        description="The session memory: the newest summary and the messages after it.",
        sizes_below=MESSAGES_OF_SESSION,
    )
    async def memory(root: strawberry.Parent[Any], info: Info) -> Memory:
        return as_source(await session_memory(info, root["_id"]))

    @resolved(
        "title",
        *Visible.HEAD_FIELDS,
        description="The title as set, or else the beginning of the first message of the role user or human, at most 80"
        " characters. Null without either.",
    )
    async def title(root: strawberry.Parent[Any], info: Info) -> str | None:
        return await info.context.of_session(titles, root)

    @resolved(
        *Visible.HEAD_FIELDS,
        description="The message that the conversation ends with: the last one that was added, or that `updateSession`"
        " set since. The memory, the context, searches and summaries follow the path from the first message to it. Null"
        " without messages.",
    )
    async def head(root: strawberry.Parent[Any], info: Info) -> Message | None:
        fields = {"_id", *Selection.of(info).reads()}
        newest = await info.context.of_session(newest_messages, root, fields)
        return as_source(newest)

    @resolved(*Visible.HEAD_FIELDS, description="The newest message on the path to `head`, or null.")
    async def last_message(root: strawberry.Parent[Any], info: Info) -> Message | None:
        fields = {"_id", *Selection.of(info).reads()}
        newest = await info.context.of_session(newest_messages, root, fields)
        return as_source(newest)

    read_seq: int = stored(
        "readSeq",
        default=0,
        description="The `seq` up to which its user has read, as `markRead` set it; never smaller.",
    )

    forked_from: ForkOrigin | None = stored(
        "forkedFrom", default=None, description="The session that this session is a fork of, or null."
    )

    @resolved(
        "readSeq",
        "lastSeq",
        "messageCount",
        *Visible.HEAD_FIELDS,
        description="How many messages on the path to `head` its user has not read, of any role; 1,000 for that number"
        " or more.",
    )
    async def unread_count(root: strawberry.Parent[Any], info: Info) -> int:
        return await info.context.of_session(unread_counts, root) or 0

    @resolved("userId", description="The user that the session belongs to, or null.")
    async def user(root: strawberry.Parent[Any], info: Info) -> User | None:
        user_id = root.get("userId")
        if user_id is None:
            return None
        return as_source(await info.context.user(user_id, Selection.of(info).reads()))

    @resolved(
        *Visible.HEAD_FIELDS,
        size=CONNECTION,
        description="Its messages that meet the filter, in the order of `seq`: of the path to `head`, or all.",
    )
    async def messages(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        after_seq: AfterSeq = None,
        before_seq: BeforeSeq = None,
        filter: Filter = None,  # noqa: A002
        branch: Annotated[
            MessageBranch, strawberry.argument(description="The messages on the path to `head`, or all.")
        ] = MessageBranch.HEAD,
    ) -> Connection[Message]:
        context = info.context

        async def total() -> int:
            owner = await context.session(root["_id"], {"messageCount"})
            return 0 if owner is None else owner["messageCount"]

        start, end = _place(after, after_seq, "after"), _place(before, before_seq, "before")
        window = window_of(MESSAGE_CURSORS, first, start, last, end)
        visible = Visible.of_head(root) if branch is MessageBranch.HEAD else Visible.of(root)
        if filter is None:
            listing = list_messages(context.backend, visible)
            counted = total if visible.path is None else None
            return as_source(await connect(info, listing, MESSAGE_CURSORS, window, total=counted))
        stored_filter = filter.for_list(context.filter_bounds)
        listing = await list_messages_meeting(context.backend, visible, stored_filter)
        return as_source(await connect(info, listing, MESSAGE_CURSORS, window))

    @resolved(
        *Visible.HEAD_FIELDS,
        size=CONNECTION,
        description="Names in its messages, merged by label and name, most mentioned first. In a session with branches:"
        " in the newest 20,000 messages on the path to `head`, at most 5,000 names.",
    )
    async def entities(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        labels: Labels = None,
        search: Search = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Entity]:
        listing = await info.context.session_entities(Visible.of_head(root), labels=labels, search=search)
        return as_source(await connect_entities(info, listing, (first, after, last, before)))

    @resolved(
        *Visible.HEAD_FIELDS,
        size=CONNECTION,
        description="The summaries of the path to `head`, oldest first; the session memory has the newest one.",
    )
    async def summaries(
        root: strawberry.Parent[Any],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Summary]:
        window = window_of(_SUMMARY_CURSORS, first, after, last, before)
        listing = list_summaries(info.context.backend, Visible.of_head(root))
        return as_source(await connect(info, listing, _SUMMARY_CURSORS, window))

    @resolved(*Visible.FIELDS, description="The progress of entity extraction in its messages.")
    async def enrichment(root: strawberry.Parent[Any], info: Info) -> EnrichmentProgress:
        if _UNFINISHED.issuperset(Selection.of(info).reads()):
            counts = await info.context.of_session(unfinished_counts, root)
            return as_source(counts)
        return as_source(await session_progress(info.context.backend, Visible.of(root)))

    @resolved(*Visible.FIELDS, size=CONNECTION, description="The persisted memory of each `addMemory`, oldest first.")
    async def memories(
        root: strawberry.Parent[Any],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Memory]:
        window = window_of(_MEMORY_CURSORS, first, after, last, before)
        listing = list_memories(info.context.backend, Visible.of(root))
        return as_source(await connect(info, listing, _MEMORY_CURSORS, window))

    @resolved("_id", size=RESULTS, description="Search in its messages, see `Query.search`.")
    async def search(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        query: Query,
        first: FirstFound = None,
        after: After = None,
        last: LastFound = None,
        before: Before = None,
        filter: Filter = None,  # noqa: A002
        mode: Mode = SearchMode.HYBRID,
    ) -> MessageSearchConnection:
        arguments = SearchArguments(query, session_id=root["_id"], filter_=filter, mode=mode)
        return as_source(await found_page(info, arguments, (first, after, last, before)))

    @resolved("_id", description="The context for a prompt in this session.")
    async def context(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        max_tokens: MaxTokens,
        query: ContextQuery = None,
        recent: Recent = None,
    ) -> Context:
        return as_source(await context_of(info, max_tokens, query=query, session_id=root["_id"], recent=recent))
