"""Keyset pages: what lies between two keys of an index, in its order.

A page is found by where it begins and not by how many items come before it, so each costs the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graph.store.documents import Document
from graph.store.driver.answer import read_fitting, refuse_answer
from graph.store.driver.collection import AnyCollection
from graph.store.projection import projection

Key: TypeAlias = tuple[Any, ...]
"""The values of a listing's keys on one item: its place."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Documents of one collection in the order of one of its indexes.

    Attributes:
        collection: the collection.
        match: the filter; what it fixes are the index's first keys.
        keys: one or two paths to order by, the last one unique among what matches.
        index: the index to use, as its key paths; None leaves it to MongoDB, where no one index is always the best.
        descending: whether the greatest comes first.
        rename: stored names by the names that callers use.
        shape: makes a document what callers expect.
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
        """The index, as the driver takes it."""
        return None if self.index is None else [(path, 1) for path in self.index]

    def place(self, document: Document) -> Key:
        """The key of a document as `page` gives it."""
        back = {stored: name for name, stored in self.rename.items()}
        return tuple(document[back.get(path, path)] for path in self.keys)


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a listing is asked for.

    Attributes:
        size: most items.
        backwards: the last ones of the part between the keys, not the first ones.
        after: only what comes after this key; nothing needs to stand there.
        before: only what comes before this key.
    """

    size: int
    backwards: bool = False
    after: Key | None = None
    before: Key | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Items in the listing's order.

    Attributes:
        items: at most as many as were asked for.
        more: whether the part between the keys has more, on the side where it was cut.
    """

    items: list[Document]
    more: bool


async def page(listing: Listing, window: Window, fields: Collection[str], *, whole: bool = False) -> Page:
    """One page, each item with `fields` and the listing's keys; shorter where its bytes do not fit into the answer.

    Args:
        listing: the list.
        window: the part of it.
        fields: the paths to read of each item.
        whole: whether a page that does not fit is refused.

    Raises:
        TooCostly: it is refused, or not even one item fits.
    """
    back = {stored: name for name, stored in listing.rename.items()}
    wanted = {*fields, *(back.get(path, path) for path in listing.keys)}
    direction = -1 if listing.descending is not window.backwards else 1
    found, is_cut = await read_fitting(
        listing.collection,
        _between(listing, window.after, window.before),
        projection(wanted, listing.rename),
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


async def any_outside(listing: Listing, *, until: Key | None = None, since: Key | None = None) -> bool:
    """Whether an item stands at or before `until`, or at or after `since`."""
    found = await listing.collection.find_one(
        _between(listing, since, until, inclusive=True),
        projection(listing.keys),
        sort=[(path, -1 if listing.descending else 1) for path in listing.keys],
        hint=listing.hint,
    )
    return found is not None


async def count(listing: Listing) -> int:
    """How many items the listing has."""
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
    # The first condition bounds the scan of the index; the second one decides among those of equal first key.
    return {
        keys[0]: {operator + "e": key[0]},
        "$or": [{keys[0]: {operator: key[0]}}, {keys[1]: {last: key[1]}}],
    }
