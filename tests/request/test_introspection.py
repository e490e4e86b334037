"""Introspection: executed on a thread, since its answer is written at once and may be as large as the cost allows."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query
from starlette.applications import Starlette

from graph.operations.backend import Backend
from graph.store.database import Database
from tests.support.executing import execute_prepared, execute_stock
from tests.support.graphql_client import ADD, OCTAVIA, Client

WHOLE = get_introspection_query(specified_by_url=True, directive_is_repeatable=True, schema_description=True)
TYPES = "types { name fields { name args { name type { name } } type { name } } }"


async def test_introspection_of_the_highest_cost_leaves_the_event_loop_free(client: Client) -> None:
    """Each test fails where the loop is held: see `tests.support.loop_plugin`."""
    aliases = " ".join(f"a{number}: {TYPES}" for number in range(29))
    answer = await client.http.post("/graphql", json={"query": f"{{ __schema {{ {aliases} }} }}"}, timeout=60)
    assert len(answer.json()["data"]["__schema"]) == 29


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        '{ first: __typename memory(sessionId: "s") { tokenCount } __schema { queryType { name } } last: __typename }',
        'fragment F on __Type { name fields { name } } { __type(name: "ID") { ...F } memory(sessionId: "s") { id } }',
        "{ ... on Query { ...F } } fragment F on Query { __schema { __typename } session(sessionId: 5) { id } }",
        'query ($yes: Boolean = false) { __schema @include(if: $yes) { __typename } a: __type(name: "ID") { name } }',
        'mutation { deleteSession(input: {sessionId: "unknown"}) { __typename } }',
    ],
)
async def test_introspection_beside_other_fields_is_as_the_stock_executor_gives_it(
    app: Starlette, client: Client, database: Database, text: str
) -> None:
    del database
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    backend: Backend = app.state.backend
    data, errors = await execute_prepared(backend, text)
    stock, stock_errors = await execute_stock(backend, text)
    assert data == stock
    assert list(data or {}) == list(stock or {})
    assert [error.formatted for error in errors] == [error.formatted for error in stock_errors]
