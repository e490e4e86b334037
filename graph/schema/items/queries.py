"""Reading items."""

from __future__ import annotations

import strawberry

from graph.execution.fields import as_source, resolved
from graph.execution.selection import Selection
from graph.operations.items import NamespaceMatch, find_item
from graph.schema.context import Info
from graph.schema.items.listing import (
    Filter,
    ItemArguments,
    ItemKey,
    MaxDepth,
    Namespace,
    NamespacePrefix,
    Prefix,
    Query,
    Suffix,
    UserId,
    connect_items,
    connect_namespaces,
)
from graph.schema.items.types import Item, ItemConnection, ItemNamespace
from graph.schema.relay import CONNECTION, After, Before, Connection, First, Last


@strawberry.type
class ItemQueries:
    """Queries on items."""

    @strawberry.field(description="An item of a user. Null for an unknown item or user.")
    async def item(self, info: Info, user_id: UserId, namespace: Namespace, key: ItemKey) -> Item | None:
        context = info.context
        fields = Selection.of(info).reads()
        return as_source(await find_item(context.backend, context.scope, user_id, (namespace, key), fields))

    @resolved(
        size=CONNECTION,
        description="The items of a user, in the order of namespaces and keys; with a query, best first, each item that"
        " has a text. Empty for an unknown user.",
    )
    async def items(
        self,
        info: Info,
        *,
        user_id: UserId,
        namespace_prefix: NamespacePrefix = None,
        filter: Filter = None,  # noqa: A002
        query: Query = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> ItemConnection:
        arguments = ItemArguments(user_id, namespace_prefix, filter, query)
        paging = (first, after, last, before)
        return as_source(await connect_items(info, arguments, paging))

    @resolved(
        size=CONNECTION, description="The namespaces in which a user has items, in order. Empty for an unknown user."
    )
    async def item_namespaces(
        self,
        info: Info,
        *,
        user_id: UserId,
        prefix: Prefix = None,
        suffix: Suffix = None,
        max_depth: MaxDepth = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[ItemNamespace]:
        match = NamespaceMatch(prefix or (), suffix or (), max_depth)
        return as_source(await connect_namespaces(info, user_id, match, (first, after, last, before)))
