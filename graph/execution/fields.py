"""Fields that are read from the parent's document.

A field made here says which paths it reads; `Selection` turns them into the projection. One source of truth: what
is read is declared where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry

from graph.execution.selection import READS

READ = "read"
"""Key in a Strawberry field's metadata: the function of the parent's document that gives the field's value."""


def stored(path: str, *, description: str, default: Any = ...) -> Any:
    """A field whose value stands in the parent's document.

    Args:
        path: the key in the document.
        description: what the schema says of the field.
        default: the value where the document has no such key; without one, its absence is an error.
    """
    if default is ...:
        return computed(lambda document: document[path], path, description=description)
    return computed(lambda document: document.get(path, default), path, description=description)


def computed(read: Callable[[Any], Any], *reads: str, description: str) -> Any:
    """A field that is a pure function of the parent's document.

    Args:
        read: takes the document, returns the value.
        reads: the paths that it reads.
        description: what the schema says of the field.
    """

    def resolver(root: strawberry.Parent[Any]) -> Any:
        return read(root)

    return strawberry.field(resolver=resolver, description=description, metadata={READS: reads, READ: read})


def resolved(*reads: str, description: str) -> Any:
    """A field with a resolver of its own, which reads these paths of the parent's document and what else it fetches."""
    return strawberry.field(description=description, metadata={READS: reads})
