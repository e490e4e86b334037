"""Fields that are read from the parent's document.

A field made here says which paths it reads and how: `graph.execution.plan` turns the first into the projection and the
second into the compiled response. One source of truth: what is read is declared where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graph.execution.size import SIZE, SIZES_BELOW, Size

READS = "reads"
"""Key in a Strawberry field's metadata: the paths of the parent's document that the field's resolver reads."""
READ = "read"
"""Metadata key: the pure function of the parent's document, and of the arguments, that gives the value."""
PATH = "path"
"""Metadata key: a key of the parent's document whose value is the field's value (without arguments)."""
DEFAULT = "default"
"""Metadata key, beside `PATH`: the value where the document has no such key."""


def definition_of(element: Any) -> Any:
    """Strawberry's definition of a field or type of graphql-core's schema."""
    return element.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]


class DocumentType:
    """Mixin of the types whose source is a MongoDB document, which carries no Python class."""

    @classmethod
    def is_type_of(cls, _document: object, _info: object) -> bool:
        """Always: a resolver's return type says what its documents are."""
        return True


def as_source(document: object) -> Any:
    """A document as the source of the type that a resolver declares to return.

    Strawberry makes the schema from the annotation, and the fields of the type read the document: no instance of the
    class is made.
    """
    return document


def stored(path: str, *, description: str, default: object = ..., size: Size | None = None) -> Any:
    """A field whose value stands in the parent's document.

    Args:
        path: the key in the document.
        description: what the schema says of the field.
        default: the value where the document has no such key; without one, its absence is an error.
        size: of a list.
    """
    if default is ...:
        metadata = {PATH: path} if size is None else {PATH: path, SIZE: size}
        return _field(lambda document: document[path], (path,), description, metadata)
    return _field(lambda document: document.get(path, default), (path,), description, {PATH: path, DEFAULT: default})


def computed(read: Callable[[Any], Any], *reads: str, description: str) -> Any:
    """A field that is a pure function of the parent's document.

    Args:
        read: takes the document, returns the value.
        reads: the paths that it reads.
        description: what the schema says of the field.
    """
    return _field(read, reads, description, {})


def _field(read: Callable[[Any], Any], reads: tuple[str, ...], description: str, metadata: dict[str, Any]) -> Any:
    def resolver(root: strawberry.Parent[Any]) -> Any:
        return read(root)

    metadata = {READS: reads, READ: read, **metadata}
    return strawberry.field(resolver=resolver, description=description, metadata=metadata)


def resolved(
    *reads: str,
    description: str,
    read: Callable[..., Any] | None = None,
    path: str | None = None,
    size: Size | None = None,
    sizes_below: Mapping[str, Size] | None = None,
) -> Any:
    """A field with a resolver of its own, which reads these paths of the parent's document and what else it fetches.

    Args:
        reads: the paths that it reads.
        description: what the schema says of the field.
        read: where the value can be computed from the document and the field's arguments alone, a pure function that
            gives what the resolver would, or raises where it can't. It takes the document, and the arguments unless
            they make no difference to it; without them, it gives what the field has without arguments. It may leave out
            of objects what only resolvers read of them.
        path: the key of the document where `read` finds what it gives without arguments: of a list, the first items, as
            many as the size has by default.
        size: of a list, or of the list of a connection.
        sizes_below: the sizes that lists below have here without arguments, by path, see `SIZES_BELOW`.
    """
    metadata: dict[str, Any] = {READS: reads}
    if size is not None:
        metadata[SIZE] = size
    if sizes_below is not None:
        metadata[SIZES_BELOW] = sizes_below
    if read is not None:
        metadata[READ] = read
    if path is not None:
        metadata[PATH] = path
    return strawberry.field(description=description, metadata=metadata)
