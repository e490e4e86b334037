"""Reading users."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from graph.execution.fields import as_source, resolved
from graph.execution.selection import Selection
from graph.operations.users import find_user, list_users
from graph.schema.context import Info
from graph.schema.relay import CONNECTION, After, Before, Connection, Cursors, First, Last, connect, window_of
from graph.schema.users.types import User

UserId = Annotated[strawberry.ID, strawberry.argument(description="The application's own id of the user.")]

_CURSORS = Cursors("user", (datetime, str))


@strawberry.type
class UserQueries:
    """Queries on users."""

    @strawberry.field(description="A user. Null for an unknown user.")
    async def user(self, info: Info, user_id: UserId) -> User | None:
        found = await find_user(info.context.backend, info.context.scope, user_id, Selection.of(info).reads())
        return as_source(found)

    @resolved(size=CONNECTION, description="All users, in the order of their creation.")
    async def users(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[User]:
        window = window_of(_CURSORS, first, after, last, before)
        listing = list_users(info.context.backend, info.context.scope)
        return as_source(await connect(info, listing, _CURSORS, window))
