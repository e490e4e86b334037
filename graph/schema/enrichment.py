"""How far the extraction of entities has come."""

from __future__ import annotations

import strawberry

from graph.execution.fields import stored
from graph.schema.node import DocumentType
from graph.store.documents import EnrichmentState

strawberry.enum(
    EnrichmentState,
    description="PENDING: entities are not there yet. DONE: they are. FAILED: `reason` says why there will be none.",
)


@strawberry.type(description="The state of a message's enrichment: its entities are extracted after it is stored.")
class Enrichment(DocumentType):
    """Read from the `enrichment` map of a message."""

    state: EnrichmentState = stored("state", description="PENDING, DONE or FAILED.")
    reason: str | None = stored("reason", default=None, description="Why it failed; null otherwise.")
