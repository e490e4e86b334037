"""How lists of sessions are ordered and filtered."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from graph.errors import BadUserInput
from graph.operations import validation
from graph.schema.enums import described_enum
from graph.schema.relay import Cursors
from graph.schema.scalars import JSON
from graph.store.sessions import SessionFilter as StoredFilter


class SessionOrderField(StrEnum):
    """A field of a session that lists are ordered by; the value is its path."""

    CREATED_AT = "createdAt"
    UPDATED_AT = "updatedAt"


class OrderDirection(StrEnum):
    """The direction of an order."""

    ASC = "ASC"
    DESC = "DESC"


described_enum(
    SessionOrderField,
    description="The field that sessions are ordered by.",
    values={
        "CREATED_AT": "The time of creation, which never changes.",
        "UPDATED_AT": "The time of the last change or message. A session that changes while you page moves to the"
        " newest end.",
    },
)
described_enum(
    OrderDirection,
    description="The direction of an order.",
    values={"ASC": "The oldest first.", "DESC": "The newest first."},
)


@strawberry.input(description="The order of a list of sessions. Cursors belong to the order that they were given in.")
class SessionOrder:
    """The argument `orderBy`."""

    field: SessionOrderField = strawberry.field(default=SessionOrderField.CREATED_AT, description="What to go by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Which end comes first.")

    @property
    def by(self) -> str:
        """The path in a session's document."""
        return str(self.field)

    @property
    def descending(self) -> bool:
        """Whether the newest come first."""
        return self.direction is OrderDirection.DESC


OldestFirst = SessionOrder()
OrderArgument: TypeAlias = Annotated[
    SessionOrder | None, strawberry.argument(description="The order; without one, by createdAt, the oldest first.")
]


def session_cursors(order: SessionOrder) -> Cursors:
    """The cursors of a list of sessions in an order."""
    return Cursors(f"session {order.by} {order.direction}", (datetime, str))


@strawberry.input(description="A span of time. A moment that is left out leaves that side open.")
class DateTimeRange:
    """Part of a filter."""

    since: datetime | None = strawberry.field(default=None, description="The first moment that is in it.")
    until: datetime | None = strawberry.field(
        default=None, description="The moment at which it ends: the first one that is not in it any more."
    )

    @property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """As the store takes it."""
        return self.since, self.until


@strawberry.input(description="A value that must stand at a path in a session's metadata.")
class MetadataFilter:
    """Part of a filter."""

    path: str = strawberry.field(description="Keys from the outermost one, with dots between them: `customer.plan`.")
    equals: JSON = strawberry.field(
        description="Any JSON value but null; numbers are equal by value, and objects whatever the order of their keys."
    )


@strawberry.input(description="Which sessions to list: those that meet everything that is given.")
class SessionFilter:
    """The argument `filter`."""

    user_id: strawberry.ID | None = strawberry.field(default=None, description="Only those of this user.")
    created_at: DateTimeRange | None = strawberry.field(default=None, description="Only those made within it.")
    updated_at: DateTimeRange | None = strawberry.field(
        default=None, description="Only those that last changed within it."
    )
    metadata: list[MetadataFilter] | None = strawberry.field(
        default=None,
        description="Only those whose metadata has all these values, at most 20. Texts, numbers and booleans are"
        " found by an index; a list or {} alone is not.",
    )

    def checked(self) -> StoredFilter:
        """As the store takes it.

        Raises:
            BadUserInput: a value can't be accepted.
        """
        if self.user_id is not None:
            validation.check_id(self.user_id, "filter.userId")
        wanted = self.metadata or []
        if len(wanted) > _MOST_METADATA:
            raise BadUserInput(f"filter.metadata has {len(wanted)} items, and at most {_MOST_METADATA} are accepted")
        return StoredFilter(
            self.user_id,
            self.created_at.bounds if self.created_at else (None, None),
            self.updated_at.bounds if self.updated_at else (None, None),
            tuple(
                (
                    validation.check_path(item.path, f"filter.metadata[{place}].path"),
                    validation.check_json(item.equals, f"filter.metadata[{place}].equals"),
                )
                for place, item in enumerate(wanted)
            ),
        )


_MOST_METADATA = 20
