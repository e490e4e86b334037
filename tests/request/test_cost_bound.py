"""The cost is a bound: no answer has more objects than its operation costs; and every list declares its size."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from graph.execution.executor import SelectingExecutor
from graph.execution.size import size_of
from graph.operations.backend import Backend
from graph.operations.memory import MessageToAdd, add_memory
from graph.request.pipeline import EVERY_KIND
from graph.schema.node import global_id
from graph.settings import Settings
from graph.store.documents import EntityDocument, MessageDocument
from graph.store.entities.mentions import replace_mentions
from graph.store.scope import EVERYTHING
from graph.store.writes import write
from tests.support.backends import backend_on
from tests.support.differential.queries import Query
from tests.support.executing import DOCUMENTS, SCHEMA, execute_stock
from tests.support.graphql_client import Client

LIMITS = ("text", "query_tokens", "depth", "aliases", "directives", "root_fields", "fields", "comparisons", "cost")
MEMORY_OF_ALL = "{ sessions(first: 1000) { edges { node { memory { entities { matches { text } } } } } } }"
NAIVE = [
    '{ memory(sessionId: "s") { summary { content } messages { content entities { name matches { text } } } } }',
    "{ sessions { edges { node { sessionId memory { messages { content entities { name } } } } } } }",
    "{ sessions { edges { node { memory { entities { matches { text } } } } } } }",
    '{ session(sessionId: "s") { messages { edges { node { content entities { name matches { text } } } } } } }',
    '{ user(userId: "u") { sessions { edges { node { messages { edges { node { content } } } } } } } }',
    '{ session(sessionId: "s") { memories { edges { node { messages { content } } } } } }',
    "{ users { edges { node { sessions { edges { node { messages { edges { node { content } } } } } } } } } }",
]


class CountingObjects(SelectingExecutor):
    """Counts the objects of answers."""

    objects = 0

    def collect_and_execute_subfields(self, *given: Any) -> Any:
        type(self).objects += 1
        return super().collect_and_execute_subfields(*given)


async def cost_of(text: str, variables: dict[str, Any], settings: Settings) -> int:
    operation = await DOCUMENTS.operation(text, None, EVERY_KIND, settings)
    return await operation.cost(variables, settings)


@dataclass
class World:
    """A filled database."""

    runner: asyncio.Runner
    backend: Backend
    ids: dict[str, list[Any]]

    def objects(self, text: str, variables: dict[str, Any]) -> int:
        """The objects of the answer."""
        CountingObjects.objects = 0
        running = execute_stock(self.backend, text, variables, CountingObjects)
        _, errors = self.runner.get_loop().run_until_complete(running)
        assert not [error for error in errors if (error.extensions or {}).get("code") == "INTERNAL"]
        return CountingObjects.objects

    def cost(self, text: str, variables: dict[str, Any]) -> int:
        """The cost of the operation."""
        return self.runner.get_loop().run_until_complete(cost_of(text, variables, self.backend.settings))


async def fill(backend: Backend, seed: int) -> dict[str, list[Any]]:
    """Sessions, messages with many entities and matches, memories of many messages; what arguments are chosen from."""
    chance = random.Random(seed)
    sessions = [f"session-{number}" for number in range(chance.randrange(1, 30))]
    for name in sessions:
        user = f"user-{chance.randrange(3)}"
        for _ in range(chance.choice([1, 2, 25]) if name == sessions[0] else 1):
            sent = [MessageToAdd("human", "x" * 100) for _ in range(chance.choice([1, 3, 40]))]
            await add_memory(backend, EVERYTHING, name, sent, user_id=user)
    messages = await backend.database.messages.find({})
    for message in chance.sample(messages, min(len(messages), 60)):
        await mention(backend, message, chance)
    uuids = [message["_id"] for message in messages]
    memories = [memory["_id"] for memory in await backend.database.memories.find({}, {"_id": 1})]
    ids = [
        *(global_id("Session", name) for name in sessions),
        *(global_id("Memory", f"m:{key}") for key in memories[:9]),
        *(global_id("Memory", f"s:{name}") for name in sessions[:3]),
        *(global_id("Message", key) for key in uuids[:9]),
        *(global_id("User", f"user-{number}") for number in range(3)),
    ]
    few: list[Any] = [None, 0, 1, 2, 5, 21, 50]
    return {
        "sessionId": sessions,
        "userId": ["user-0", "user-1", "user-2"],
        "uuid": uuids,
        "id": ids,
        "ids": ids,
        "labels": ["PERSON"],
        "first": few,
        "last": few,
        "ID": ids,
        "Int": [0, 1, 5],
        "Boolean": [True, False],
        "String": ["", "name"],
        "DateTime": ["2030-01-01T00:00:00+01:00"],
        "JSON": [{}],
        "UUID": uuids,
    }


async def mention(backend: Backend, message: MessageDocument, chance: random.Random) -> None:
    """Give a message entities, as a worker does."""
    found: list[EntityDocument] = [
        {
            "key": f"PERSON:name {number}",
            "name": f"Name {number}",
            "label": "PERSON",
            "matches": [{"start": at, "end": at + 1, "text": "x"} for at in range(chance.choice([1, 2, 30]))],
        }
        for number in range(chance.choice([0, 1, 3, 30]))
    ]
    new: MessageDocument = {**message, "entities": found}

    async def attempt(session: Any) -> None:
        await backend.database.messages.update_one(
            {"_id": message["_id"]}, {"$set": {"entities": found, "enrichment.state": "DONE"}}, session=session
        )
        await replace_mentions(backend.database, message, new, session)

    await write(backend.database, attempt)


@pytest.fixture(scope="module", params=[1, 2, 3], ids="data-{}".format)
def world(
    mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[World]:
    with asyncio.Runner() as runner:
        off: dict[str, Any] = {f"max_{name}": 0 for name in LIMITS}
        with backend_on(runner, mongodb_uri, tmp_path_factory.mktemp("data"), **off) as backend:
            yield World(runner, backend, runner.run(fill(backend, request.param)))


# The driver's threads use `random` while hypothesis draws, and it takes that for the strategies' doing.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.usefixtures("leaves_garbage")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <coroutine:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(600)
@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_answer_has_more_objects_than_its_operation_costs(world: World, data: st.DataObject) -> None:
    query = Query(SCHEMA, data.draw, world.ids)
    text = query.text()
    cost = world.cost(text, query.variables)
    assume(cost <= 100_000)  # others are refused by default
    assert world.objects(text, query.variables) <= cost


@pytest.mark.parametrize("text", NAIVE)
async def test_the_queries_that_everybody_types_first_are_accepted(text: str) -> None:
    assert await cost_of(text, {}, Settings.model_construct()) <= Settings.model_construct().max_cost


async def test_a_query_that_may_answer_with_everything_is_refused(client: Client) -> None:
    error = await client.error(MEMORY_OF_ALL)
    assert error["code"] == "TOO_COSTLY"
    assert error["extensions"]["cost"]["requested"] == 1 + 1_000 * (3 + 20 * 6)


async def test_mutations_through_a_fragment_cost_what_they_cost_written_out() -> None:
    one = 'addMemory(input: {sessionId: "s", messages: [{role: "human", content: "x"}]}) { replayed }'
    written = "mutation { " + " ".join(f"a{number}: {one}" for number in range(20)) + " }"
    through = f"mutation {{ ...F }} fragment F on Mutation {written.removeprefix('mutation ')}"
    no_limit = Settings.model_construct(max_query_tokens=0)
    costs = {await cost_of(text, {}, no_limit) for text in (written, through)}
    assert costs == {220}


async def test_the_cost_of_an_input_follows_the_messages_in_its_variable() -> None:
    text = "mutation M($input: AddMemoryInput!) { addMemory(input: $input) { memory { messages { uuid } } } }"
    operation = await DOCUMENTS.operation(text, None, EVERY_KIND, Settings.model_construct())
    for count in (1, 7, 500, 1):
        given = {"input": {"sessionId": "s", "messages": [{"role": "human", "content": "x"}] * count}}
        assert await operation.cost(given, Settings.model_construct()) == 10 + 2 + count


async def test_a_replay_by_uuids_costs_what_a_stored_memory_may_hold() -> None:
    text = "mutation M($input: AddMemoryInput!) { addMemory(input: $input) { memory { messages%s { uuid } } } }"
    new, known = {"role": "human", "content": "x"}, {"role": "human", "content": "x", "uuid": str(uuid4())}
    for sent, arguments, count in (
        ([known], "", 1_000),
        (known, "", 1_000),
        ([known, known], "", 1_000),
        ([known, new], "", 2),
        ([{**new, "uuid": None}], "", 1),
        ([known], "(last: 3)", 3),
        ([], "", 0),
        (None, "", 1_000),
    ):
        given = {"input": {"sessionId": "s", "messages": sent}}
        assert await cost_of(text % arguments, given, Settings.model_construct()) == 10 + 2 + count


@pytest.mark.usefixtures("client")
async def test_no_replay_by_a_uuid_answers_with_more_objects_than_it_costs(app: Starlette) -> None:
    text = "mutation M($input: AddMemoryInput!) { addMemory(input: $input) { replayed memory { messages { uuid } } } }"
    uuids = [str(uuid4()) for _ in range(50)]
    backend: Backend = app.state.backend
    await add_memory(backend, EVERYTHING, "s", [MessageToAdd("human", "x", uuid=uuid) for uuid in uuids])
    given = {"input": {"sessionId": "s", "messages": [{"role": "human", "content": "x", "uuid": uuids[7]}]}}
    CountingObjects.objects = 0
    data, errors = await execute_stock(backend, text, given, CountingObjects)
    assert not errors
    assert data is not None
    assert data["addMemory"]["replayed"]
    assert 50 < CountingObjects.objects <= await cost_of(text, given, backend.settings)


async def test_the_window_of_messages_counts_as_it_is_set() -> None:
    text = '{ memory(sessionId: "s") { messages { uuid } } }'
    operation = await DOCUMENTS.operation(text, None, EVERY_KIND, Settings.model_construct())
    assert await operation.cost({}, Settings.model_construct()) == 1 + 12
    assert await operation.cost({}, Settings.model_construct(message_window=300)) == 1 + 300


def test_every_list_of_objects_declares_its_size() -> None:
    undeclared = [
        f"{type_.name}.{name}"
        for type_ in SCHEMA.type_map.values()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not type_.name.startswith("__")
        for name, field in type_.fields.items()
        if _has_many(field.type) and size_of(field) is None
    ]
    assert undeclared == []


def _has_many(type_: Any) -> bool:
    named = get_named_type(type_)
    is_list = isinstance(get_nullable_type(type_), GraphQLList)
    return (is_list and not is_leaf_type(named)) or named.name.endswith("Connection")


async def test_introspection_costs_the_objects_of_its_answer(client: Client) -> None:
    text = "{ __schema { types { name fields { name args { name type { kind ofType { name } } } } } } }"
    answer = await client.http.post("/graphql", json={"query": text, "extensions": {"cost": True}})
    told = answer.json()
    objects = json.dumps(told["data"]["__schema"]).count("{")
    assert told["extensions"]["cost"]["requested"] == objects > 100


@pytest.mark.parametrize("limit", ["", "limit=2147483647&", "limit=99999999999999999999&", "limit=1000&"])
async def test_zep_s_lists_are_bounded(app: Starlette, client: Client, limit: str) -> None:
    http: httpx.AsyncClient = client.http
    database = app.state.backend.database
    sent = [{"role": "human", "content": "x"} for _ in range(600)]
    for _ in range(2):
        assert (await http.post("/api/v1/sessions/s/memory", json={"messages": sent})).status_code == 200
    session = await database.sessions.find_one({"_id": "s"})
    users = {"uuid": "u", "createdAt": session["createdAt"], "updatedAt": session["createdAt"], "metadata": {}}
    await database.sessions.insert_many(
        {**session, "_id": f"s{number}", "userId": "ada", "uuid": f"{number}", "number": number + 10}
        for number in range(1_100)
    )
    await database.users.insert_many(
        {**users, "_id": f"u{number}", "uuid": f"{number}", "number": number + 10} for number in range(1_100)
    )
    await database.users.insert_one({**users, "_id": "ada", "uuid": "ada", "number": 5_000})
    messages = (await http.get(f"/api/v1/sessions/s/messages?{limit}")).json()
    assert (len(messages["messages"]), messages["row_count"], messages["total_count"]) == (1_000, 1_000, 1_200)
    assert len((await http.get(f"/api/v1/sessions?{limit}")).json()) == 1_000
    assert len((await http.get(f"/api/v1/user?{limit}")).json()) == 1_000
    assert len((await http.get("/api/v1/user/ada/sessions")).json()) == 1_000
    memory = (await http.get(f"/api/v1/sessions/s/memory?{limit.replace('limit', 'lastn')}")).json()
    assert len(memory["messages"]) == (1_000 if limit else 12)
