"""Order and filters of lists of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from graph.operations import validation
from graph.operations.filters import FilterBounds, check_name_filter
from graph.operations.times import cut, rounded_up
from graph.schema.enums import described_enum
from graph.schema.metadata_filter import MetadataFilter, checked_conditions
from graph.schema.relay import Cursors
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


@strawberry.input(description="The order of a list of sessions. A cursor is valid only with the order of its page.")
class SessionOrder:
    """The argument `orderBy`."""

    field: SessionOrderField = strawberry.field(default=SessionOrderField.CREATED_AT, description="What to go by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Which end comes first.")

    @property
    def by(self) -> str:
        """Return the path in a session's document."""
        return str(self.field)

    @property
    def descending(self) -> bool:
        """Whether the newest sessions come first."""
        return self.direction is OrderDirection.DESC


OldestFirst = SessionOrder()
OrderArgument: TypeAlias = Annotated[
    SessionOrder | None, strawberry.argument(description="The order; without one, by createdAt, the oldest first.")
]


def session_cursors(order: SessionOrder) -> Cursors:
    """Return the encoding of the cursors of a list of sessions in an order."""
    return Cursors(f"session {order.by} {order.direction}", (datetime, str))


@strawberry.input(description="A span of time, without a limit on a side that is left out.")
class DateTimeRange:
    """Part of a filter."""

    since: datetime | None = strawberry.field(default=None, description="The start, included.")
    until: datetime | None = strawberry.field(default=None, description="The end, excluded.")

    @property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Return the bounds for the store, in whole milliseconds, the precision of stored times.

        A stored time covers its whole millisecond, so a bound within a millisecond includes it.
        """
        return (None if self.since is None else cut(self.since), None if self.until is None else rounded_up(self.until))


@strawberry.input(description="The sessions to list: each meets all given conditions.")
class SessionFilter:
    """The argument `filter`."""

    user_id: strawberry.ID | None = strawberry.field(default=None, description="Only sessions of this user.")
    created_at: DateTimeRange | None = strawberry.field(
        default=None, description="Only sessions that were created in this range."
    )
    updated_at: DateTimeRange | None = strawberry.field(
        default=None, description="Only sessions that last changed within this span."
    )
    archived: bool | None = strawberry.field(
        default=None, description="true: only archived sessions; false: only other sessions."
    )
    named: str | None = strawberry.field(
        default=None,
        description="Only sessions whose id begins with this text, in the same case, or whose title, if it was set,"
        " has for each word of the text a word that begins with it, independent of case: at most 10 words and 512"
        " bytes. Indexes find them. A default title is found by `search`, as its message is.",
    )
    metadata: list[MetadataFilter] | None = strawberry.field(
        default=None,
        description="Only sessions whose metadata meets all these conditions: at most 20, which compare at most 64"
        " texts, numbers, booleans, nulls and empty objects or lists in all filters of an operation. An index finds"
        " texts, numbers and booleans at keys without $ and dots; a filter without such a condition is slower.",
    )

    def checked(self, bounds: FilterBounds) -> StoredFilter:
        """Return the filter for the store.

        Args:
            bounds: the counts of all filters of the operation.

        Raises:
            BadUserInput: a value is refused.
        """
        if self.user_id is not None:
            validation.check_id(self.user_id, "filter.userId")
        return StoredFilter(
            self.user_id,
            self.created_at.bounds if self.created_at else (None, None),
            self.updated_at.bounds if self.updated_at else (None, None),
            checked_conditions(self.metadata, bounds),
            self.archived,
            None if self.named is None else check_name_filter(self.named, "filter.named"),
        )
