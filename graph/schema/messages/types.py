"""Messages."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graph.execution.fields import as_source, computed, resolved, stored
from graph.execution.selection import Selection
from graph.operations.excerpts import EXCERPT, excerpt_of
from graph.operations.relatives import MESSAGE_FIELDS, parent_uuids, sibling_uuids
from graph.operations.validation import check_first, check_length
from graph.schema.context import Info
from graph.schema.enrichment.types import Enrichment
from graph.schema.entities.types import Entity, message_entities
from graph.schema.enums import described_enum
from graph.schema.node import DocumentType, Node, global_id
from graph.schema.relay import LIST, FirstOfList
from graph.schema.scalars import JSON, UUID
from graph.store.documents import MessageDocument
from graph.store.streams.documents import MessageStatus

if TYPE_CHECKING:
    from graph.schema.sessions.types import Session

described_enum(
    MessageStatus,
    description="Whether the text of a message is complete.",
    values={
        "COMPLETE": "The message was added whole, or finished.",
        "STREAMING": "The message is being written.",
        "INTERRUPTED": "Its writer was silent for too long; it has the text that had come.",
        "ABORTED": "Its writer ended it early; it has the text that had come.",
    },
)


def _excerpt(message: MessageDocument, length: int = EXCERPT) -> str:
    return excerpt_of(message["content"], check_length(length))


@strawberry.type(description="One message of a session.")
class Message(Node, DocumentType):
    """The source is a document of `messages`."""

    id: strawberry.ID = computed(
        lambda message: global_id("Message", message["_id"]), "_id", description="Opaque global id."
    )
    uuid: UUID = stored("_id", description="The message's UUID, sent with the message or generated.")
    seq: int = stored("seq", description="Place in the session: 1, 2, 3, … A number is never used again.")
    created_at: datetime = stored(
        "createdAt", description="The time sent with the message, or the time of its arrival."
    )
    updated_at: datetime = stored("updatedAt", description="When a sent value last changed.")
    revision: int = stored(
        "revision",
        default=0,
        description="Grows with each change that a reader can see, including enrichment. Of two answers, the one with"
        " the smaller revision is older.",
    )
    role: str = stored("role", description="The role of the speaker: human, ai, user, assistant, tool, or any other.")
    name: str | None = stored("name", default=None, description="The name of the speaker, if sent.")
    tool_call_id: str | None = stored(
        "toolCallId", default=None, description="The tool call that the message answers, if sent."
    )
    content: str = stored("content", description="The text, exactly as sent, or the text of the parts.")

    @resolved(
        "content",
        description="The beginning of the content on one line, for lists; … stands for the rest, after a whole word.",
        read=_excerpt,
    )
    def excerpt(
        root: strawberry.Parent[Any],
        length: Annotated[int, strawberry.argument(description="Maximum number of characters, 1 to 1,000.")] = EXCERPT,
    ) -> str:
        return _excerpt(root, length)

    parts: list[JSON] = stored(
        "parts", default=[], description="The content in the form of model APIs, exactly as sent; empty by default."
    )
    metadata: JSON = stored("metadata", description="The JSON object sent with the message; empty by default.")
    token_count: int = stored(
        "tokenCount",
        description="Tokens of `{role}: {content}` in the encoding of the service, by default cl100k_base, and of the"
        " JSON of each part that is not text and that models get: not of `data-…`, `source-…` and `step-start`. An"
        " inline binary, a data URL or base64 of 1,024 characters or more, counts 1,000 tokens.",
    )
    status: MessageStatus = stored(
        "status",
        default=MessageStatus.COMPLETE.value,
        description="COMPLETE, or the state of a message that was started with `startMessage`. While it is STREAMING,"
        " its content is empty.",
    )
    enrichment: Enrichment = stored("enrichment", description="The state of the extraction of entities.")

    @resolved(
        "entities",
        "_id",
        "createdAt",
        description="Names found in the content, in order of appearance, and then, with"
        " `RECALLQL_ENTITY_TOOLS`, names that only the arguments and results of tools have; empty while"
        " enrichment is PENDING.",
        read=message_entities,
        size=LIST,
    )
    def entities(root: strawberry.Parent[Any], first: FirstOfList = None) -> list[Entity]:
        return as_source(message_entities(root, first))

    @resolved(
        *MESSAGE_FIELDS,
        description="UUID of the message that this one follows: in a session without branches, the one before. Null for"
        " the first message.",
    )
    async def parent_uuid(root: strawberry.Parent[Any], info: Info) -> UUID | None:
        found = await info.context.of_message(parent_uuids, root)
        return None if found is None else UUID(found)

    @resolved(
        *MESSAGE_FIELDS,
        description="The messages with the same parent, this one included, in the order of `seq`: more than one where"
        " branches begin.",
        size=LIST,
    )
    async def siblings(
        root: strawberry.Parent[Any], info: Info, first: FirstOfList = None
    ) -> list[Annotated[Message, strawberry.lazy("graph.schema.messages.types")]]:
        limit, fields = check_first(first), {"_id", *Selection.of(info).reads()}
        uuids = await info.context.of_message(sibling_uuids, root) or []
        found = await asyncio.gather(*(info.context.message(uuid, fields) for uuid in uuids[:limit]))
        return as_source([message for message in found if message is not None])

    @resolved("sessionId", description="The session of the message.")
    async def session(
        root: strawberry.Parent[Any], info: Info
    ) -> Annotated[Session, strawberry.lazy("graph.schema.sessions.types")]:
        found = await info.context.session(root["sessionId"], {"_id", *Selection.of(info).reads()})
        return as_source(found)
