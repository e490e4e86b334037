"""Reading summaries."""

from __future__ import annotations

from collections.abc import Collection

from graph.operations.backend import Backend
from graph.store import summaries as store
from graph.store.documents import SummaryDocument
from graph.store.reading.keyset import Listing
from graph.store.scope import Scope
from graph.store.visible import Visible


async def find_summaries(
    backend: Backend, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[SummaryDocument]:
    """Return the summaries in the caller's scope, in no order, with `fields` and `_id`."""
    return await store.find_summaries(backend.database, scope, uuids, fields)


def list_summaries(backend: Backend, visible: Visible) -> Listing:
    """Return the visible summaries of a session, oldest first."""
    return store.list_summaries(backend.database, visible)


async def newest_summary(
    backend: Backend, visible: Visible, fields: Collection[str] | None = None
) -> SummaryDocument | None:
    """Return the newest visible summary of a session, with `fields` or all, or None."""
    return await store.newest_summary(backend.database, visible, fields)
