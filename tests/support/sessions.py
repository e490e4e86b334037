"""Sessions over GraphQL, as several test modules make, change and list them."""

from __future__ import annotations

from typing import Any

from tests.support.graphql_client import Client

CREATE = """mutation($input: CreateSessionInput!) { createSession(input: $input) {
  session { id sessionId uuid createdAt updatedAt metadata messageCount tokenCount user { userId } } } }"""
UPDATE = """mutation($input: UpdateSessionInput!) { updateSession(input: $input) {
  session { sessionId uuid createdAt updatedAt metadata user { userId } } } }"""
LIST = """query($first: Int, $after: String, $filter: SessionFilter, $order: SessionOrder) {
  sessions(first: $first, after: $after, filter: $filter, orderBy: $order) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { sessionId } } } }"""


async def create(client: Client, session_id: str, **more: Any) -> dict[str, Any]:
    session: dict[str, Any] = (await client.data(CREATE, input={"sessionId": session_id, **more}))["createSession"][
        "session"
    ]
    return session


async def listed(client: Client, **variables: Any) -> list[str]:
    sessions = (await client.data(LIST, **variables))["sessions"]
    names = [edge["node"]["sessionId"] for edge in sessions["edges"]]
    if "first" not in variables:
        assert sessions["totalCount"] == len(names)
    return names
