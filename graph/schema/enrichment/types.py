"""How far the extraction of entities has come."""

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
        "FAILED": "The extraction failed at every attempt; `reason` says why.",
    },
)


@strawberry.type(description="The state of a message's enrichment: its entities are extracted after it is stored.")
class Enrichment(DocumentType):
    """Read from the `enrichment` map of a message."""

    state: EnrichmentState = stored("state", description="PENDING, DONE or FAILED.")
    reason: str | None = stored(
        "reason", default=None, description="Why it, or its last attempt, failed; null otherwise."
    )


@strawberry.type(description="How far the extraction of entities has come, of a session or of all together.")
class EnrichmentProgress(DocumentType):
    """The source is what `graph.store.jobs.progress.progress` gives."""

    pending: int = stored("pending", description="Messages that wait for their entities.")
    done: int = stored("done", description="Messages whose entities are there.")
    failed: int = stored("failed", description="Messages whose extraction failed; `retryEnrichment` begins them again.")
    unembedded: int = stored(
        "unembedded",
        description="Messages whose meaning no search compares yet, those that wait for their entities included; 0"
        " without an embedding model.",
    )
    oldest_pending_at: datetime | None = stored(
        "oldestPendingAt", description="When the oldest of those that wait was added; null when none does."
    )
