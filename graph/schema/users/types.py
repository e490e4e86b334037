"""Users: the persons or accounts that sessions belong to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graph.execution.fields import as_source, computed, resolved, stored
from graph.execution.selection import Selection
from graph.operations.entities import list_user_entities
from graph.operations.items import NamespaceMatch, find_item
from graph.operations.recall import SearchMode
from graph.operations.sessions import list_sessions
from graph.schema.context import Info
from graph.schema.entities.listing import Labels, Search, connect_entities
from graph.schema.entities.types import Entity
from graph.schema.items.listing import Filter as ItemsFilter
from graph.schema.items.listing import (
    ItemArguments,
    ItemKey,
    MaxDepth,
    Namespace,
    NamespacePrefix,
    Prefix,
    Suffix,
    connect_items,
    connect_namespaces,
)
from graph.schema.items.listing import Query as ItemsQuery
from graph.schema.items.types import Item, ItemConnection, ItemNamespace
from graph.schema.node import DocumentType, Node, global_id
from graph.schema.prompt_context import Context, ContextQuery, MaxTokens, context_of
from graph.schema.relay import CONNECTION, After, Before, Connection, First, Last, connect, window_of
from graph.schema.scalars import JSON, UUID
from graph.schema.search import RESULTS, Filter, MessageSearchConnection, Mode, Query, SearchArguments, found_page
from graph.schema.search import First as FirstFound
from graph.schema.search import Last as LastFound
from graph.schema.sessions.listing import OldestFirst, OrderArgument, SessionOrder, session_cursors
from graph.store.sessions import SessionFilter

if TYPE_CHECKING:
    from graph.schema.sessions.types import Session


@strawberry.type(description="A person or account. The application chooses its id.")
class User(Node, DocumentType):
    """The source is a document of `users`."""

    id: strawberry.ID = computed(lambda user: global_id("User", user["_id"]), "_id", description="Opaque global id.")
    user_id: strawberry.ID = stored("_id", description="The application's own id of the user.")
    uuid: UUID = stored("uuid", description="The UUID of the user, generated at its creation.")
    created_at: datetime = stored("createdAt", description="Time of the creation.")
    updated_at: datetime = stored("updatedAt", description="Time of the last change.")
    email: str | None = stored("email", default=None, description="The user's email address, if any.")
    first_name: str | None = stored("firstName", default=None, description="The first name; null if unknown.")
    last_name: str | None = stored("lastName", default=None, description="The last name; null if unknown.")
    retention_days: int | None = stored(
        "retentionDays",
        default=None,
        description="Days after its last change from which on a session of the user is as deleted, if the server's"
        " retention is not shorter; null for the server's.",
    )
    metadata: JSON = stored("metadata", description="A JSON object: the metadata sent with the user, merged.")

    @resolved("_id", size=CONNECTION, description="The user's sessions, oldest first by default.")
    async def sessions(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        order_by: OrderArgument = None,
    ) -> Connection[Annotated[Session, strawberry.lazy("graph.schema.sessions.types")]]:
        order: SessionOrder = order_by or OldestFirst
        cursors = session_cursors(order)
        window = window_of(cursors, first, after, last, before)
        listing = list_sessions(
            info.context.backend,
            info.context.scope,
            SessionFilter(user_id=root["_id"]),
            by=order.by,
            descending=order.descending,
        )
        return as_source(await connect(info, listing, cursors, window))

    @resolved(
        "_id",
        size=CONNECTION,
        description="Names in the messages of all its sessions, merged by label and name, most mentioned first.",
    )
    async def entities(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        labels: Labels = None,
        search: Search = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Entity]:
        listing = await list_user_entities(info.context.backend, root["_id"], labels=labels, search=search)
        return as_source(await connect_entities(info, listing, (first, after, last, before)))

    @resolved("_id", size=RESULTS, description="Search in the messages of its sessions, see `Query.search`.")
    async def search(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        query: Query,
        first: FirstFound = None,
        after: After = None,
        last: LastFound = None,
        before: Before = None,
        filter: Filter = None,  # noqa: A002
        mode: Mode = SearchMode.HYBRID,
    ) -> MessageSearchConnection:
        arguments = SearchArguments(query, user_id=root["_id"], filter_=filter, mode=mode)
        return as_source(await found_page(info, arguments, (first, after, last, before)))

    @resolved(
        "_id",
        description="The context for a prompt, of messages that a search finds in the user's sessions; `query` is"
        " required.",
    )
    async def context(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        max_tokens: MaxTokens,
        query: ContextQuery = None,
    ) -> Context:
        return as_source(await context_of(info, max_tokens, query=query, user_id=root["_id"]))

    @resolved("_id", description="An item of the user. Null for an unknown one.")
    async def item(root: strawberry.Parent[Any], info: Info, namespace: Namespace, key: ItemKey) -> Item | None:
        context = info.context
        fields = Selection.of(info).reads()
        return as_source(await find_item(context.backend, context.scope, root["_id"], (namespace, key), fields))

    @resolved("_id", size=CONNECTION, description="The user's items, see `Query.items`.")
    async def items(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        namespace_prefix: NamespacePrefix = None,
        filter: ItemsFilter = None,  # noqa: A002
        query: ItemsQuery = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> ItemConnection:
        arguments = ItemArguments(root["_id"], namespace_prefix, filter, query)
        paging = (first, after, last, before)
        return as_source(await connect_items(info, arguments, paging))

    @resolved("_id", size=CONNECTION, description="The namespaces in which the user has items, in order.")
    async def item_namespaces(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        prefix: Prefix = None,
        suffix: Suffix = None,
        max_depth: MaxDepth = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[ItemNamespace]:
        match = NamespaceMatch(prefix or (), suffix or (), max_depth)
        return as_source(await connect_namespaces(info, root["_id"], match, (first, after, last, before)))
