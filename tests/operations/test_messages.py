from __future__ import annotations

import asyncio
from typing import Any

import pytest

from graph.enrichment.tokens import count_message_tokens
from graph.store.database import Database
from graph.store.documents import now
from tests.support.graphql_client import ADD, OCTAVIA, Client
from tests.support.untyped import untyped

UPDATE = """mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message {
  id uuid seq role content metadata tokenCount createdAt updatedAt enrichment { state } entities { name }
  session { messageCount tokenCount updatedAt } } } }"""
DELETE = """mutation($uuid: UUID!) {
  deleteMessage(input: { uuid: $uuid }) { deletedId deletedMessage { id uuid seq } } }"""
DELETE_ALL = 'mutation { deleteMemory(input: { sessionId: "s" }) { deletedId session { messageCount } } }'
STATE = """{ session(sessionId: "s") { messageCount tokenCount metadata
  messages(first: 100) { totalCount edges { node { uuid seq role content tokenCount } } }
  memories(first: 40) { totalCount edges { node { uuid tokenCount metadata messages { seq tokenCount } } } } } }"""


async def add(client: Client, messages: list[dict[str, Any]] = OCTAVIA, session_id: str = "s") -> list[dict[str, Any]]:
    added = await client.data(ADD, input={"sessionId": session_id, "messages": messages})
    found: list[dict[str, Any]] = added["addMemory"]["memory"]["messages"]
    return found


async def update(client: Client, uuid: str, **changes: Any) -> dict[str, Any]:
    message: dict[str, Any] = (await client.data(UPDATE, input={"uuid": uuid, **changes}))["updateMessage"]["message"]
    return message


async def exact(client: Client) -> dict[str, Any]:
    """The session, after comparing every count with a recount."""
    session: dict[str, Any] = (await client.data(STATE))["session"]
    messages = [edge["node"] for edge in session["messages"]["edges"]]
    assert session["messages"]["totalCount"] == session["messageCount"] == len(messages)
    assert session["tokenCount"] == sum(message["tokenCount"] for message in messages)
    for message in messages:
        assert message["tokenCount"] == count_message_tokens(message["role"], message["content"])
    for edge in session["memories"]["edges"]:
        assert edge["node"]["tokenCount"] == sum(message["tokenCount"] for message in edge["node"]["messages"])
    return session


async def finish_enrichment(database: Database) -> None:
    """What a worker leaves behind, without its model: one entity in each message."""
    entity = {"key": "PERSON:octavia", "name": "Octavia", "label": "PERSON", "matches": []}
    await database.messages.update_many(
        {}, {"$set": {"entities": [entity], "enrichment": {"state": "DONE", "attempts": 1, "at": now()}}}
    )


async def test_an_edit_counts_again_and_is_enriched_again(client: Client, database: Database) -> None:
    _, second, _ = await add(client)
    await finish_enrichment(database)
    edited = await update(client, second["uuid"].upper(), content="Changed, and much shorter.")
    assert (edited["uuid"], edited["seq"], edited["role"]) == (second["uuid"], 2, "ai")
    assert edited["content"] == "Changed, and much shorter."
    assert edited["tokenCount"] == count_message_tokens("ai", "Changed, and much shorter.")
    assert (edited["entities"], edited["enrichment"]) == ([], {"state": "PENDING"})
    assert edited["updatedAt"] >= edited["createdAt"]
    assert edited["session"]["tokenCount"] == (await exact(client))["tokenCount"]
    found = await client.data("query($uuid: UUID!) { message(uuid: $uuid) { content updatedAt } }", uuid=second["uuid"])
    assert found["message"] == {"content": edited["content"], "updatedAt": edited["updatedAt"]}


async def test_another_role_counts_again_and_keeps_the_entities(client: Client, database: Database) -> None:
    first, *_ = await add(client)
    await finish_enrichment(database)
    edited = await update(client, first["uuid"], role="a much longer role")
    assert edited["tokenCount"] == count_message_tokens("a much longer role", first["content"])
    assert (edited["entities"], edited["enrichment"]["state"]) == ([{"name": "Octavia"}], "DONE")
    await exact(client)


async def test_metadata_is_merged_and_nothing_else_changes(client: Client, database: Database) -> None:
    (first,) = await add(client, [{"role": "human", "content": "x", "metadata": {"a": {"b": 1}, "gone": 1}}])
    await finish_enrichment(database)
    edited = await update(client, first["uuid"], metadata={"a": {"c": [2]}, "gone": None})
    assert edited["metadata"] == {"a": {"b": 1, "c": [2]}}
    assert (edited["content"], edited["tokenCount"]) == ("x", first["tokenCount"])
    assert edited["enrichment"]["state"] == "DONE"


