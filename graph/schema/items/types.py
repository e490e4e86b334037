"""Items: JSON objects of a user, by namespace and key."""

from __future__ import annotations

from datetime import datetime

import strawberry

from graph.execution.fields import computed, stored
from graph.execution.size import PAGE
from graph.schema.node import DocumentType, Node, global_id
from graph.schema.relay import PageInfo
from graph.schema.scalars import JSON
from graph.store.documents import Document
from graph.store.item_documents import NEVER


@strawberry.type(description="A JSON object that an application keeps for a user, under a namespace and a key.")
class Item(Node, DocumentType):
    """The source is a document of `items`."""

    id: strawberry.ID = computed(lambda item: global_id("Item", item["_id"]), "_id", description="Opaque global id.")
    user_id: strawberry.ID = stored("userId", description="The application's own id of the user that it belongs to.")
    namespace: list[str] = stored("namespace", description="The labels of its namespace.")
    key: str = stored("key", description="Its key in the namespace.")
    value: JSON = stored("value", description="The JSON object, unchanged.")
    revision: int = stored("revision", description="1 for a new item; grows with each `putItems` of it.")
    created_at: datetime = stored("createdAt", description="Time of the creation.")
    updated_at: datetime = stored("updatedAt", description="Time of the last `putItems`.")
    ttl: float | None = stored(
        "ttl", default=None, description="The minutes from a `putItems` or `renewItems` to the expiry, or null."
    )
    expires_at: datetime | None = computed(
        lambda item: None if item["expiresAt"].year == NEVER.year else item["expiresAt"],
        "expiresAt",
        description="The time from which the item is as deleted, or null.",
    )


@strawberry.type(description="An item of a list.")
class ItemEdge(DocumentType):
    """Built by `graph.schema.items.listing`."""

    cursor: str = stored("cursor", description="An opaque cursor of the item in the list, for `after` and `before`.")
    score: float | None = stored(
        "score",
        default=None,
        description="With a query: the relevance, from 0 to 1; comparable within one answer. Null without one.",
    )
    node: Item = stored("node", description="The item.")


@strawberry.type(description="A page of items.")
class ItemConnection(DocumentType):
    """Built by `graph.schema.items.listing`."""

    edges: list[ItemEdge] = stored("edges", size=PAGE, description="The items of the page.")
    page_info: PageInfo = stored(
        "pageInfo", description="Whether more items follow, and the cursors for further pages."
    )
    total_count: int = stored("totalCount", description="Number of items of the whole list.")


def _namespace_id(namespace: Document) -> strawberry.ID:
    user_id: str = namespace["userId"]
    return global_id("ItemNamespace", f"{len(user_id)}:{user_id}{namespace['path']}")


@strawberry.type(description="A namespace in which a user has items, or the beginning of some.")
class ItemNamespace(Node, DocumentType):
    """The source is made by `graph.operations.items`."""

    id: strawberry.ID = computed(_namespace_id, "userId", "path", description="Opaque global id.")
    namespace: list[str] = stored("namespace", description="Its labels.")
