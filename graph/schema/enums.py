"""Enums of the schema whose classes are defined in lower packages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

import strawberry

E = TypeVar("E", bound=type[Enum])


def described_enum(enum: E, *, description: str, values: Mapping[str, str], name: str | None = None) -> E:
    """Create a GraphQL enum from a Python enum.

    Args:
        enum: the Python enum; the names of its members are the GraphQL values.
        description: the description of the GraphQL enum.
        values: the description of each value, by name.
        name: the name of the GraphQL enum, if it differs from the class's.
    """
    made = strawberry.enum(enum, name=name, description=description)
    definition: Any = made.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
    return made
