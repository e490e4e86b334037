"""Calls on items."""

from __future__ import annotations

from typing import Any

from tests.support.graphql_client import Client

FIELDS = "id userId namespace key value revision createdAt updatedAt ttl expiresAt"
PUT = f"mutation($input: PutItemsInput!) {{ putItems(input: $input) {{ items {{ {FIELDS} }} }} }}"
RENEW = f"mutation($input: RenewItemsInput!) {{ renewItems(input: $input) {{ items {{ {FIELDS} }} }} }}"
DELETE = "mutation($input: DeleteItemsInput!) { deleteItems(input: $input) { deletedIds } }"
GET = f"query($u: ID!, $n: [String!]!, $k: String!) {{ item(userId: $u, namespace: $n, key: $k) {{ {FIELDS} }} }}"
LIST = """
query($u: ID!, $prefix: [String!], $filter: [ItemFilter!], $text: String, $first: Int, $after: String, $last: Int,
      $before: String) {
  items(userId: $u, namespacePrefix: $prefix, filter: $filter, query: $text, first: $first, after: $after, last: $last,
        before: $before) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor score node { namespace key value } }
  }
}
"""
NAMESPACES = """
query($u: ID!, $prefix: [String!], $suffix: [String!], $maxDepth: Int, $first: Int, $after: String, $last: Int) {
  itemNamespaces(userId: $u, prefix: $prefix, suffix: $suffix, maxDepth: $maxDepth, first: $first, after: $after,
                 last: $last) {
    totalCount pageInfo { hasNextPage hasPreviousPage endCursor } edges { node { id namespace } }
  }
}
"""


def item(namespace: str, key: str, value: Any, **more: Any) -> dict[str, Any]:
    """An item as it is sent; dots part the labels of its namespace."""
    return {"namespace": namespace.split("."), "key": key, "value": value, **more}


async def put(client: Client, user_id: str, *items: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored items."""
    stored: list[dict[str, Any]] = (await client.data(PUT, input={"userId": user_id, "items": list(items)}))[
        "putItems"
    ]["items"]
    return stored


async def get(client: Client, user_id: str, namespace: str, key: str) -> dict[str, Any] | None:
    """An item, or None."""
    found: dict[str, Any] | None = (await client.data(GET, u=user_id, n=namespace.split("."), k=key))["item"]
    return found


async def listed(client: Client, user_id: str, **arguments: Any) -> dict[str, Any]:
    """A page of items."""
    page: dict[str, Any] = (await client.data(LIST, u=user_id, **arguments))["items"]
    return page


async def keys(client: Client, user_id: str, **arguments: Any) -> list[str]:
    """The keys of a page of items."""
    return [edge["node"]["key"] for edge in (await listed(client, user_id, **arguments))["edges"]]


async def namespaces(client: Client, user_id: str, **arguments: Any) -> list[str]:
    """The namespaces of a page, their labels with dots between them."""
    page = (await client.data(NAMESPACES, u=user_id, **arguments))["itemNamespaces"]
    return [".".join(edge["node"]["namespace"]) for edge in page["edges"]]