async def test_an_edit_that_changes_nothing_leaves_the_time_of_the_last_change(client: Client) -> None:
    first, *_ = await add(client)
    before = await update(client, first["uuid"])
    await asyncio.sleep(0.002)
    same = await update(client, first["uuid"], content=first["content"], role=first["role"], metadata={"nothing": None})
    assert same == before


async def test_summaries_that_cover_a_changed_message_are_stale(client: Client, database: Database) -> None:
    uuids = [message["uuid"] for message in await add(client, OCTAVIA * 2)]
    await untyped(database, "summaries").insert_many(
        [
            {"_id": f"summary{last}", "sessionId": "s", "firstSeq": 1, "lastSeq": last, "content": "", "stale": False}
            for last in (2, 4, 6)
        ]
    )

    async def stale() -> list[int]:
        found = await database.summaries.find({"stale": True}, sort=[("lastSeq", 1)])
        return [summary["lastSeq"] for summary in found]

    await update(client, uuids[4], metadata={"only": "metadata"})
    assert await stale() == []
    await update(client, uuids[4], content="new")
    assert await stale() == [6]
    await update(client, uuids[1], role="other")
    assert await stale() == [2, 4, 6]


async def test_summaries_that_took_a_deleted_message_in_are_removed(client: Client, database: Database) -> None:
    uuids = [message["uuid"] for message in await add(client, OCTAVIA * 2)]
    await untyped(database, "summaries").insert_many(
        [{"_id": f"s{last}", "sessionId": "s", "firstSeq": 1, "lastSeq": last, "content": ""} for last in (2, 4, 6)]
    )
    await database.sessions.update_one({"_id": "s"}, {"$set": {"summarySeq": 6}})

    async def left() -> tuple[list[int], int]:
        found = await database.summaries.find({}, sort=[("lastSeq", 1)])
        session = await untyped(database, "sessions").find_one({"_id": "s"})
        return [summary["lastSeq"] for summary in found], session["summarySeq"]

    await client.data(DELETE, uuid=uuids[2])
    assert await left() == ([2], 2)
    await client.data(DELETE, uuid=uuids[5])
    assert await left() == ([2], 2)
    await client.data(DELETE, uuid=uuids[0])
    assert await left() == ([], 0)


async def test_a_deleted_message_leaves_a_hole(client: Client) -> None:
    _, second, third = await add(client)
    answer = (await client.data(DELETE, uuid=third["uuid"].upper()))["deleteMessage"]
    assert answer["deletedMessage"] == {"id": answer["deletedId"], "uuid": third["uuid"], "seq": 3}
    await client.data(DELETE, uuid=second["uuid"])
    found = await client.data("query($id: ID!) { node(id: $id) { id } }", id=answer["deletedId"])
    assert found["node"] is None
    assert [message["seq"] for message in await add(client, OCTAVIA[:1])] == [4]
    session = await exact(client)
    assert [edge["node"]["seq"] for edge in session["messages"]["edges"]] == [1, 4]
    assert session["memories"]["totalCount"] == 2


async def test_a_deleted_message_can_not_be_changed(client: Client) -> None:
    first, *_ = await add(client)
    await client.data(DELETE, uuid=first["uuid"])
    assert (await client.error(DELETE, uuid=first["uuid"]))["code"] == "NOT_FOUND"
    assert (await client.error(UPDATE, input={"uuid": first["uuid"], "content": "x"}))["code"] == "NOT_FOUND"
    found = await client.data("query($uuid: UUID!) { message(uuid: $uuid) { uuid } }", uuid=first["uuid"])
    assert found["message"] is None
    await exact(client)


async def test_a_uuid_is_free_again_when_its_message_is_deleted(client: Client) -> None:
    uuid = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"
    sent = [{"uuid": uuid, "role": "human", "content": "x"}]
    await add(client, sent)
    await client.data(DELETE, uuid=uuid)
    assert (await add(client, sent, "other"))[0]["seq"] == 1
    await client.data('mutation { deleteSession(input: { sessionId: "other" }) { deletedId } }')
    assert (await add(client, sent))[0]["seq"] == 2


