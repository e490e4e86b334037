"""How lists of entities are filtered and read."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from graph.errors import BadUserInput
from graph.operations.validation import check_text
from graph.schema.context import Info
from graph.schema.relay import Cursors, connect, window_of
from graph.store.documents import Document
from graph.store.entities.reading import list_entities

Labels: TypeAlias = Annotated[list[str] | None, strawberry.argument(description="Only these labels, at most 100.")]
Search: TypeAlias = Annotated[
    str | None,
    strawberry.argument(description="Only names that contain this text, whatever its case; at most 256 bytes."),
]

_CURSORS = Cursors("entity", (int, str))
_MOST_LABELS = 100
_MOST_SEARCH_BYTES = 256


async def entities_of(
    info: Info,
    owner: str,
    page: tuple[int | None, str | None, int | None, str | None],
    *,
    labels: list[str] | None,
    search: str | None,
) -> Document:
    """A connection of the entities of a session or a user, most mentioned first.

    Args:
        info: of the field that is the connection.
        owner: `session_owner` or `user_owner`.
        page: `first`, `after`, `last` and `before`.
        labels: only these.
        search: only names that contain it.

    Raises:
        BadUserInput: an argument is out of range.
    """
    if labels is not None and len(labels) > _MOST_LABELS:
        raise BadUserInput(f"labels has {len(labels):,} items, and at most {_MOST_LABELS:,} are accepted")
    if search is not None:
        check_text(search, "search", most_bytes=_MOST_SEARCH_BYTES, empty=True)
    window = window_of(_CURSORS, *page)
    listing = list_entities(info.context.backend.database, owner, labels=labels, search=search)
    return await connect(info, listing, _CURSORS, window)
