"""Mutations on items."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from graph.execution.fields import as_source, stored
from graph.execution.selection import Selection
from graph.execution.size import PAGE, Size
from graph.operations import items
from graph.operations.items import ItemToPut
from graph.schema.context import Info
from graph.schema.items.types import Item
from graph.schema.node import DocumentType, global_id
from graph.schema.rights import mutation
from graph.schema.scalars import JSON

_SENT = Size(items.MAX_AT_ONCE, items.MAX_AT_ONCE, ("input.items",))


@strawberry.input(description="An item to store.")
class ItemInput:
    """An item of `putItems`."""

    namespace: list[str] = strawberry.field(
        description="The labels of its namespace: 1 to 16, each of at most 256 bytes."
    )
    key: str = strawberry.field(description="Its key in the namespace, at most 512 bytes.")
    value: JSON = strawberry.field(description="Any JSON object, at most 256 KiB.")
    ttl: float | None = strawberry.field(
        default=None, description="Minutes until the item expires; `renewItems` begins them again."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="A time to come: from then on, the item is as deleted. Not together with ttl."
    )
    index: list[str] | None = strawberry.field(
        default=None,
        description="Paths to the texts by which a search finds the item, at most 20: `title`, `author.name`,"
        " `chapters[*].text`, `tags[0]`, `*`, or `$` for the whole value. Null for the whole value; empty for none."
        " Of an item, 8 texts with 10,000 characters together are compared.",
    )
    expected_revision: int | None = strawberry.field(
        default=None,
        description="The `Item.revision` that you read, or 0 for an item that must not exist. CONFLICT otherwise, with"
        " the current one in `extensions.revision`.",
    )


@strawberry.input(description="The place of an item.")
class ItemPlace:
    """An item of `deleteItems` and `renewItems`."""

    namespace: list[str] = strawberry.field(description="The labels of its namespace.")
    key: str = strawberry.field(description="Its key in the namespace.")


@strawberry.input(description="Items of a user to store.")
class PutItemsInput:
    """The argument of `putItems`."""

    user_id: strawberry.ID = strawberry.field(
        description="Your own id of the user, at most 512 bytes; an unknown user is created."
    )
    items: list[ItemInput] = strawberry.field(description="1 to 100 items, at different places.")


@strawberry.input(description="Items of a user to renew.")
class RenewItemsInput:
    """The argument of `renewItems`."""

    user_id: strawberry.ID = strawberry.field(description="Your own id of the user.")
    items: list[ItemPlace] = strawberry.field(description="The places of 1 to 100 items.")


@strawberry.input(description="Items of a user to delete.")
class DeleteItemsInput:
    """The argument of `deleteItems`."""

    user_id: strawberry.ID = strawberry.field(description="Your own id of the user.")
    items: list[ItemPlace] = strawberry.field(description="The places of 1 to 100 items.")


@strawberry.type(description="The result of `putItems`.")
class PutItemsPayload(DocumentType):
    """The source's `items` are whole documents."""

    items: list[Item] = stored("items", size=PAGE, description="The stored items, in the order of the input.")


@strawberry.type(description="The result of `renewItems`.")
class RenewItemsPayload(DocumentType):
    """The source's `items` have the selected fields."""

    items: list[Item] = stored("items", size=PAGE, description="The items that exist, in the order of the input.")


@strawberry.type(description="The result of `deleteItems`.")
class DeleteItemsPayload:
    """The identities of the deleted items."""

    deleted_ids: list[strawberry.ID] = strawberry.field(
        description="Global ids of the items that existed, for `@deleteRecord`, in no order."
    )


@strawberry.type
class ItemMutations:
    """Mutations on items."""

    @mutation(
        size=_SENT,
        description="Store items of a user, each in place of the one with its namespace and key; all or none. The same"
        " call again changes nothing but revisions and times. A user has at most 10,000 items: TOO_COSTLY beyond.",
    )
    async def put_items(
        self,
        info: Info,
        input: Annotated[PutItemsInput, strawberry.argument(description="The user and the items.")],  # noqa: A002
    ) -> PutItemsPayload:
        context = info.context
        sent = [
            ItemToPut(
                item.namespace,
                item.key,
                item.value,
                ttl=item.ttl,
                expires_at=item.expires_at,
                index=item.index,
                expected_revision=item.expected_revision,
            )
            for item in input.items
        ]
        stored_items = await items.put_items(context.backend, context.scope, input.user_id, sent)
        return as_source({"items": stored_items})

    @mutation(
        size=_SENT,
        description="Begin the time to live of items again, as a read of them may want, and read them. An item without"
        " `ttl` stays unchanged.",
    )
    async def renew_items(
        self,
        info: Info,
        input: Annotated[RenewItemsInput, strawberry.argument(description="The user and the places.")],  # noqa: A002
    ) -> RenewItemsPayload:
        context = info.context
        selected = Selection.of(info).below("items")
        places = [(item.namespace, item.key) for item in input.items]
        fields = selected.reads() if selected else ()
        renewed = await items.renew_items(context.backend, context.scope, input.user_id, places, fields)
        return as_source({"items": renewed})

    @mutation(description="Delete items of a user. An unknown item is no error.")
    async def delete_items(
        self,
        info: Info,
        input: Annotated[DeleteItemsInput, strawberry.argument(description="The user and the places.")],  # noqa: A002
    ) -> DeleteItemsPayload:
        context = info.context
        places = [(item.namespace, item.key) for item in input.items]
        deleted = await items.delete_items(context.backend, context.scope, input.user_id, places)
        return DeleteItemsPayload(deleted_ids=[global_id("Item", uuid) for uuid in deleted])
