"""Reading many sessions."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source, resolved
from graph.operations.sessions import list_sessions
from graph.schema.context import Info
from graph.schema.relay import CONNECTION, After, Before, Connection, First, Last, connect, window_of
from graph.schema.sessions.listing import OldestFirst, OrderArgument, SessionFilter, session_cursors
from graph.schema.sessions.types import Session
from graph.store.sessions import SessionFilter as StoredFilter


@strawberry.type
class SessionQueries:
    """Queries on sessions."""

    @resolved(size=CONNECTION, description="Sessions, oldest first by default.")
    async def sessions(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[  # noqa: A002
            SessionFilter | None, strawberry.argument(description="Only sessions that meet all its conditions.")
        ] = None,
        order_by: OrderArgument = None,
    ) -> Connection[Session]:
        order = order_by or OldestFirst
        cursors = session_cursors(order)
        window = window_of(cursors, first, after, last, before)
        stored_filter = filter.checked(info.context.filter_bounds) if filter else StoredFilter()
        context = info.context
        listing = list_sessions(context.backend, context.scope, stored_filter, by=order.by, descending=order.descending)
        return as_source(await connect(info, listing, cursors, window))
