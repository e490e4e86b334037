"""Another user's things are as if they did not exist, on every path of the graph and of the Zep routes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLObjectType
from pydantic import SecretStr
from starlette.routing import Mount, Route

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.execution.internals import core_schema
from graph.schema.build import build_schema
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.zep.routes import zep_routes
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, Client
from tests.support.items import item, put
from tests.support.live_client import Socket
from tests.support.mentions import NAMES, read_once
from tests.support.walk import MARK, operations, selection

SCHEMA = core_schema(build_schema())
OFF = dict.fromkeys(
    (
        "max_text",
        "max_query_tokens",
        "max_depth",
        "max_aliases",
        "max_fields",
        "max_root_fields",
        "max_comparisons",
        "max_cost",
        "user_budget",
    ),
    0,
)
DEPTH = 4
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

ID_IS_TAKEN = {"addMemory", "createSession", "createUser"}
"""What makes something under an id of the caller's choice can't succeed where the id is taken: that is all it tells."""


@dataclass
class World:
    """Bob has a conversation; Ada is the caller, and has one about the same things."""

    client: Client
    database: Database
    backend_key: str
    ids: list[str]

    def unknown(self, text: str) -> str:
        """The same with every id of Bob's replaced by one that names nothing, of the same length."""
        text = text.replace("bob-chat", "nob-chat").replace('"bob"', '"nob"')
        return UUID.sub(lambda uuid: "deadbeef" + uuid[0][8:], text)

    def unknown_value(self, value: Any) -> Any:
        """A probe that names nothing."""
        if isinstance(value, list):
            return [self.unknown_value(item) for item in value]
        if value == "bob":
            return "nob"
        if isinstance(value, int):
            return value
        try:
            decoded = urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
        except ValueError:
            return self.unknown(value)
        changed = re.sub(r"\bbob\b(?!-)", "nob", self.unknown(decoded))
        if changed == decoded:
            return self.unknown(value)
        return urlsafe_b64encode(changed.encode()).decode().rstrip("=")


@pytest.fixture
async def world(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[World]:
    _, key = await create_key(database, "backend", Right.ADMIN)
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET), **OFF) as client:
        as_caller(client, key)
        for user, session in (("bob", "bob-chat"), ("ada", "ada-chat")):
            mark = {"note": MARK} if user == "bob" else {}
            messages = [{"role": "human", "content": content, "metadata": mark} for content in ("0 1 4", "1 7", "9 1")]
            await client.data(ADD, input={"sessionId": session, "userId": user, "messages": messages, "metadata": mark})
            await client.data(
                "mutation U($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }",
                input={"userId": user, "firstName": MARK if user == "bob" else "Ada", "metadata": mark},
            )
            value = {"note": MARK if user == "bob" else "Ada's"}
            await put(client, user, item("a", "k", value), item(f"a.{value['note']}", "other", value))
        while await read_once(database):
            continue
        first = await database.messages.find_one({"sessionId": "bob-chat", "seq": 2})
        assert first is not None
        await database.summaries.insert_one(
            {
                "_id": "11111111-2222-4333-8444-555555555555",
                "sessionId": "bob-chat",
                "firstSeq": 1,
                "lastSeq": 2,
                "lastMessageUuid": first["_id"],
                "content": MARK,
                "tokenCount": 1,
                "entities": [],
                "source": "EXTRACTIVE",
                "createdAt": now(),
            }
        )
        # What Bob said is his alone: a marker in place of the numbers that stand for names.
        await database.messages.update_many({"sessionId": "bob-chat"}, {"$set": {"content": MARK}})
        everything = selection(SCHEMA, SCHEMA.get_type("Session"), DEPTH)
        whole = await client.data(f'{{ session(sessionId: "bob-chat") {everything} }}')
        assert MARK in json.dumps(whole)
        ids = sorted(set(_ids(whole)))
        assert {text.partition(":")[0] for text in map(_decoded, ids)} >= {
            "Session", "Message", "Memory", "Summary", "User", "Entity", "Item", "ItemNamespace",
        }  # fmt: skip
        as_caller(client, token("ada"))
        yield World(client, database, key, ids)


def _decoded(global_id: str) -> str:
    return urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode()


def _ids(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _ids(item)]
    if isinstance(value, dict):
        own = [text for key, text in value.items() if key.endswith("_id") and isinstance(text, str)]
        return own + [found for item in value.values() for found in _ids(item)]
    return []


