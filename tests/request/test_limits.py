"""What an operation may be like and may cost, and how much a caller may cause over time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.app import create_app
from graph.errors import StartupError, TooCostly
from graph.execution.internals import core_schema
from graph.request.cost import operation_cost
from graph.request.limits import Limits, check_limits
from graph.request.trusted import TrustedDocuments
from graph.schema.build import build_schema
from graph.settings import Settings, load_settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, changed, served_with, token
from tests.support.graphql_client import ADD, OCTAVIA, Client, serving
from tests.support.tcp import closed_at_end

MEMORY = 'memory(sessionId: "s")'
HEAVY = "entities { matches(first: 1000) { text } }"
SCHEMA = core_schema(build_schema())


def cost(query: str, variables: dict[str, Any] | None = None) -> int:
    document = parse(query)
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return operation_cost(SCHEMA, document, operation, variables or {}, Settings.model_construct())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ __typename }", 1),
        (f"{{ {MEMORY} {{ uuid }} }}", 1),
        (f"{{ {MEMORY} {{ messages {{ uuid }} }} }}", 1 + 12),
        (f"{{ {MEMORY} {{ messages(last: 100) {{ uuid }} }} }}", 1 + 100),
        (f"{{ {MEMORY} {{ messages(last: 100) {{ entities {{ name }} }} }} }}", 1 + 100 * (1 + 20)),
        (
            f"{{ {MEMORY} {{ messages(last: 100) {{ entities {{ matches(first: 2) {{ text }} }} }} }} }}",
            1 + 100 * (1 + 20 * 3),
        ),
        (f"{{ {MEMORY} {{ entities(first: 3) {{ matches {{ text }} }} }} }}", 1 + 3 * (1 + 5)),
        ("{ sessions { edges { node { uuid } } pageInfo { endCursor } } }", 1 + 20 * 2 + 1),
        ("{ sessions(last: 3) { edges { node { messages(first: 2) { totalCount } } } } }", 1 + 3 * 3),
        ('{ nodes(ids: ["a", "b"]) { id } }', 2),
        ('{ nodes(ids: "a") { id } }', 1),
        ("{ sessions { edges { node { memories(first: 1) { edges { node { messages { uuid } } } } } } } }", 20_101),
        ('{ __type(name: "PageInfo") { fields { name } } }', 1 + 4),
        ('{ __type(name: "PageInfo") { ...F } } fragment F on __Type { fields { type { ofType { name } } } }', 11),
        (f"{{ {MEMORY} {{ messages(last: 0) {{ uuid }} }} }}", 1),
        (f"{{ {MEMORY} {{ messages(last: -5) {{ uuid }} }} }}", 1),
        (f"{{ a: {MEMORY} {{ uuid }} b: {MEMORY} {{ uuid }} }}", 2),
        (f"{{ {MEMORY} @skip(if: true) {{ messages {{ uuid }} }} }}", 1),
        (f"{{ {MEMORY} @include(if: false) {{ messages {{ uuid }} }} }}", 1),
        (f"{{ ...F ...F }} fragment F on Query {{ {MEMORY} {{ messages(last: 9) {{ uuid }} }} }}", 20),
        ("mutation { addMemory(input: {messages: [{}, {}]}) { memory { messages { uuid } } } }", 10 + 1 + 1 + 2),
        ("mutation { addMemory(input: {messages: {}}) { memory { messages { uuid } } } }", 10 + 1 + 1 + 1),
        (
            """mutation { ...F } fragment F on Mutation { a: addMemory(input: {}) { replayed } ...G }
            fragment G on Mutation { b: addMemory(input: {}) { replayed } deleteUser(input: {}) { __typename } }""",
            3 * 10 + 3,
        ),
    ],
)
def test_the_cost_is_the_objects_that_the_answer_can_hold(query: str, expected: int) -> None:
    assert cost(query) == expected


def test_the_cost_follows_variables_and_their_defaults() -> None:
    query = f"query Q($n: Int = 7, $no: Boolean) {{ {MEMORY} {{ messages(last: $n) @skip(if: $no) {{ uuid }} }} }}"
    assert cost(query) == 1 + 7
    assert cost(query, {"n": 50}) == 1 + 50
    assert cost(query, {"n": 50, "no": True}) == 1
    assert cost(query, {"n": 50.0}) == 1 + 50  # an Int, as GraphQL has it
    assert cost(query, {"n": "many"}) == 1 + 12
    assert cost(query, {"n": 2**31}) == 1 + 1000  # which is then refused as too many at once


def test_fragments_that_use_each_other_are_counted_without_being_written_out() -> None:
    links = "\n".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(100))
    query = f"{{ ...F0 }} {links} fragment F100 on Query {{ {MEMORY} {{ uuid }} }}"
    began = time.thread_time()
    assert cost(query) == 2**100
    with pytest.raises(TooCostly):
        check_limits(parse(query), Limits(0, 0, 0, 0, 0, 20, 0, 0))
    assert time.thread_time() - began < 5


MESSAGES = '{ role: "human", content: "x" } ' * 150
LONG = f'mutation {{ addMemory(input: {{ sessionId: "s", messages: [{MESSAGES}] }}) {{ replayed }} }}'
LIMITED: list[tuple[str, str, str]] = [
    ("max_query_tokens", LONG, "tokens"),
    ("max_depth", "{ " + "a { " * 16 + "b" + " }" * 17, "levels"),
    ("max_aliases", "{ " + " ".join(f"a{n}: __typename" for n in range(31)) + " }", "aliases"),
    ("max_directives", "{ __typename " + "@include(if: true) " * 6 + "}", "directives"),
    ("max_root_fields", "{ " + "__typename " * 21 + "}", "root"),
    ("max_fields", f"{{ {MEMORY} {{ {'uuid ' * 251} }} }}", "on one object"),
    ("max_cost", f"{{ {MEMORY} {{ messages(last: 1000) {{ {HEAVY} }} }} }}", "objects"),
]


@pytest.mark.parametrize("case", LIMITED, ids=[name for name, _, _ in LIMITED])
async def test_each_limit_refuses_and_can_be_switched_off(
    settings: Settings, mongodb_uri: str, database: Database, case: tuple[str, str, str]
) -> None:
    del database
    setting, query, said = case
    async with served_with(settings, mongodb_uri) as client:
        error = await client.error(query)
        assert error["code"] == "TOO_COSTLY"
        assert said in error["message"]
    off = dict.fromkeys(
        (
            "max_text",
            "max_query_tokens",
            "max_depth",
            "max_aliases",
            "max_directives",
            "max_root_fields",
            "max_fields",
            "max_comparisons",
        ),
        0,
    )
    async with served_with(settings, mongodb_uri, **{**off, setting: 0}) as client:
        answer = await client.send(query)
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert setting == "max_cost" or "TOO_COSTLY" not in codes
        assert codes <= {"BAD_USER_INPUT", "TOO_COSTLY"}


async def test_a_refusal_says_what_was_asked_for_and_what_is_allowed(client: Client) -> None:
    error = await client.error(f"{{ {MEMORY} {{ messages(last: 1000) {{ {HEAVY} }} }} }}")
    assert error["extensions"]["cost"] == {"requested": 1 + 1000 * (1 + 20 * 1001), "allowed": 50_000}
    assert "first or last" in error["message"]


async def test_answers_say_their_cost_when_asked(settings: Settings, mongodb_uri: str, client: Client) -> None:
    query = f"{{ {MEMORY} {{ messages {{ uuid }} }} }}"
    assert "extensions" not in await client.send(query)
    asked = await client.http.post("/graphql", json={"query": query, "extensions": {"cost": True}})
    assert asked.json()["extensions"] == {"cost": {"requested": 13, "allowed": 50_000}}
    asked = await client.http.post("/graphql", json={"query": query}, headers={"x-recallql-cost": "1"})
    assert asked.json()["extensions"]["cost"]["requested"] == 13
    async with served_with(settings, mongodb_uri, report_cost=True) as always:
        assert (await always.send(query))["extensions"]["cost"]["requested"] == 13


async def test_a_whole_number_written_as_a_float_costs_as_much(client: Client) -> None:
    query = f"query ($n: Int) {{ {MEMORY} {{ messages(last: $n) {{ id }} }} }}"
    for number in (2.0, 700.0, 700):
        answer = await client.http.post(
            "/graphql", json={"query": query, "variables": {"n": number}, "extensions": {"cost": True}}
        )
        assert "errors" not in answer.json()
        assert answer.json()["extensions"]["cost"]["requested"] == 1 + number


async def test_the_explorers_own_query_is_within_the_limits(client: Client) -> None:
    query = get_introspection_query(specified_by_url=True, directive_is_repeatable=True, schema_description=True)
    assert (await client.data(query))["__schema"]["queryType"]["name"] == "Query"


async def test_a_budget_is_spent_by_caller_and_refills(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    query = f"{{ {MEMORY} {{ messages(last: 99) {{ uuid }} }} }}"
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET), user_budget=250) as client:
        as_caller(client, token("ada"))
        assert [("errors" in await client.send(query)) for _ in range(3)] == [False, False, True]
        response = await client.http.post("/graphql", json={"query": query})
        assert response.status_code == 429
        assert 0 < int(response.headers["retry-after"]) <= 60
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "TOO_COSTLY"
        assert error["extensions"]["cost"] == {"requested": 100, "allowed": 250}
        as_caller(client, token("bob"))
        assert "errors" not in await client.send(query)
        as_caller(client, token("ada"))
        async with asyncio.timeout(60):  # 250 a minute are 12 in 3 seconds
            while "errors" in await client.send(f"{{ {MEMORY} {{ messages(last: 9) {{ uuid }} }} }}"):  # noqa: ASYNC110 - the budget tells nobody
                await asyncio.sleep(0.5)
        huge = await client.error(f"{{ {MEMORY} {{ messages(last: 999) {{ uuid }} }} }}")
        assert "your budget is" in huge["message"]
    async with served_with(settings, mongodb_uri, service_budget=150) as client:
        assert [("errors" in await client.send(query)) for _ in range(2)] == [False, True]


def _manifest(path: Path, *texts: str) -> Path:
    path.write_text(json.dumps({hashlib.sha1(text.encode()).hexdigest(): text for text in texts}))  # noqa: S324 - codegen's default
    return path


async def test_trusted_documents_are_named_by_hash_and_can_be_all_there_is(
    settings: Settings, mongodb_uri: str, database: Database, tmp_path: Path
) -> None:  # fmt: skip
    del database
    text = "query Memory($id: ID!) { memory(sessionId: $id) { uuid } }"
    path = _manifest(tmp_path / "persisted-documents.json", text)
    sha256 = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    request = {"documentId": sha256, "variables": {"id": "s"}}
    for only in (False, True):
        async with served_with(settings, mongodb_uri, trusted_documents=path, trusted_documents_only=only) as client:
            assert (await client.http.post("/graphql", json=request)).json() == {"data": {"memory": None}}
            by_get = await client.http.get("/graphql", params={"documentId": sha256, "variables": '{"id": "s"}'})
            assert by_get.json() == {"data": {"memory": None}}
            own = {**request, "documentId": hashlib.sha1(text.encode()).hexdigest()}  # noqa: S324
            assert (await client.http.post("/graphql", json=own)).status_code == 200
            unknown = {**request, "documentId": "sha256:" + "0" * 64}
            assert (await client.http.post("/graphql", json=unknown)).status_code == 400
            both = {**request, "query": text}
            assert (await client.http.post("/graphql", json=both)).status_code == 400
            answer = await client.send("{ __typename }")
            assert ("errors" in answer) is only
            if only:
                assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_a_manifest_that_is_none_ends_the_start(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    with pytest.raises(StartupError, match="not a JSON object"):
        TrustedDocuments(load_settings(trusted_documents=wrong))
    with pytest.raises(StartupError, match="can't be read"):
        TrustedDocuments(load_settings(trusted_documents=tmp_path / "nothing.json"))
    with pytest.raises(StartupError, match="set RECALLQL_TRUSTED_DOCUMENTS"):
        TrustedDocuments(load_settings(trusted_documents_only=True))


class Slow:
    """A collection whose reads of one document never end.

    Attributes:
        cancelled: set when such a read is cancelled.
    """

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self.cancelled = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def find_one(self, *_: Any, **__: Any) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def test_a_client_that_goes_away_cancels_its_query(app: Starlette, client: Client) -> None:
    database = app.state.backend.database
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    slow = database.sessions = Slow(database.sessions)
    asking = asyncio.ensure_future(
        client.http.post("/graphql", json={"query": '{ session(sessionId: "s") { uuid } }'}, timeout=0.5)
    )
    with pytest.raises(Exception):  # noqa: B017, PT011 - httpx has several for a time-out
        await asking
    await asyncio.wait_for(slow.cancelled.wait(), 10)


async def test_a_query_that_takes_too_long_is_given_up(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    app = create_app(changed(settings, operation_timeout=0.2), mongodb_uri)
    async with serving(app) as client:
        backend = app.state.backend
        backend.database.sessions = Slow(backend.database.sessions)
        response = await client.http.post("/graphql", json={"query": '{ session(sessionId: "s") { uuid } }'})
        assert response.status_code == 503
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    async with served_with(settings, mongodb_uri, database_timeout=0.000_001) as client:
        assert (await client.error(f"{{ {MEMORY} {{ uuid }} }}"))["code"] == "UNAVAILABLE"


async def test_a_body_that_does_not_come_is_not_waited_for(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    async with served_with(settings, mongodb_uri, request_timeout=0.3) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.http.base_url.port)
        async with closed_at_end(writer):
            writer.write(
                b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
            )
            assert (await asyncio.wait_for(reader.read(), 60)).startswith(b"HTTP/1.1 408")


NAMES = st.sampled_from(
    ["memory", "session", "messages", "entities", "matches", "uuid", "message", "nodes", "edges", "node"]
)


@given(st.recursive(NAMES, lambda inner: st.tuples(NAMES, st.lists(inner, min_size=1, max_size=4)), max_leaves=30))
def test_limits_take_any_document(tree: Any) -> None:
    def text(node: Any) -> str:
        return node if isinstance(node, str) else f"{node[0]} {{ {' '.join(map(text, node[1]))} }}"

    check_limits(parse(f"{{ {text(tree)} }}"), Limits(0, 0, 0, 0, 0, 0, 0, 0))
