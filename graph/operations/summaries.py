"""Reading summaries."""

from __future__ import annotations

from collections.abc import Collection

from graph.operations.backend import Backend
from graph.store import summaries as store
from graph.store.documents import SummaryDocument
from graph.store.visible import Visible


async def newest_summary(
    backend: Backend, visible: Visible, fields: Collection[str] | None = None
) -> SummaryDocument | None:
    """The newest visible summary of a session, with `fields` or all, or None before the first."""
    return await store.newest_summary(backend.database, visible, fields)