async def _probes(world: World) -> list[dict[str, Any]]:
    message = await world.database.messages.find_one({"sessionId": "bob-chat"})
    assert message is not None
    common = {"userId": "bob", "sessionId": "bob-chat", "uuid": message["_id"], "query": MARK, "maxTokens": 200}
    base: list[dict[str, Any]] = [
        {"sessionId": "bob-chat"},
        {"userId": "bob"},
        {"userId": "bob", "namespace": ["a"], "key": "k", "query": MARK, "prefix": ["a"], "namespacePrefix": ["a"]},
        {"uuid": message["_id"]},
        common,
        {"ids": world.ids[:40]},
        {"ids": [_encoded(text) for text in ("Session:bob-chat", "User:bob", f"Message:{message['_id']}")]},
    ]
    kinds = {re.sub(r"[0-9]", "", _decoded(found))[:12]: found for found in world.ids}  # one of each is enough
    return base + [{"id": found} for found in kinds.values()]


def _encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def _everything_of_bob(database: Database) -> str:
    found = {}
    for name in await database.client[database.name].list_collection_names():
        if name not in ("serviceKeys", "leases", "work"):
            documents = await database.client[database.name][name].find({}).to_list(None)
            found[name] = sorted(str(item) for item in documents if "bob" in str(item) or MARK in str(item))
    return json.dumps(found)


def _comparable(world: World, answer: dict[str, Any]) -> str:
    """An answer without what the request itself said."""
    text = json.dumps(answer, sort_keys=True)
    for found in world.ids:
        text = text.replace(found, world.unknown_value(found))
    return world.unknown(text).replace("'bob'", "'nob'")


_OWN_HEADERS = dict.fromkeys(("date", "x-request-id"), "")
"""Headers of an answer that no other answer has."""


async def _asked(client: Client, query: str, variables: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """An answer, and what came around it: its status and headers, with its length."""
    response = await client.http.post("/graphql", json={"query": query, "variables": variables})
    headers = {name: value for name, value in response.headers.items() if name not in _OWN_HEADERS}
    answer: dict[str, Any] = response.json()
    return answer, [response.status_code, headers]


async def test_every_query_and_mutation_treats_anothers_things_as_unknown(world: World) -> None:
    before = await _everything_of_bob(world.database)
    tried = set()
    for kind, root in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type)):
        assert root is not None
        for name, query, variables in operations(SCHEMA, root, kind, await _probes(world), 2):
            answer, around = await _asked(world.client, query, variables)
            tried.add(name)
            assert MARK not in json.dumps(answer), (query, variables)
            codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
            assert codes <= {"NOT_FOUND", "FORBIDDEN", "CONFLICT", "BAD_USER_INPUT"}, (name, variables, answer)
            if name in ID_IS_TAKEN:
                named = json.dumps(variables)
                assert codes or "bob" not in named, (name, variables, answer)
                # Nothing is under a uuid that the caller chose: whether somebody has it makes no difference.
                assert not set(UUID.findall(named)) & set(UUID.findall(json.dumps(answer))), (name, variables, answer)
                continue
            nothing = {key: world.unknown_value(value) if not isinstance(value, dict) else json.loads(
                world.unknown(json.dumps(value))) for key, value in variables.items()}  # fmt: skip
            if nothing == variables:
                continue
            other, around_other = await _asked(world.client, query, nothing)
            assert _comparable(world, answer) == _comparable(world, other), (name, variables)
            assert around == around_other, (name, variables)
    assert tried == {*SCHEMA.query_type.fields, *SCHEMA.mutation_type.fields}  # type: ignore[union-attr]
    assert await _everything_of_bob(world.database) == before


async def test_nothing_of_anothers_is_below_what_is_ones_own(world: World) -> None:
    everything = selection(SCHEMA, SCHEMA.get_type("Session"), DEPTH)
    own = await world.client.data(f'{{ session(sessionId: "ada-chat") {everything} }}')
    lists = await world.client.data(
        f"{{ sessions(first: 50) {selection(SCHEMA, SCHEMA.get_type('SessionConnection'), DEPTH)}"
        f" users(first: 50) {selection(SCHEMA, SCHEMA.get_type('UserConnection'), DEPTH)} }}"
    )
    assert lists["sessions"]["SessionConnection_totalCount"] == 1
    assert lists["users"]["UserConnection_totalCount"] == 1
    for answer in (own, lists):
        text = json.dumps(answer)
        assert MARK not in text
        assert "bob" not in text
        assert not set(_ids(answer)) & set(world.ids)
    ids = _ids(own)
    below = selection(SCHEMA, SCHEMA.get_type("Node"), 2)
    for start in range(0, len(ids), 40):  # a busy machine needs more than a read's time limit for all at once
        part = ids[start : start + 40]
        nodes = await world.client.data(f"query N($ids: [ID!]!) {{ nodes(ids: $ids) {below} }}", ids=part)
        assert all(nodes["nodes"])
        assert MARK not in json.dumps(nodes)


