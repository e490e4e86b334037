"""Pages of lists: their bounds, and their reads."""

from __future__ import annotations

from collections.abc import Collection

from graph.operations import validation
from graph.store.reading import keyset
from graph.store.reading.keyset import Items, Key, Listing, Page, Window


def window_of(
    first: int | None,
    last: int | None,
    *,
    after: Key | None = None,
    before: Key | None = None,
    most: int = validation.MAX_PAGE,
) -> Window:
    """Return the window of a list between two places: its first items, or its last ones, at most `most`.

    Raises:
        BadUserInput: a number is out of range, or both are given.
    """
    return Window(validation.check_page(first, last, most), last is not None, after, before)


async def read_page(listing: Listing | Items, window: Window, fields: Collection[str], *, whole: bool = False) -> Page:
    """Read one page, each item with `fields` and the keys of the list; shorter if the answer can't hold its bytes.

    Args:
        listing: the list.
        window: the part of it.
        fields: the paths to read of each item.
        whole: whether a page that does not fit is refused.

    Raises:
        BadUserInput: the page is larger than a page may be.
        TooCostly: the page is refused, or not even one item fits.
    """
    validation.check_limit(window.size)
    return await keyset.page(listing, window, fields, whole=whole)


async def any_outside(listing: Listing | Items, *, until: Key | None = None, since: Key | None = None) -> bool:
    """Whether the list has an item at or before `until`, or at or after `since`."""
    return await keyset.any_outside(listing, until=until, since=since)


async def count(listing: Listing | Items) -> int:
    """Return the number of items of a list."""
    return await keyset.count(listing)
