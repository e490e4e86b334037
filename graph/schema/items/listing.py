"""The arguments and pages of lists of items and of namespaces."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import strawberry

from graph.errors import BadUserInput
from graph.execution.selection import Selection
from graph.operations import item_search, items, validation
from graph.operations.filters import MAX_CONDITIONS, FilterBounds, check_segments
from graph.operations.items import ItemSelection, NamespaceMatch
from graph.schema.context import Info
from graph.schema.relay import Cursors, Paging, connect, cut_range, page_info_of, window_of
from graph.schema.scalars import JSON
from graph.store.documents import Document
from graph.store.reading.keyset import Window
from graph.store.reading.metadata import ComparedValue, Condition, Existence, Key, Order, Ordered, Unequal

_ITEMS = Cursors("item", (str, str))
_NAMESPACES = Cursors("itemNamespace", (str,))
_ORDERS = {
    "greater_than": Order.GREATER,
    "at_least": Order.AT_LEAST,
    "less_than": Order.LESS,
    "at_most": Order.AT_MOST,
}


@strawberry.input(
    description="A condition on the value at a path in an item: give path or segments, and one of the comparisons."
    " Numbers are in an order with numbers, and texts with texts, by code points."
)
class ItemFilter:
    """An item of the argument `filter`."""

    path: str | None = strawberry.field(
        default=None, description="Keys from the outermost one, with dots between them: `customer.plan`."
    )
    segments: list[str] | None = strawberry.field(
        default=None,
        description="The path as a list of keys, which may have dots or be empty. In a list, a whole number is"
        " the index of an item, from 0.",
    )
    equals: JSON | None = strawberry.field(
        default=strawberry.UNSET,
        description="The JSON value at the path; numbers are compared by value, and objects independent of the order"
        " of their keys. null matches a null, not an absent value.",
    )
    not_equals: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="A JSON value that is not at the path; an absent value meets this."
    )
    greater_than: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="A number or text that the value is greater than."
    )
    at_least: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="A number or text that the value is equal to or greater than."
    )
    less_than: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="A number or text that the value is less than."
    )
    at_most: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="A number or text that the value is equal to or less than."
    )
    exists: bool | None = strawberry.field(
        default=None, description="Whether a value, null included, must or must not be at the path."
    )

    def checked(self, name: str, bounds: FilterBounds) -> Condition:
        """Return the condition for the store.

        Args:
            name: the caller's name of the condition.
            bounds: the counts of all filters of the operation.

        Raises:
            BadUserInput: the condition is refused.
        """
        if (self.path is None) == (self.segments is None):
            raise BadUserInput(f"{name} needs either path or segments")
        path: tuple[Key, ...]
        if self.segments is None:
            path = validation.check_path(self.path or "", f"{name}.path")
        else:
            path = check_segments(self.segments, f"{name}.segments")
        return path, bounds.add(path, self._compared(name), name)

    def _compared(self, name: str) -> ComparedValue:
        compared: list[ComparedValue] = []
        if self.equals is not strawberry.UNSET:
            compared.append(self.equals)
        if self.not_equals is not strawberry.UNSET:
            compared.append(Unequal(self.not_equals))
        for field, order in _ORDERS.items():
            value = getattr(self, field)
            if value is strawberry.UNSET:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise BadUserInput(f"{name} must compare with a number or a text in {field.replace('_', ' ')}")
            compared.append(Ordered(order, value))
        if self.exists is not None:
            compared.append(Existence.PRESENT if self.exists else Existence.ABSENT)
        if len(compared) != 1:
            raise BadUserInput(f"{name} needs one comparison, and has {len(compared)}: give one item for each")
        return compared[0]


UserId = Annotated[strawberry.ID, strawberry.argument(description="The application's own id of the user.")]
Namespace = Annotated[list[str], strawberry.argument(description="The labels of the item's namespace.")]
ItemKey = Annotated[str, strawberry.argument(description="The item's key in the namespace.")]
NamespacePrefix = Annotated[
    list[str] | None,
    strawberry.argument(description="Only items in namespaces that begin with these labels."),
]
Filter = Annotated[
    list[ItemFilter] | None, strawberry.argument(description="Only items that meet all these conditions, at most 20.")
]
Query = Annotated[
    str | None,
    strawberry.argument(
        description="A text to which the items are compared, up to 8 KiB: the list is then in the order of the score."
    ),
]
Prefix = Annotated[
    list[str] | None,
    strawberry.argument(description="Only namespaces that begin with these labels; `*` stands for any label."),
]
Suffix = Annotated[
    list[str] | None,
    strawberry.argument(description="Only namespaces that end with these labels; `*` stands for any label."),
]
MaxDepth = Annotated[
    int | None,
    strawberry.argument(
        description="Cut namespaces after this number of labels, and list those once that are then equal."
    ),
]


def checked_filter(filters: Sequence[ItemFilter] | None, bounds: FilterBounds) -> list[Condition]:
    """Return the conditions of a filter for the store.

    Raises:
        BadUserInput: a condition is refused, or there are too many.
    """
    conditions = filters or ()
    if len(conditions) > MAX_CONDITIONS:
        raise BadUserInput(f"filter has {len(conditions)} items, and at most {MAX_CONDITIONS} are accepted")
    return [condition.checked(f"filter[{place}]", bounds) for place, condition in enumerate(conditions)]


@dataclass(frozen=True, slots=True)
class ItemArguments:
    """The arguments of a list of items, of any field."""

    user_id: str
    namespace_prefix: Sequence[str] | None
    filter_: Sequence[ItemFilter] | None
    query: str | None


async def connect_items(info: Info, arguments: ItemArguments, paging: Paging) -> Document:
    """Return a page of the items of a user, as the source of a connection."""
    context = info.context
    conditions = checked_filter(arguments.filter_, context.filter_bounds)
    chosen = ItemSelection(arguments.user_id, arguments.namespace_prefix or (), conditions)
    if arguments.query is None:
        window = window_of(_ITEMS, *paging)
        return await connect(info, await items.list_items(context.backend, context.scope, chosen), _ITEMS, window)
    named = repr((chosen.user_id, list(chosen.prefix), arguments.query)).encode("utf-8", "surrogatepass")
    cursors = Cursors(f"items {zlib.crc32(named)}", (int, str))  # a cursor is refused with another query
    window = window_of(cursors, *paging)
    found = await item_search.search_items(context.backend, context.scope, chosen, arguments.query)
    return await _found_page(info, found, cursors, window)


async def _found_page(info: Info, found: Sequence[item_search.FoundItem], cursors: Cursors, window: Window) -> Document:
    """Return a page of the found items, without items that were deleted meanwhile."""
    start, stop = item_search.part_of(found, window.after, window.before)
    start, stop, is_cut = cut_range(window, start, stop)
    shown = found[start:stop]
    ends = (*shown[:1], *shown[-1:])
    selected = Selection.of(info).below("edges")
    edges: list[Document] = []
    if selected is not None and shown:
        node = selected.below("node")
        ids = [one.item_id for one in shown]
        context = info.context
        documents = {
            document["_id"]: document
            for document in await items.find_items(context.backend, context.scope, ids, node.reads() if node else ())
        }
        edges = [
            {
                "cursor": cursors.write(one.order),
                "score": one.millionths / 1_000_000,
                "node": documents[one.item_id],
            }
            for one in shown
            if one.item_id in documents
        ]
    return {
        "edges": edges,
        "pageInfo": page_info_of(window, [cursors.write(one.order) for one in ends], more=is_cut),
        "totalCount": len(found),
    }


async def connect_namespaces(info: Info, user_id: str, match: NamespaceMatch, paging: Paging) -> Document:
    """Return a page of the namespaces in which a user has items, as the source of a connection."""
    context = info.context
    window = window_of(_NAMESPACES, *paging)
    page, total = await items.list_namespaces(context.backend, context.scope, user_id, match, window)
    cursors = [_NAMESPACES.write(items.place_of_namespace(item)) for item in page.items]
    return {
        "edges": [{"cursor": cursor, "node": item} for cursor, item in zip(cursors, page.items, strict=True)],
        "pageInfo": page_info_of(window, cursors, more=page.more),
        "totalCount": total,
    }
