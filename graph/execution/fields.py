"""Fields that are read from the parent's document.

Such a field declares its paths and the function that reads them: `graph.execution.plan` makes the projection from the
paths and the compiled response from the function.
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
"""Metadata key: a pure function from the parent's document and the arguments to the value."""
PATH = "path"
"""Metadata key: a key of the parent's document whose value is the field's value (without arguments)."""
DEFAULT = "default"
"""Metadata key, used with `PATH`: the value if the document lacks the key."""


def definition_of(element: Any) -> Any:
    """Return Strawberry's definition of a field or type of graphql-core's schema."""
    return element.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]


class DocumentType:
    """Mixin of the types whose source is a MongoDB document, not an instance of the class."""

    @classmethod
    def is_type_of(cls, _document: object, _info: object) -> bool:
        """Return True: the resolver's return type determines the type of its documents."""
        return True


def as_source(document: object) -> Any:
    """Return a document as the source of a resolver's declared return type.

    Strawberry derives the schema from the annotation, and the fields of the type read the document: no instance of the
    class is created.
    """
    return document


def stored(path: str, *, description: str, default: object = ..., size: Size | None = None) -> Any:
    """Declare a field whose value is stored in the parent's document.

    Args:
        path: the key in the document.
        description: the field's description in the schema.
        default: the value if the document lacks the key; without a default, a missing key is an error.
        size: the size of a list.
    """
    if default is ...:
        metadata = {PATH: path} if size is None else {PATH: path, SIZE: size}
        return _field(lambda document: document[path], (path,), description, metadata)
    return _field(lambda document: document.get(path, default), (path,), description, {PATH: path, DEFAULT: default})


def computed(read: Callable[[Any], Any], *reads: str, description: str, size: Size | None = None) -> Any:
    """Declare a field that is a pure function of the parent's document.

    Args:
        read: a function from the document to the value.
        reads: the paths that the function reads.
        description: the field's description in the schema.
        size: the size of a list.
    """
    return _field(read, reads, description, {} if size is None else {SIZE: size})


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
    """Declare a field with a resolver, which reads paths of the parent's document and may fetch more.

    Args:
        reads: the paths that the resolver reads.
        description: the field's description in the schema.
        read: a pure function with the result of the resolver, if the document and the arguments suffice; the function
            raises if more is needed. The function takes the document, and the arguments if they affect the result;
            without arguments, the function returns the value of the field without arguments. The function may leave
            out entries that only resolvers read.
        path: the key of the document with the value that `read` returns without arguments: of a list, the first items,
            as many as the default size.
        size: the size of a list, or of the list of a connection.
        sizes_below: the default sizes of lists below this field, by path, see `SIZES_BELOW`.
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
