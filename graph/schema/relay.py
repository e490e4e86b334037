"""Relay's Cursor Connections over keyset pages.

A connection's source is a plain document, `{"edges": [{"cursor", "node"}], "pageInfo": {…}, "totalCount"}`, which holds
only the selected parts.
"""

from __future__ import annotations

import binascii
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import orjson
import strawberry

from graph.errors import BadUserInput
from graph.execution.fields import stored
from graph.execution.selection import Selection
from graph.execution.size import PAGE, Size
from graph.operations import pages
from graph.operations.validation import DEFAULT_MATCHES, DEFAULT_PAGE, MAX_PAGE
from graph.schema.context import Info
from graph.schema.node import DocumentType
from graph.store.documents import Document
from graph.store.reading.keyset import Items, Key, Listing, Page, Window

T = TypeVar("T")

Paging: TypeAlias = tuple[int | None, str | None, int | None, str | None]
"""The arguments `first`, `after`, `last` and `before`."""

First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description="Return the first N items, 0 to 1,000; 20 without `first` and `last`. Not together with last."
    ),
]
After: TypeAlias = Annotated[
    str | None,
    strawberry.argument(description="Only items after this cursor, which stays valid after its item is deleted."),
]
Last: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description="Return the last N items (0 to 1,000), in the same order. Not together with `first`."
    ),
]
Before: TypeAlias = Annotated[
    str | None,
    strawberry.argument(description="Only items before this cursor, which stays valid after its item is deleted."),
]


CONNECTION = Size(MAX_PAGE, DEFAULT_PAGE, ("first", "last"))
"""The size of every connection."""

LIST = Size(MAX_PAGE, DEFAULT_PAGE, ("first",))
"""The size of the lists that have `first`."""

FirstOfList: TypeAlias = Annotated[
    int | None, strawberry.argument(description="Return the first N items, 0 to 1,000; 20 by default.")
]

MATCHES = Size(MAX_PAGE, DEFAULT_MATCHES, ("first",))
"""The size of the matches of an entity."""

FirstOfMatches: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description="Return the first N items, 0 to 1,000; 5 by default. `mentionCount` is the number of all."
    ),
]


@strawberry.type(description="The place of a page in its list (Relay's Cursor Connections).")
class PageInfo(DocumentType):
    """Built by `connect`."""

    has_next_page: bool = stored(
        "hasNextPage",
        description="Forwards: whether more items follow. Backwards (`last`): whether the list has items at or"
        " after `before`.",
    )
    has_previous_page: bool = stored(
        "hasPreviousPage",
        description="Backwards (`last`): whether more items precede. Forwards: whether the list has items at or before"
        " `after`.",
    )
    start_cursor: str | None = stored(
        "startCursor", description="Cursor of the page's first item, for `before`; null on an empty page."
    )
    end_cursor: str | None = stored(
        "endCursor", description="Cursor of the page's last item, for `after`; null on an empty page."
    )


