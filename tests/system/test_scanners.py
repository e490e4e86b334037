"""What public scanners of GraphQL services look for, in the settings of a production service.

The checks of graphql-cop (https://github.com/dolevf/graphql-cop) and of its like, in words of our own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from graphql import get_introspection_query

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.graphql_client import Client

PRODUCTION = {"introspection": False, "suggestions": False, "explorer": False, "console": False, "get_queries": False}


@pytest.fixture
async def production(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[Client]:
    """A service as it is set for production; callers are let in, so that the checks get as far as they can."""
    del database
    async with served_with(settings, mongodb_uri, **PRODUCTION) as client:
        yield client


async def refused(client: Client, query: str) -> str:
    """The message of a refusal, before anything was executed."""
    answer = await client.send(query)
    assert "data" not in answer, answer
    message: str = answer["errors"][0]["message"]
    return message


async def test_overload_by_aliases(production: Client) -> None:
    assert "aliases" in await refused(production, "{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }")


async def test_overload_by_directives(production: Client) -> None:
    answer = await production.send("{ __typename " + "@aa" * 10 + " }")
    assert len(answer["errors"]) == 1
    assert "directives" in answer["errors"][0]["message"]


async def test_overload_by_fields(production: Client) -> None:
    assert "fields" in await refused(production, "{ " + "__typename " * 500 + "}")


async def test_batches(production: Client) -> None:
    response = await production.http.post("/graphql", json=[{"query": "{ __typename }"}] * 10)
    assert response.status_code == 400
    assert "batch" in response.text


async def test_circular_introspection(production: Client, client: Client) -> None:
    query = "{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }"
    for service in (production, client):  # also where introspection is on
        await refused(service, query)


async def test_introspection(production: Client) -> None:
    assert "introspection" in (await refused(production, get_introspection_query())).lower()
    await refused(production, '{ __type(name: "Query") { name } }')
    assert await production.data("{ __typename }") == {"__typename": "Query"}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ memori { uuid } }", {}),
        ('{ memory(sessionID: "s") { uuid } }', {}),
        ('{ memory(sessionId: "s") { uuidd } }', {}),
        ("query Q($o: SessionOrde) { __typename }", {}),
        ("query Q($o: SessionOrder) { sessions(orderBy: $o) { totalCount } }", {"o": {"fiel": "CREATED_AT"}}),
        ("query Q($o: SessionOrder) { sessions(orderBy: $o) { totalCount } }", {"o": {"field": "CREATED"}}),
    ],
)
async def test_suggestions(production: Client, client: Client, query: str, variables: dict[str, object]) -> None:
    assert "Did you mean" in str(await client.send(query, **variables))
    answer = await production.send(query, **variables)
    assert answer["errors"]
    assert "Did you mean" not in str(answer)


async def test_mutations_and_queries_by_get(production: Client, client: Client) -> None:
    mutation = 'mutation { deleteSession(input: { sessionId: "s" }) { deletedId } }'
    for service in (production, client):
        assert (await service.http.get("/graphql", params={"query": mutation})).status_code == 405
    assert (await production.http.get("/graphql", params={"query": "{ __typename }"})).status_code == 405


async def test_forms(production: Client) -> None:
    form = await production.http.post("/graphql", data={"query": "{ __typename }"})
    assert form.status_code == 415
    files = {"operations": (None, '{"query": "{ __typename }"}'), "map": (None, "{}")}
    assert (await production.http.post("/graphql", files=files)).status_code == 415
    plain = await production.http.post(
        "/graphql", content='{"query": "{ __typename }"}', headers={"content-type": "text/plain"}
    )
    assert plain.status_code == 415


async def test_traces(production: Client) -> None:
    for headers in ({"x-apollo-tracing": "1"}, {"apollo-federation-include-trace": "ftv1"}, {"x-debug": "1"}):
        response = await production.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        assert response.json() == {"data": {"__typename": "Query"}}


async def test_explorers(production: Client) -> None:
    for path in ("/graphql", "/graphiql", "/playground", "/console", "/altair", "/graphql/assets/"):
        response = await production.http.get(path, headers={"accept": "text/html"})
        assert response.status_code in {400, 404, 405}, path
        assert "graphiql" not in response.text.lower()


async def test_errors_that_tell_too_much(production: Client) -> None:
    for query in ("queryy { __typename }", "{ memory(sessionId: 5) { uuid } }", "{" * 50, "{ \x00 }", "query { }"):
        text = str(await production.send(query))
        assert not any(word in text for word in ("Traceback", ".py", "graphql-core", "strawberry", "mongod", "pymongo"))


async def test_no_header_names_the_software(production: Client) -> None:
    response = await production.http.post("/graphql", json={"query": "{ __typename }"})
    assert not {"x-powered-by", "x-recallql-version"} & set(response.headers)
