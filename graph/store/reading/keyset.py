"""Keyset pagination: the items between two keys of an index, in its order.

A page is found by its first key, not by the number of items before it, so each page costs the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graph.store.documents import Document
from graph.store.driver.answer import read_fitting, refuse_answer
from graph.store.driver.collection import AnyCollection
from graph.store.reading.projection import projection

Key: TypeAlias = tuple[Any, ...]
"""The values of a listing's keys on one item, which are its place."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Documents of one collection in the order of one of its indexes.

    Attributes:
        collection: the collection.
        match: the filter; its fixed fields are the first keys of the index.
        keys: one or two paths of the order, the last one unique among the matching documents.
        index: the key paths of the index to use; None lets MongoDB choose, if no index is always the best.
        descending: whether the greatest key comes first.
        rename: stored names by the names that callers use.
        shape: converts a document to the form for callers.
    """

    collection: AnyCollection
    match: Mapping[str, object]
    keys: tuple[str, ...]
    index: Sequence[str] | None
    descending: bool = False
    rename: Mapping[str, str] = field(default_factory=dict)
    shape: Callable[[Document], Document] = lambda document: document

    @property
    def hint(self) -> list[tuple[str, int]] | None:
        """Return the index in the driver's form."""
        return None if self.index is None else [(path, 1) for path in self.index]

    def place(self, document: Document) -> Key:
        """Return the key of a document from `page`."""
        back = {stored: name for name, stored in self.rename.items()}
        return tuple(document[back.get(path, path)] for path in self.keys)


@dataclass(frozen=True, slots=True)
class Items:
    """A list that was read whole, in the order of its keys.

    Attributes:
        items: the items.
        keys: the names of the fields of the order, the last one unique.
    """

    items: Sequence[Document]
    keys: tuple[str, ...]

    def place(self, item: Document) -> Key:
        """Return the key of an item."""
        return tuple(item[name] for name in self.keys)

    def page(self, window: Window) -> Page:
        """Return one page."""
        start = 0 if window.after is None else bisect_right(self.items, window.after, key=self.place)
        stop = len(self.items) if window.before is None else bisect_left(self.items, window.before, key=self.place)
        size = max(0, stop - start)
        if window.backwards:
            start = max(start, stop - window.size)
        return Page(list(self.items[start : min(stop, start + window.size)]), size > window.size)

    def any_outside(self, until: Key | None, since: Key | None) -> bool:
        """Whether there is an item at or before `until`, and at or after `since`."""
        return any(
            (until is None or self.place(item) <= until) and (since is None or self.place(item) >= since)
            for item in self.items
        )


@dataclass(frozen=True, slots=True)
class Window:
    """The requested part of a listing.

    Attributes:
        size: maximum number of items.
        backwards: whether to take the last items between the keys, instead of the first.
        after: only items after this key, which need not exist.
        before: only items before this key, which need not exist.
    """

    size: int
    backwards: bool = False
    after: Key | None = None
    before: Key | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Items in the listing's order.

    Attributes:
        items: at most the requested number.
        more: whether the part between the keys has more items, on the side of the cut.
    """

    items: list[Document]
    more: bool


async def page(listing: Listing | Items, window: Window, fields: Collection[str], *, whole: bool = False) -> Page:
    """Read one page, each item with `fields` and the listing's keys; shorter if the answer can't hold its bytes.

    Args:
        listing: the list.
        window: the part of it.
        fields: the paths to read of each item.
        whole: whether a page that does not fit is refused.

    Raises:
        TooCostly: the page is refused, or not even one item fits.
    """
    if isinstance(listing, Items):
        return listing.page(window)
    back = {stored: name for name, stored in listing.rename.items()}
    paths = {*fields, *(back.get(path, path) for path in listing.keys)}
    direction = -1 if listing.descending is not window.backwards else 1
    found, is_cut = await read_fitting(
        listing.collection,
        _between(listing, window.after, window.before),
        projection(paths, listing.rename),
        sort=[(path, direction) for path in listing.keys],
        limit=window.size + 1,
        hint=listing.hint,
    )
    if is_cut and len(found) < window.size and (whole or not found):
        refuse_answer()
    more = is_cut or len(found) > window.size
    items = [listing.shape(document) for document in found[: window.size]]
    if window.backwards:
        items.reverse()
    return Page(items, more)


async def any_outside(listing: Listing | Items, *, until: Key | None = None, since: Key | None = None) -> bool:
    """Whether the listing has an item at or before `until`, or at or after `since`."""
    if isinstance(listing, Items):
        return listing.any_outside(until, since)
    found = await listing.collection.find_one(
        _between(listing, since, until, inclusive=True),
        projection(listing.keys),
        sort=[(path, -1 if listing.descending else 1) for path in listing.keys],
        hint=listing.hint,
    )
    return found is not None


async def count(listing: Listing | Items) -> int:
    """Return the number of items of the listing."""
    if isinstance(listing, Items):
        return len(listing.items)
    if listing.hint is None:
        return await listing.collection.count_documents(listing.match)
    return await listing.collection.count_documents(listing.match, hint=listing.hint)


def _between(listing: Listing, after: Key | None, before: Key | None, *, inclusive: bool = False) -> Document:
    low, high = (before, after) if listing.descending else (after, before)
    bounds = []
    if low is not None:
        bounds.append(_bound(listing.keys, low, "$gt", inclusive=inclusive))
    if high is not None:
        bounds.append(_bound(listing.keys, high, "$lt", inclusive=inclusive))
    return {"$and": [dict(listing.match), *bounds]} if bounds else dict(listing.match)


def _bound(keys: tuple[str, ...], key: Key, operator: str, *, inclusive: bool) -> Document:
    last = operator + "e" if inclusive else operator
    if len(keys) == 1:
        return {keys[0]: {last: key[0]}}
    # The first condition bounds the scan of the index; the second one decides among entries of equal first key.
    return {
        keys[0]: {operator + "e": key[0]},
        "$or": [{keys[0]: {operator: key[0]}}, {keys[1]: {last: key[1]}}],
    }
