"""Rolling summaries."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from graph.execution.fields import as_source, computed, resolved, stored
from graph.schema.entities.types import SUMMARY_READS, Entity, summary_entities
from graph.schema.enums import described_enum
from graph.schema.node import DocumentType, Node, global_id
from graph.schema.relay import LIST, FirstOfList
from graph.schema.scalars import UUID


class SummarySource(StrEnum):
    """The origin of a summary's text."""

    EXTRACTIVE = "EXTRACTIVE"
    LLM = "LLM"


described_enum(
    SummarySource,
    description="The origin of a summary's text.",
    values={
        "EXTRACTIVE": "Sentences selected from the messages.",
        "LLM": "Text written by the language model that the service is configured to use.",
    },
)


@strawberry.type(description="A summary of a session's messages up to `lastSeq`. The messages stay unchanged.")
class Summary(Node, DocumentType):
    """The source is a document of `summaries`."""

    id: strawberry.ID = computed(
        lambda summary: global_id("Summary", summary["_id"]), "_id", description="Opaque global id."
    )
    uuid: UUID = stored("_id", description="The summary's UUID.")
    created_at: datetime = stored("createdAt", description="Time of the creation of the summary.")
    content: str = stored("content", description="The summary.")
    token_count: int = stored(
        "tokenCount", description="Tokens of the content in the encoding of the service, by default cl100k_base."
    )
    first_seq: int = stored("firstSeq", description="`seq` of the first message that the summary covers.")
    last_seq: int = stored("lastSeq", description="`seq` of the last message that the summary covers.")
    last_message_uuid: UUID = stored("lastMessageUuid", description="UUID of the last message that the summary covers.")
    stale: bool = stored("stale", default=False, description="Whether a covered message has changed since.")
    source: SummarySource = computed(
        lambda summary: SummarySource(summary["source"]), "source", description="EXTRACTIVE or LLM."
    )

    @resolved(
        *SUMMARY_READS,
        description="Names found in the summary: `mentionCount` counts them there, `matches` are in the messages"
        " that the summary covers.",
        read=summary_entities,
        size=LIST,
    )
    def entities(root: strawberry.Parent[Any], first: FirstOfList = None) -> list[Entity]:
        return as_source(summary_entities(root, first))