async def test_a_deleted_memory_leaves_the_session(client: Client, database: Database) -> None:
    messages = await add(client)
    await client.data(
        'mutation { updateSession(input: { sessionId: "s", metadata: { kept: 1 } }) { session { uuid } } }'
    )
    await untyped(database, "summaries").insert_one(
        {"_id": "x", "sessionId": "s", "firstSeq": 1, "lastSeq": 2, "content": ""}
    )
    before = (await client.data('{ memory(sessionId: "s") { id } }'))["memory"]["id"]
    assert (await client.data(DELETE_ALL))["deleteMemory"] == {"deletedId": before, "session": {"messageCount": 0}}
    session = await exact(client)
    assert (session["messageCount"], session["tokenCount"], session["metadata"]) == (0, 0, {"kept": 1})
    assert session["memories"]["totalCount"] == 0
    memory = (await client.data('{ memory(sessionId: "s") { summary { uuid } messages { seq } tokenCount } }'))[
        "memory"
    ]
    assert memory == {"summary": None, "messages": [], "tokenCount": 0}
    assert (await client.error(UPDATE, input={"uuid": messages[0]["uuid"], "content": "x"}))["code"] == "NOT_FOUND"
    assert [message["seq"] for message in await add(client)] == [4, 5, 6]
    await exact(client)
    assert (await client.data(DELETE_ALL))["deleteMemory"]["session"]["messageCount"] == 0
    assert [message["seq"] for message in await add(client, OCTAVIA[:1])] == [7]


@pytest.mark.parametrize("uuid", ["nonsense", "", "0b3b9a2e", "0" * 31 + "g"])
async def test_what_is_no_uuid(client: Client, uuid: str) -> None:
    assert (await client.error(UPDATE, input={"uuid": uuid, "content": "x"}))["code"] == "BAD_USER_INPUT"
    assert (await client.error(DELETE, uuid=uuid))["code"] == "BAD_USER_INPUT"
    assert (await client.error("query($u: UUID!) { message(uuid: $u) { uuid } }", u=uuid))["code"] == "BAD_USER_INPUT"


async def test_what_a_message_does_not_take_is_refused(client: Client) -> None:
    first, *_ = await add(client)
    before = await exact(client)
    for changes in (
        {"role": ""},
        {"role": "r" * 257},
        {"content": "c" * 1_048_577},
        {"metadata": [1]},
        {"metadata": "text"},
        {"metadata": {"a": 2**64}},
        {"content": "\ud800"},
    ):
        error = await client.error(UPDATE, input={"uuid": first["uuid"], **changes})
        assert error["code"] == "BAD_USER_INPUT", changes
    assert await exact(client) == before


async def test_metadata_grows_to_a_limit(client: Client) -> None:
    (first,) = await add(client, OCTAVIA[:1])
    large = "x" * 260_000
    for number in range(4):
        await update(client, first["uuid"], metadata={f"k{number}": large})
        await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA, "metadata": {f"k{number}": large}})
    one_more = {"k4": large}
    for query, sent in (
        (UPDATE, {"uuid": first["uuid"], "metadata": one_more}),
        (ADD, {"sessionId": "s", "messages": OCTAVIA, "metadata": one_more}),
    ):
        error = await client.error(query, input=sent)
        assert error["code"] == "BAD_USER_INPUT"
        assert "1,048,576" in error["message"]
    await update(client, first["uuid"], metadata={"k0": None, **one_more})
    assert (await exact(client))["messageCount"] == 13


async def test_edits_and_deletions_at_once_keep_every_count_exact(client: Client) -> None:
    uuids = [message["uuid"] for message in await add(client, [{"role": "a", "content": str(n)} for n in range(24)])]

    async def change(place: int) -> None:
        uuid = uuids[place]
        if place % 3 == 0:
            await client.data(DELETE, uuid=uuid)
        else:
            await asyncio.gather(
                update(client, uuid, content="word " * place),
                update(client, uuid, role="role " * place),
                update(client, uuid, metadata={"place": place}),
                add(client, [{"uuid": uuid, "role": "b", "content": "sent again"}]),
            )

    await asyncio.gather(*map(change, range(24)), *(add(client) for _ in range(4)))
    assert (await exact(client))["messageCount"] == 16 + 12


async def test_an_edit_and_a_deletion_of_one_message_at_once(client: Client) -> None:
    first, *_ = await add(client)
    answers = await asyncio.gather(
        *(client.send(UPDATE, input={"uuid": first["uuid"], "content": f"edit {n}"}) for n in range(4)),
        *(client.send(DELETE, uuid=first["uuid"]) for _ in range(4)),
    )
    codes = [answer["errors"][0]["extensions"]["code"] for answer in answers if "errors" in answer]
    assert set(codes) <= {"NOT_FOUND"}
    assert sum("errors" not in answer for answer in answers[4:]) == 1
    assert (await exact(client))["messageCount"] == 2
