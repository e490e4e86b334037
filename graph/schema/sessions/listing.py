"""Order and filters of lists of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from graph.errors import BadUserInput
from graph.operations import validation
from graph.operations.filters import MAX_CONDITIONS, FilterBounds, check_segments
from graph.operations.times import cut, rounded_up
from graph.schema.enums import described_enum
from graph.schema.relay import Cursors
from graph.schema.scalars import JSON
from graph.store.metadata import Contains, Existence, Key, Wanted
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


@strawberry.input(
    description="A condition on the value at a path in a session's metadata: give path or segments, and one of"
    " equals, contains and exists."
)
class MetadataFilter:
    """Part of a filter."""

    path: str | None = strawberry.field(
        default=None, description="Keys from the outermost one, with dots between them: `customer.plan`."
    )
    segments: list[str] | None = strawberry.field(
        default=None,
        description="The path as a list of keys, which may have dots or be empty. In a list, a whole number is"
        ' the index of an item, from 0: `["tools", "0", "$ref"]`.',
    )
    equals: JSON | None = strawberry.field(
        default=strawberry.UNSET,
        description="The JSON value at the path; numbers are compared by value, and objects independent of the order"
        " of their keys. null matches a null, not an absent value.",
    )
    contains: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="A JSON value that must be an item of the list at the path."
    )
    exists: bool | None = strawberry.field(
        default=None, description="Whether a value, null included, must or must not be at the path."
    )

    def checked(self, name: str, bounds: FilterBounds) -> tuple[tuple[Key, ...], Wanted]:
        """Return the condition for the store.

        Args:
            name: the caller's name of the condition.
            bounds: the counts of all filters of the operation.

        Raises:
            BadUserInput: the condition is refused.
        """
        if (self.path is None) == (self.segments is None):
            raise BadUserInput(f"{name} needs either path or segments")
        path: tuple[Key, ...]
        if self.segments is None:
            path = validation.check_path(self.path or "", f"{name}.path")
        else:
            path = check_segments(self.segments, f"{name}.segments")
        given: dict[str, Wanted] = {}
        if self.equals is not strawberry.UNSET:
            given["equals"] = self.equals
        if self.contains is not strawberry.UNSET:
            given["contains"] = Contains(self.contains)
        if self.exists is not None:
            given["exists"] = Existence.PRESENT if self.exists else Existence.ABSENT
        if len(given) != 1:
            sent = f", not {' and '.join(given)}" if given else ""
            raise BadUserInput(f"{name} needs one of equals, contains and exists{sent}")
        ((kind, wanted),) = given.items()
        return path, bounds.add(path, wanted, f"{name}.{kind}")


@strawberry.input(description="The sessions to list: those that meet all given conditions.")
class SessionFilter:
    """The argument `filter`."""

    user_id: strawberry.ID | None = strawberry.field(default=None, description="Only those of this user.")
    created_at: DateTimeRange | None = strawberry.field(default=None, description="Only those made within it.")
    updated_at: DateTimeRange | None = strawberry.field(
        default=None, description="Only sessions that last changed within this span."
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
        wanted = self.metadata or []
        if len(wanted) > MAX_CONDITIONS:
            raise BadUserInput(f"filter.metadata has {len(wanted)} items, and at most {MAX_CONDITIONS} are accepted")
        return StoredFilter(
            self.user_id,
            self.created_at.bounds if self.created_at else (None, None),
            self.updated_at.bounds if self.updated_at else (None, None),
            tuple(item.checked(f"filter.metadata[{place}]", bounds) for place, item in enumerate(wanted)),
        )
