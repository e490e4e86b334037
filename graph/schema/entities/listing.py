"""Arguments and reads of lists of entities."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from graph.schema.context import Info
from graph.schema.relay import Cursors, connect, window_of
from graph.store.documents import Document
from graph.store.reading.keyset import Items, Listing

Labels: TypeAlias = Annotated[list[str] | None, strawberry.argument(description="Only these labels, at most 100.")]
Search: TypeAlias = Annotated[
    str | None,
    strawberry.argument(description="Only names that contain this text, ignoring case; at most 256 bytes."),
]

_CURSORS = Cursors("entity", (int, str))


async def connect_entities(
    info: Info, listing: Listing | Items, page: tuple[int | None, str | None, int | None, str | None]
) -> Document:
    """Return the connection of the entities of a session or a user.

    Args:
        info: the resolve info of the connection's field.
        listing: the entities.
        page: `first`, `after`, `last` and `before`.

    Raises:
        BadUserInput: an argument is out of range.
    """
    return await connect(info, listing, _CURSORS, window_of(_CURSORS, *page))
