"""Conditions on metadata in filters."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from graph.errors import BadUserInput
from graph.operations import validation
from graph.operations.filters import MAX_CONDITIONS, FilterBounds, check_segments
from graph.schema.scalars import JSON
from graph.store.reading.metadata import ComparedValue, Condition, Contains, Existence, Key


@strawberry.input(
    description="A condition on the value at a path in metadata: give path or segments, and one of"
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

    def checked(self, name: str, bounds: FilterBounds) -> Condition:
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
        conditions: dict[str, ComparedValue] = {}
        if self.equals is not strawberry.UNSET:
            conditions["equals"] = self.equals
        if self.contains is not strawberry.UNSET:
            conditions["contains"] = Contains(self.contains)
        if self.exists is not None:
            conditions["exists"] = Existence.PRESENT if self.exists else Existence.ABSENT
        if len(conditions) != 1:
            sent = f", not {' and '.join(conditions)}" if conditions else ""
            raise BadUserInput(f"{name} needs one of equals, contains and exists{sent}")
        ((kind, compared),) = conditions.items()
        return path, bounds.add(path, compared, f"{name}.{kind}")


def checked_conditions(filters: Sequence[MetadataFilter] | None, bounds: FilterBounds) -> tuple[Condition, ...]:
    """Return the conditions of `filter.metadata` for the store.

    Args:
        filters: the conditions of the caller.
        bounds: the counts of all filters of the operation.

    Raises:
        BadUserInput: a condition is refused, or there are too many.
    """
    items = filters or ()
    if len(items) > MAX_CONDITIONS:
        raise BadUserInput(f"filter.metadata has {len(items)} items, and at most {MAX_CONDITIONS} are accepted")
    return tuple(item.checked(f"filter.metadata[{place}]", bounds) for place, item in enumerate(items))
