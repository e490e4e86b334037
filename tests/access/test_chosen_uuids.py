"""Message uuids that end users choose: they tell nothing of the messages of others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.schema.node import global_id
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client

READ = "query($uuid: UUID!) { message(uuid: $uuid) { uuid content session { sessionId } } }"
UPDATE = """mutation($uuid: UUID!) { updateMessage(input: { uuid: $uuid, content: "changed" }) {
  message { uuid content } } }"""
DELETE = "mutation($uuid: UUID!) { deleteMessage(input: { uuid: $uuid }) { deletedId } }"
RETRY = "mutation($uuid: UUID!) { retryEnrichment(input: { uuid: $uuid }) { retried } }"
COUNT = "query($id: ID!) { session(sessionId: $id) { messageCount } }"


def said(session_id: str, *uuids: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "human", "content": "Hello", "uuid": uuid} for uuid in uuids]
    return {"sessionId": session_id, "messages": messages, **more}


@pytest.fixture
async def service(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[tuple[Client, str]]:
    """A client, and the key of a service."""
    _, key = await create_key(database, "backend", Right.WRITE)
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        yield client, key


async def added(client: Client, *arguments: Any, **more: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await client.data(ADD, input=said(*arguments, **more)))["addMemory"]
    return payload


async def test_a_foreign_uuid_is_as_a_missing_one(service: tuple[Client, str], commands: Commands) -> None:
    client, key = service
    foreign, erased, nobodys = str(uuid4()), str(uuid4()), str(uuid4())
    as_caller(client, key)
    await added(client, "bobs", foreign, userId="bob")
    await added(client, "bobs-erased", erased, userId="bob")
    await client.data('mutation { deleteMemory(input: { sessionId: "bobs-erased" }) { deletedId } }')
    await added(client, "nobodys", nobodys)
    as_caller(client, token("bob"))
    chosen = str(uuid4())
    own = (await added(client, "bobs", chosen))["memory"]["messages"][0]["uuid"]
    as_caller(client, token("ada"))
    await added(client, "adas", str(uuid4()))
    answers, work = [], []
    for uuid in (str(uuid4()), foreign, erased, nobodys, chosen, own):
        with commands.recorded() as recorded:
            payload = await added(client, "adas", uuid)
        answers.append((payload["replayed"], [message["seq"] for message in payload["memory"]["messages"]]))
        work.append([name for name, _ in recorded])
        again = await added(client, "adas", uuid)
        assert (again["replayed"], again["memory"]) == (True, payload["memory"])
    assert answers == [(False, [seq]) for seq in range(2, 8)]
    assert all(names == work[0] for names in work), work
    as_caller(client, key)
    assert (await client.data(READ, uuid=foreign))["message"]["session"] == {"sessionId": "bobs"}
    assert (await client.data(COUNT, id="bobs"))["session"]["messageCount"] == 2


async def test_reading_and_changing_a_foreign_message_is_as_a_missing_one(
    service: tuple[Client, str], commands: Commands
) -> None:
    client, key = service
    foreign = str(uuid4())
    as_caller(client, key)
    await added(client, "bobs", foreign, userId="bob")
    as_caller(client, token("ada"))
    for query in (READ, UPDATE, DELETE, RETRY):
        answers, work = [], []
        for uuid in (str(uuid4()), foreign):
            with commands.recorded() as recorded:
                answer = await client.send(query, uuid=uuid)
            answers.append(str(answer).replace(uuid, "UUID"))
            work.append([name for name, _ in recorded])
        assert len(set(answers)) == 1, answers
        assert work[0] == work[1], query


async def test_an_end_user_names_a_message_by_the_chosen_uuid_and_by_its_own(service: tuple[Client, str]) -> None:
    client, _ = service
    as_caller(client, token("ada"))
    chosen = str(uuid4())
    first = await added(client, "adas", chosen)
    own = first["memory"]["messages"][0]["uuid"]
    for uuid in (chosen, own):
        assert (await added(client, "adas", uuid))["replayed"]
        assert (await client.data(READ, uuid=uuid))["message"]["uuid"] == own
        assert (await client.data(UPDATE, uuid=uuid))["updateMessage"]["message"]["uuid"] == own
        await client.data(ADD, input=said("adas", uuid))  # takes the change back
    error = await client.error(ADD, input=said("adas", chosen, own))
    assert error["code"] == "BAD_USER_INPUT"
    error = await client.error(ADD, input=said("adas-other", chosen))
    assert error["code"] == "CONFLICT"
    assert (await client.data(COUNT, id="adas"))["session"]["messageCount"] == 1
    await client.data(DELETE, uuid=chosen)
    assert (await client.data(READ, uuid=own))["message"] is None


async def test_an_end_user_updates_what_a_service_added_by_its_uuid(service: tuple[Client, str]) -> None:
    client, key = service
    as_caller(client, key)
    uuid = str(uuid4())
    first = await added(client, "adas", uuid, userId="ada")
    as_caller(client, token("ada"))
    again = await added(client, "adas", uuid)
    assert (again["replayed"], again["memory"]) == (True, first["memory"])


async def test_the_size_of_foreign_messages_does_not_show(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, key = await create_key(database, "backend", Right.WRITE)
    uuids = [str(uuid4()) for _ in range(5)]
    messages = [{"role": "human", "content": "x" * 20_000, "uuid": uuid} for uuid in uuids]
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET), max_answer_bytes=50_000) as client:
        as_caller(client, key)
        add = (
            "mutation($input: AddMemoryInput!) { addMemory(input: $input) { memory { id messages(last: 1) { id } } } }"
        )
        memory = (await client.data(add, input={"sessionId": "s", "userId": "bob", "messages": messages}))["addMemory"]
        ids = [global_id("Message", uuid) for uuid in uuids]
        query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Message { content } } }"
        assert (await client.error(query, ids=ids))["code"] == "TOO_COSTLY"
        as_caller(client, token("ada"))
        assert (await client.data(query, ids=[*ids, memory["memory"]["id"]]))["nodes"] == [None] * 6
