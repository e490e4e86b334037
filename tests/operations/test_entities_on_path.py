"""Entities of a session with branches are those of the messages on the path to its head."""

from __future__ import annotations

import random
from typing import Any

import pytest
from starlette.applications import Starlette

from graph.schema.context import Context
from graph.store.database import Database
from graph.store.entities import on_path
from graph.store.tree.branches import Range
from graph.store.visible import Visible
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client
from tests.support.live import url, watching
from tests.support.live_client import socket_to
from tests.support.mentions import NAMES, entities_of, read_once, recount, shown

LIST = """query($first: Int, $after: String, $last: Int, $before: String, $labels: [String!], $search: String) {
  session(sessionId: "s") {
    entities(first: $first, after: $after, last: $last, before: $before, labels: $labels, search: $search) {
      totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { node { id name label mentionCount firstSeenAt lastSeenAt
        matches(first: 200) { text message { uuid } } messages(first: 200) { edges { node { uuid } } } } } }
    messages(first: 1000) { edges { node { uuid } } } }
  memory(sessionId: "s") { entities(first: 20, labels: $labels) { id mentionCount matches { text } } } }"""
ENTITY = "query($id: ID!) { entity(id: $id) { id mentionCount matches(first: 200) { text message { uuid } } } }"
HEAD = "mutation($i: UpdateSessionInput!) { updateSession(input: $i) { session { revision } } }"
DELETE = "mutation($i: DeleteMessageInput!) { deleteMessage(input: $i) { deletedId } }"


async def add(client: Client, content: str, parent: str | None = None) -> str:
    message = {"role": "user", "content": content, **({} if parent is None else {"parentUuid": parent})}
    added = await client.data(ADD, input={"sessionId": "s", "userId": "ada", "messages": [message]})
    uuid: str = added["addMemory"]["memory"]["messages"][0]["uuid"]
    return uuid


async def enriched(database: Database) -> None:
    while await read_once(database):
        continue


def nodes(connection: dict[str, Any]) -> list[Any]:
    return [edge["node"] for edge in connection["edges"]]


async def read(client: Client, **arguments: Any) -> Any:
    return await client.data(LIST, **{"first": 20, **arguments})


async def check(client: Client, database: Database) -> None:
    """Compare the entities with a count of the messages on the path."""
    found = await read(client)
    path = [message["uuid"] for message in nodes(found["session"]["messages"])]
    messages = {one["_id"]: one for one in await database.messages.find({"_id": {"$in": path}})}
    expected = entities_of(list(messages.values()))
    entities = nodes(found["session"]["entities"])
    assert found["session"]["entities"]["totalCount"] == len(entities)
    assert sorted((one["name"], one["label"], one["mentionCount"]) for one in entities) == sorted(
        (name, key.partition(":")[0], count) for key, (count, name, _, _) in expected.items()
    )
    for entity in entities:
        places = [match["message"]["uuid"] for match in entity["matches"]]
        assert len(places) == entity["mentionCount"]
        assert sorted(places, key=path.index) == places
        mentioning = [message["uuid"] for message in nodes(entity["messages"])]
        assert mentioning == list(dict.fromkeys(places))
        same = (await client.data(ENTITY, id=entity["id"]))["entity"]
        assert same == {name: entity[name] for name in ("id", "mentionCount", "matches")}
    assert [(one["id"], one["mentionCount"]) for one in found["memory"]["entities"]] == [
        (one["id"], one["mentionCount"]) for one in entities
    ]
    assert await shown(database) == await recount(database)  # of all branches, as the user's entities are counted


@pytest.mark.parametrize("seed", range(3))
async def test_entities_follow_the_path_to_the_head(client: Client, database: Database, seed: int) -> None:
    chance = random.Random(seed)
    there: list[str] = []
    for step in range(25):
        match chance.choice(["add", "add", "branch", "head", "delete"]):
            case "head" if there:
                await client.data(HEAD, i={"sessionId": "s", "head": chance.choice(there)})
            case "delete" if there:
                gone = there.pop(chance.randrange(len(there)))
                await client.data(DELETE, i={"uuid": gone})
            case action:
                content = " ".join(str(chance.randrange(len(NAMES))) for _ in range(chance.randint(0, 4))) or "7"
                parent = chance.choice(there) if there and action == "branch" else None
                there.append(await add(client, content, parent))
        if step % 4 == 0 or step > 21:
            await enriched(database)
            await check(client, database)