def _cursors(value: Any) -> Iterator[tuple[str, str]]:
    """Each field that is a list with cursors, by the keys that `selection` gives, and a cursor of it."""
    if isinstance(value, list):
        for item in value:
            yield from _cursors(item)
    elif isinstance(value, dict):
        for key, below in value.items():
            for edge in (below or {}).values() if isinstance(below, dict) else ():
                for item in edge if isinstance(edge, list) else ():
                    yield from ((key, item[name]) for name in item if name.endswith("Edge_cursor"))
            yield from _cursors(below)


async def test_anothers_cursors_and_names_lead_to_nothing_of_theirs(world: World) -> None:
    """Every argument of every list below what is Ada's, with what Bob's lists gave."""
    everything = selection(SCHEMA, SCHEMA.get_type("Session"), DEPTH)
    as_caller(world.client, world.backend_key)
    bobs = dict(_cursors(await world.client.data(f'{{ session(sessionId: "bob-chat") {everything} }}')))
    as_caller(world.client, token("ada"))
    lists = {
        f"{type_.name}_{name}"
        for type_ in SCHEMA.type_map.values()
        if isinstance(type_, GraphQLObjectType) and type_ not in (SCHEMA.query_type, SCHEMA.subscription_type)
        for name, field in type_.fields.items()
        if "after" in field.args
    }
    assert set(bobs) == lists
    found = {key: bobs.pop(key) for key in ("Session_search", "User_search")}  # these name their query, and are refused
    for cursor in found.values():
        searched = (
            f'{{ session(sessionId: "ada-chat") {{ search(query: "{MARK}", after: "{cursor}") {{ __typename }} }} }}'
        )
        assert (await world.client.error(searched))["code"] == "BAD_USER_INPUT"
    for argument in ("after", "before"):
        given = {key: f'(first: 2, {argument}: "{cursor}")' for key, cursor in bobs.items()}
        below = selection(SCHEMA, SCHEMA.get_type("Session"), DEPTH, arguments=given)
        answer = await world.client.send(f'{{ session(sessionId: "ada-chat") {below} }}')
        assert answer["data"]["session"], answer
        text = json.dumps(answer)
        assert MARK not in text
        assert "bob" not in text
        assert not set(_ids(answer)) & set(world.ids)
    for arguments in ('(search: "BOBS")', f'(search: "{MARK}", labels: ["PERSON"])', '(labels: ["PERSON"])'):
        given = dict.fromkeys(("Session_entities", "User_entities"), arguments)
        below = selection(SCHEMA, SCHEMA.get_type("Session"), DEPTH, arguments=given)
        answer = await world.client.data(f'{{ session(sessionId: "ada-chat") {below} }}')
        assert not set(_ids(answer)) & set(world.ids)
        assert MARK not in json.dumps(answer)


async def test_no_subscription_tells_of_anothers_session(world: World) -> None:
    url = f"ws://127.0.0.1:{world.client.http.base_url.port}/graphql"
    import websockets

    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as connection:
        socket = Socket(connection)
        await socket.send(type="connection_init", payload={"Authorization": f"Bearer {token('ada')}"})
        assert (await socket.receive())["type"] == "connection_ack"
        assert SCHEMA.subscription_type is not None
        tried = set()
        for session in ("bob-chat", "nob-chat"):
            names: dict[str, str] = {}
            probes: list[dict[str, Any]] = [
                {"sessionId": session},
                {"sessionId": session, "afterSeq": 0},
                {"userId": session[:3]},
            ]
            for name, query, variables in operations(SCHEMA, SCHEMA.subscription_type, "subscription", probes, 2):
                key = f"{session[:3]} {len(names)} {name}"
                names[key] = name
                await socket.subscribe(query, variables, key)
            tried |= set(names.values())
        assert tried == set(SCHEMA.subscription_type.fields)
        await asyncio.sleep(0.5)
        as_caller(world.client, world.backend_key)
        for _ in range(2):
            await world.client.data(
                ADD, input={"sessionId": "bob-chat", "messages": [{"role": "human", "content": MARK}]}
            )
        found: dict[str, list[str]] = {"bob": [], "nob": []}
        patience = time.monotonic() + 60
        while True:
            try:
                message = await asyncio.wait_for(socket.receive(), 1.5)
            except TimeoutError:
                if len(found["bob"]) == len(found["nob"]) or time.monotonic() > patience:
                    break
                continue
            assert MARK not in json.dumps(message)
            whose, _, rest = message.pop("id").partition(" ")
            found[whose].append(json.dumps([rest, message]))
    assert sorted(found["bob"]) == sorted(found["nob"])


