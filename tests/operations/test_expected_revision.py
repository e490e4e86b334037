"""Compare and set: a change of a session that was changed since it was read is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import Client

ADD = """mutation($i: AddMemoryInput!) { addMemory(input: $i) { replayed session { revision messageCount } } }"""
UPDATE = """mutation($i: UpdateSessionInput!) { updateSession(input: $i) { session { revision metadata } } }"""
READ = '{ session(sessionId: "s") { revision messageCount metadata } }'


def said(revision: int | None, content: str = "Hi", **more: Any) -> dict[str, Any]:
    uuid = more.pop("uuid", None)
    messages = [{"role": "user", "content": content, "uuid": uuid}]
    return {"sessionId": "s", "messages": messages, "expectedRevision": revision, **more}


async def stored(client: Client) -> dict[str, Any] | None:
    session: dict[str, Any] | None = (await client.data(READ))["session"]
    return session


async def refused(client: Client, query: str, given: dict[str, Any], current: int) -> None:
    before = await stored(client)
    error = await client.error(query, i=given)
    assert (error["code"], error["extensions"]["revision"]) == ("CONFLICT", current)
    expected = (
        f"expectedRevision is {given['expectedRevision']:,}, and the session has revision {current:,}: read it again"
    )
    assert error["message"] == expected
    assert await stored(client) == before


async def test_an_add_to_a_session_that_moved_on_is_refused(client: Client) -> None:
    await refused(client, ADD, said(1), 0)
    assert (await client.data(ADD, i=said(0)))["addMemory"]["session"] == {"revision": 1, "messageCount": 1}
    await refused(client, ADD, said(0), 1)
    await client.data(ADD, i=said(1))
    revision = (await client.data(ADD, i=said(None)))["addMemory"]["session"]["revision"]
    await refused(client, ADD, said(2), revision)
    await client.data(ADD, i=said(revision, metadata={"a": 1}))


async def test_a_known_message_changes_at_the_expected_revision_alone(client: Client) -> None:
    uuid = "123e4567-e89b-12d3-a456-426614174000"
    await client.data(ADD, i=said(0, uuid=uuid))
    await refused(client, ADD, said(7, "changed", uuid=uuid), 1)
    await client.data(ADD, i=said(1, "changed", uuid=uuid))


async def test_a_retry_with_its_key_is_no_conflict(client: Client) -> None:
    first = said(0, idempotencyKey="k")
    await client.data(ADD, i=first)
    await client.data(ADD, i=said(1))
    assert (await client.data(ADD, i=first))["addMemory"]["replayed"]


async def test_an_update_of_a_session_that_moved_on_is_refused(client: Client) -> None:
    await client.data(ADD, i=said(0))
    change = {"sessionId": "s", "metadata": {"a": 1}}
    await refused(client, UPDATE, {**change, "expectedRevision": 2}, 1)
    await client.data(UPDATE, i={**change, "expectedRevision": 1})
    await refused(client, UPDATE, {**change, "expectedRevision": 1}, 2)


async def test_of_several_writers_at_one_revision_one_wins(client: Client) -> None:
    await client.data(ADD, i=said(0))
    answers = await asyncio.gather(*(client.send(ADD, i=said(1, f"{number}")) for number in range(8)))
    assert sum("errors" not in answer for answer in answers) == 1
    session = await stored(client)
    assert session is not None
    assert session["messageCount"] == 2


async def test_a_stranger_does_not_learn_the_revision(settings: Settings, mongodb_uri: str, database: Database) -> None:
    del database
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        await as_caller(client, token("ada")).data(ADD, i=said(0))
        as_caller(client, token("bob"))
        error = await client.error(ADD, i=said(5))
        assert (error["code"], "revision" in error["extensions"]) == ("FORBIDDEN", False)
        error = await client.error(UPDATE, i={"sessionId": "s", "metadata": {}, "expectedRevision": 5})
        assert (error["code"], "revision" in error["extensions"]) == ("NOT_FOUND", False)


@pytest.mark.parametrize("revision", [-1, 2**31 - 1])
async def test_a_revision_that_no_session_has_is_refused(client: Client, revision: int) -> None:
    await client.data(ADD, i=said(0))
    await refused(client, ADD, said(revision), 1)


DELETE = 'mutation { deleteSession(input: { sessionId: "s" }) { deletedId } }'
POP = "mutation($i: PopMessageInput!) { popMessage(input: $i) { deletedId } }"
REPLACE = "mutation($i: ReplaceFromInput!) { replaceFrom(input: $i) { deletedIds } }"
UUID = '{ session(sessionId: "s") { uuid } }'
MESSAGE = "123e4567-e89b-12d3-a456-426614174000"


async def uuid_of(client: Client) -> str:
    uuid: str = (await client.data(UUID))["session"]["uuid"]
    return uuid


async def test_a_later_session_with_the_same_id_and_revision_is_not_changed(client: Client) -> None:
    await client.data(ADD, i=said(0))
    first = await uuid_of(client)
    await client.data(DELETE)
    error = await client.error(ADD, i=said(None, expectedUuid=first))
    assert error["code"] == "CONFLICT"
    assert error["message"] == f"expectedUuid is {first}, and there is no session with this id: read it again"
    assert await stored(client) is None
    await client.data(ADD, i=said(0, uuid=MESSAGE))
    second, before = await uuid_of(client), await stored(client)
    both = {"sessionId": "s", "expectedRevision": 1, "expectedUuid": first}
    changes: list[tuple[str, dict[str, Any]]] = [
        (ADD, said(1, expectedUuid=first)),
        (ADD, said(1, "changed", uuid=MESSAGE, expectedUuid=first)),
        (UPDATE, {**both, "metadata": {"a": 1}}),
        (POP, both),
        (REPLACE, {**both, "seq": 1, "messages": [{"role": "user", "content": "x"}]}),
    ]
    for query, given in changes:
        error = await client.error(query, i=given)
        assert (error["code"], error["extensions"]["revision"]) == ("CONFLICT", 1)
        assert error["message"] == f"expectedUuid is {first}, and the session with this id has {second}: read it again"
        assert await stored(client) == before
    for query, given in changes[:-1]:
        await client.data(query, i={**given, "expectedRevision": None, "expectedUuid": second.upper()})
    await client.data(*changes[-1][:1], i={**changes[-1][1], "expectedRevision": None, "expectedUuid": second})


async def test_an_expected_uuid_that_is_none_is_refused(client: Client) -> None:
    error = await client.error(ADD, i=said(None, expectedUuid="7"))
    assert error["code"] == "BAD_USER_INPUT"
    assert "expectedUuid: UUID must be a text such as" in error["message"]