@pytest.fixture
async def branched(client: Client, database: Database) -> Client:
    """A client, and a session with names in two branches; the head is in the second one."""
    first = await add(client, "0 7")
    await add(client, "1 8 8")
    await add(client, "4 9 7", first)
    await enriched(database)
    return client


async def names(client: Client, **arguments: Any) -> list[str]:
    return [one["name"] for one in nodes((await read(client, **arguments))["session"]["entities"])]


async def test_pages_and_filters_of_the_entities_on_a_path(branched: Client, database: Database) -> None:
    everyone = await names(branched)
    assert everyone == ["York", "today", "Anna Lee", "Octavia"]
    for backwards in (False, True):
        got: list[str] = []
        cursor = None
        while True:
            window = {"first": None, "last": 3, "before": cursor} if backwards else {"first": 3, "after": cursor}
            page = (await read(branched, **window))["session"]["entities"]
            assert page["totalCount"] == 4
            part = [one["name"] for one in nodes(page)]
            got = part + got if backwards else got + part
            info = page["pageInfo"]
            assert info["hasNextPage" if backwards else "hasPreviousPage"] is (cursor is not None)
            cursor = info["startCursor" if backwards else "endCursor"]
            if not info["hasPreviousPage" if backwards else "hasNextPage"]:
                break
        assert got == everyone
    assert await names(branched, labels=["PERSON"]) == ["Anna Lee", "Octavia"]
    assert await names(branched, search="OCT") == ["Octavia"]
    assert await names(branched, search="erson") == []
    assert await names(branched, first=0) == []
    await check(branched, database)


async def test_the_entities_on_a_path_are_of_a_bounded_number_of_messages(
    branched: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_path, "MOST_MESSAGES", 1)
    assert await names(branched) == ["today", "York", "Anna Lee"]
    monkeypatch.setattr(on_path, "MOST_ENTITIES", 2)
    assert len(await names(branched)) == 2
    del database


async def test_a_read_costs_a_tenth_of_the_messages(branched: Client, app: Any) -> None:
    del branched
    charged = []

    async def charge(cost: int) -> None:
        charged.append(cost)

    context = Context(app.state.backend, charge=charge)
    for path in (
        (Range(0, 1, 95), Range(1, 97, 101)),
        None,
        (Range(0, 1, 10**9),),
        (Range(0, 1, 95), Range(1, 97, 101)),
    ):
        await context.session_entities(Visible("s", 0, path))
    assert charged == [10, 2_000]  # once for each path


async def test_one_query_counts_the_entities_on_a_path_once(branched: Client, commands: Commands) -> None:
    query = """{ session(sessionId: "s") { a: entities { totalCount } b: entities(search: "x") { totalCount } }
      memory(sessionId: "s") { entities { name } } }"""
    with commands.recorded() as sent:
        await branched.data(query)
    assert sum(body.get("aggregate") == "messages" for _, body in sent) == 1


EVENTS = 'subscription { sessionUpdated(userId: "ada") { session { messageCount entities(first: 1) { totalCount } } } }'


@pytest.mark.parametrize("count", [20, 1_020])
async def test_an_event_counts_the_entities_of_a_short_path_alone(app: Starlette, client: Client, count: int) -> None:
    """Nobody pays for the read, and other events wait for it."""
    parent = await add(client, "Ada met Grace.")
    for start in range(0, count, 500):
        messages = [{"role": "user", "content": "Yes."}] * min(500, count - start)
        added = await client.data(ADD, input={"sessionId": "s", "messages": messages})
        parent = added["addMemory"]["memory"]["messages"][-2]["uuid"]
    async with socket_to(url(client)) as socket:
        await socket.subscribe(EVENTS, {}, "1")
        await watching(app, followers=1)
        await add(client, "Another branch.", parent)
        payload = (await socket.receive())["payload"]
        while "errors" not in payload and payload["data"]["sessionUpdated"]["session"]["messageCount"] < count + 2:
            payload = (await socket.receive())["payload"]  # of an earlier add
    if count > 1_000:
        assert "errors" in payload, payload
        assert payload["errors"][0]["extensions"]["code"] == "TOO_COSTLY"
    else:
        assert payload["data"]["sessionUpdated"]["session"]["entities"]["totalCount"] == 0