LISTED_OR_MADE = {
    ("GET", "/api/v1/sessions"),
    ("GET", "/api/v1/user"),
    ("POST", "/api/v1/sessions"),
    ("POST", "/api/v1/user"),
    ("POST", "/api/v1/sessions/bob-chat/memory"),
}
"""Routes of Zep that name nothing, or make what they name: what they tell is looked at by itself."""


async def test_the_zep_routes_treat_anothers_things_as_unknown(world: World) -> None:
    message = await world.database.messages.find_one({"sessionId": "bob-chat"})
    assert message is not None
    before = await _everything_of_bob(world.database)
    uuid = message["_id"]
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/api/v1/sessions/bob-chat", None),
        ("PATCH", "/api/v1/sessions/bob-chat", {"session_id": "bob-chat", "metadata": {"a": 1}}),
        ("GET", "/api/v1/sessions/bob-chat/memory", None),
        ("DELETE", "/api/v1/sessions/bob-chat/memory", None),
        ("GET", "/api/v1/sessions/bob-chat/messages", None),
        ("GET", f"/api/v1/sessions/bob-chat/messages/{uuid}", None),
        ("PATCH", f"/api/v1/sessions/bob-chat/messages/{uuid}", {"metadata": {"a": 1}}),
        ("GET", f"/api/v1/sessions/ada-chat/messages/{uuid}", None),
        ("POST", "/api/v1/sessions/bob-chat/search", {"text": MARK}),
        ("GET", "/api/v1/user/bob", None),
        ("PATCH", "/api/v1/user/bob", {"user_id": "bob", "metadata": {"a": 1}}),
        ("DELETE", "/api/v1/user/bob", None),
        ("GET", "/api/v1/user/bob/sessions", None),
    ]
    for method, path, body in calls:
        answer = await world.client.http.request(method, path, json=body)
        other = await world.client.http.request(
            method,
            world.unknown(path).replace("/user/bob", "/user/nob"),
            json=json.loads(world.unknown(json.dumps(body))),
        )
        assert MARK not in answer.text
        assert answer.status_code == other.status_code, (method, path, answer.text, other.text)
        assert world.unknown(answer.text).replace("bob", "nob") == other.text
        assert {**answer.headers, **_OWN_HEADERS} == {**other.headers, **_OWN_HEADERS}
        assert answer.status_code in {200, 403, 404}
    tried = {(method, path) for method, path, _ in calls} | LISTED_OR_MADE
    for mount in zep_routes():
        for route in mount.routes if isinstance(mount, Mount) else ():
            assert isinstance(route, Route)
            for method in (route.methods or set()) - {"HEAD"}:
                if not route.path.startswith("/collection"):  # which are refused altogether
                    reached = [
                        path
                        for tried_method, path in tried
                        if tried_method == method and route.path_regex.fullmatch(path.removeprefix("/api/v1"))
                    ]
                    assert reached, f"{method} {route.path} is tried with nothing of another's"
    for path in ("/api/v1/sessions", "/api/v1/user"):
        listed = await world.client.http.get(path)
        assert "ada" in listed.text
        assert "bob" not in listed.text
    for path, body in (
        ("/api/v1/sessions/bob-chat/memory", {"messages": [{"role": "human", "content": "x"}]}),
        ("/api/v1/sessions", {"session_id": "bob-chat"}),
        ("/api/v1/user", {"user_id": "bob"}),
    ):
        taken = await world.client.http.post(path, json=body)
        assert taken.status_code in {400, 403, 409}
        assert MARK not in taken.text
    assert await _everything_of_bob(world.database) == before
    assert (await world.client.http.get("/api/v1/sessions/ada-chat")).status_code == 200


def test_the_walk_reaches_every_field() -> None:
    text = selection(SCHEMA, SCHEMA.get_type("Session"), DEPTH)
    for name in ("Session", "Message", "Memory", "Summary", "Entity", "Match", "User", "Enrichment"):
        for field in SCHEMA.get_type(name).fields:  # type: ignore[union-attr]
            assert f"{name}_{field}:" in text, (name, field)
    assert len(NAMES) > 9
