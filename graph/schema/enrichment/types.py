"""The progress of entity extraction."""

from __future__ import annotations

from datetime import datetime

import strawberry

from graph.execution.fields import stored
from graph.schema.enums import described_enum
from graph.schema.node import DocumentType
from graph.store.documents import EnrichmentState

described_enum(
    EnrichmentState,
    description="The state of a message's enrichment.",
    values={
        "PENDING": "The entities are not extracted yet.",
        "DONE": "The entities are stored.",
        "FAILED": "Every attempt of the extraction failed; `reason` has the error.",
    },
)


@strawberry.type(description="The state of a message's enrichment: its entities are extracted after it is stored.")
class Enrichment(DocumentType):
    """Read from the `enrichment` map of a message."""

    state: EnrichmentState = stored("state", description="PENDING, DONE or FAILED.")
    reason: str | None = stored("reason", default=None, description="The error of the last failed attempt, or null.")


@strawberry.type(description="The progress of the extraction of entities, in one session or in all sessions.")
class EnrichmentProgress(DocumentType):
    """The source is a result of `graph.store.jobs.progress.progress`."""

    pending: int = stored("pending", description="Number of messages that wait for the extraction.")
    done: int = stored("done", description="Number of messages with extracted entities.")
    failed: int = stored(
        "failed", description="Number of messages whose extraction failed; `retryEnrichment` retries them."
    )
    unembedded: int = stored(
        "unembedded",
        description="Number of messages that are not embedded yet, with the messages that wait for the extraction; 0"
        " without an embedding model.",
    )
    oldest_pending_at: datetime | None = stored(
        "oldestPendingAt", description="When the oldest waiting message was added; null if no message waits."
    )