@strawberry.type(description="An item of a list, with its place.")
class Edge(DocumentType, Generic[T]):
    """Built by `connect`."""

    cursor: str = stored("cursor", description="An opaque cursor of the item, for `after` and `before`.")
    node: T = stored("node", description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(DocumentType, Generic[T]):
    """Built by `connect`."""

    edges: list[Edge[T]] = stored("edges", size=PAGE, description="The page's items, in the list's order.")
    page_info: PageInfo = stored(
        "pageInfo", description="Whether more items follow, and the cursors for further pages."
    )
    total_count: int = stored("totalCount", description="Number of items of the whole list; counted only if selected.")


@dataclass(frozen=True, slots=True)
class Cursors:
    """The encoding of a list's cursors.

    Attributes:
        kind: the name of the list and its order, so that a cursor of another list is detected.
        types: the types of the values of a key: `int`, `str` or `datetime`.
    """

    kind: str
    types: tuple[type, ...]

    def write(self, key: Key) -> str:
        """The cursor of a place."""
        parts = [_milliseconds(value) if isinstance(value, datetime) else value for value in key]
        return urlsafe_b64encode(orjson.dumps([self.kind, *parts])).decode().rstrip("=")

    def read(self, cursor: str | None, name: str) -> Key | None:
        """Decode a cursor.

        Raises:
            BadUserInput: the text is not a cursor of this list.
        """
        if not cursor:  # clients send an empty cursor for the first page
            return None
        try:
            kind, *parts = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if kind == self.kind and len(parts) == len(self.types):
                key = tuple(map(_part, parts, self.types))
                if self.write(key) == cursor:
                    return key
        except (binascii.Error, ValueError, TypeError, OverflowError):
            pass
        raise BadUserInput(
            f"{name} is not a cursor of this list: send a cursor, startCursor or endCursor of the list unchanged,"
            f" with the"
            " same order"
        )


_EPOCH = datetime.fromtimestamp(0, UTC)


def _milliseconds(time: datetime) -> int:
    return math.floor((time - _EPOCH) / timedelta(milliseconds=1))


def _part(value: Any, kind: type) -> Any:
    """Decode one value of a key; a wrong type or size raises Python's own error."""
    if kind is str:
        if isinstance(value, str):
            return value
        raise TypeError
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    if kind is datetime:
        return _EPOCH + timedelta(milliseconds=value)
    if not 0 <= value < 2**63:
        raise OverflowError
    return value


def window_of(
    cursors: Cursors,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    *,
    most: int = MAX_PAGE,
) -> Window:
    """Check the arguments of a connection whose pages have at most `most` items.

    Raises:
        BadUserInput: a number is out of range, both are given, or a cursor is not of this list.
    """
    keys = {"after": cursors.read(after, "after"), "before": cursors.read(before, "before")}
    return pages.window_of(first, last, **keys, most=most)


def cut_range(window: Window, start: int, stop: int) -> tuple[int, int, bool]:
    """Return the part of a range of places that a window takes, and whether the window cuts the range."""
    if stop - start <= window.size:
        return start, stop, False
    return (stop - window.size, stop, True) if window.backwards else (start, start + window.size, True)


def page_info_of(window: Window, cursors: Sequence[str], *, more: bool) -> Document:
    """Return the source of `PageInfo` for a list in memory; an item is taken to be on each side that has a cursor.

    Args:
        window: the requested part.
        cursors: the cursors of the page, in order; the first and the last are enough.
        more: whether the window cut the list.
    """
    return {
        "hasNextPage": window.before is not None if window.backwards else more,
        "hasPreviousPage": more if window.backwards else window.after is not None,
        "startCursor": cursors[0] if cursors else None,
        "endCursor": cursors[-1] if cursors else None,
    }


async def connect(
    info: Info,
    listing: Listing | Items,
    cursors: Cursors,
    window: Window,
    *,
    total: Callable[[], Awaitable[int]] | None = None,
) -> Document:
    """Read the selected parts of a connection.

    Args:
        info: the resolve info of the connection's field.
        listing: the whole list.
        cursors: the encoding of the list's cursors.
        window: the requested part.
        total: the number of items of the list, if known.
    """
    selected = Selection.of(info)
    edges, page_info = selected.below("edges"), selected.below("pageInfo")
    source: Document = {}
    if edges or page_info:
        node = edges.below("node") if edges else None
        page = await pages.read_page(listing, window, node.reads() if node else ())
        source["edges"] = [{"cursor": cursors.write(listing.place(item)), "node": item} for item in page.items]
        source["pageInfo"] = await _page_info(listing, window, page, source["edges"], page_info)
    if selected.selects("totalCount"):
        source["totalCount"] = await (total() if total else pages.count(listing))
    return source


async def _page_info(
    listing: Listing | Items, window: Window, page: Page, edges: list[Document], selected: Selection | None
) -> Document:
    """Return Relay's `HasNextPage` and `HasPreviousPage`; the side that did not cut the page is read if selected."""
    info: Document = {
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
    }
    if window.backwards:
        info["hasPreviousPage"] = page.more
        if selected and selected.selects("hasNextPage"):
            info["hasNextPage"] = window.before is not None and await pages.any_outside(listing, since=window.before)
    else:
        info["hasNextPage"] = page.more
        if selected and selected.selects("hasPreviousPage"):
            info["hasPreviousPage"] = window.after is not None and await pages.any_outside(listing, until=window.after)
    return info
