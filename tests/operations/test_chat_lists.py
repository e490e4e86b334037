"""What a list of conversations shows: titles, newest messages, and what is archived."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client

LIST = """query($filter: SessionFilter) { sessions(filter: $filter) { edges { node {
  sessionId title archived lastMessage { seq content session { sessionId } } } } } }"""
CREATE = "mutation($i: CreateSessionInput!) { createSession(input: $i) { session { title lastMessage { seq } } } }"
UPDATE = "mutation($i: UpdateSessionInput!) { updateSession(input: $i) { session { title archived revision } } }"
OVERVIEW = """{ sessions(first: 200) { edges { node {
  sessionId title unreadCount lastMessage { seq content } other: lastMessage { role } } } } }"""
MARK = "mutation($id: ID!) { markRead(input: { sessionId: $id, seq: 1 }) { session { unreadCount } } }"
DELETE = "mutation($uuid: UUID!) { deleteMessage(input: { uuid: $uuid }) { deletedId } }"


async def add(client: Client, session_id: str, *said: tuple[str, str]) -> list[str]:
    messages = [{"role": role, "content": content} for role, content in said]
    added = await client.data(ADD, input={"sessionId": session_id, "messages": messages})
    return [message["uuid"] for message in added["addMemory"]["memory"]["messages"]]


async def listed(client: Client, **wanted: Any) -> dict[str, dict[str, Any]]:
    edges = (await client.data(LIST, filter=wanted))["sessions"]["edges"]
    return {edge["node"].pop("sessionId"): edge["node"] for edge in edges}


async def change(client: Client, **changes: Any) -> dict[str, Any]:
    session: dict[str, Any] = (await client.data(UPDATE, i={"sessionId": "s", **changes}))["updateSession"]["session"]
    return session


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ([("system", "Be kind."), ("assistant", "Hi"), ("user", "  Tea\n\n for   two ")], "Tea for two"),
        ([("human", "\N{PARTY POPPER}" * 80)], "\N{PARTY POPPER}" * 80),
        ([("human", "ü " * 100)], "ü " * 39 + "ü…"),
        ([("human", "x" * 1_000_000)], "x" * 79 + "…"),
        ([("assistant", "Hi")], None),
        ([("user", "")], ""),
    ],
)
async def test_the_title_is_the_beginning_of_the_first_message_of_a_user(
    client: Client, said: list[tuple[str, str]], title: str | None
) -> None:
    await add(client, "s", *said)
    assert (await listed(client))["s"]["title"] == title


async def test_a_title_that_is_set_stays_and_one_that_is_not_follows_the_messages(client: Client) -> None:
    first, *_ = await add(client, "s", ("user", "Tea?"), ("user", "Coffee?"))
    await client.data(DELETE, uuid=first)
    assert (await listed(client))["s"]["title"] == "Coffee?"
    assert (await change(client, title="Drinks"))["title"] == "Drinks"
    revision = (await change(client, title="Drinks"))["revision"]
    assert (await change(client, title=None))["revision"] == revision
    await add(client, "s", ("user", "Water?"))
    assert (await listed(client))["s"]["title"] == "Drinks"
    assert (await change(client, title=""))["title"] == "Coffee?"
    error = await client.error(UPDATE, i={"sessionId": "s", "title": "t" * 1_025})
    assert error["message"] == "title has 1,025 bytes, and at most 1,024 are accepted"
    created = (await client.data(CREATE, i={"sessionId": "empty", "title": "New"}))["createSession"]["session"]
    assert created == {"title": "New", "lastMessage": None}


async def test_the_newest_message_is_given_and_its_absence(client: Client) -> None:
    uuids = await add(client, "s", ("user", "one"), ("user", "two"), ("user", "three"))
    own = {"sessionId": "s"}
    assert (await listed(client))["s"]["lastMessage"] == {"seq": 3, "content": "three", "session": own}
    await client.data(DELETE, uuid=uuids[2])
    assert (await listed(client))["s"]["lastMessage"] == {"seq": 2, "content": "two", "session": own}
    await client.data('mutation { deleteMemory(input: { sessionId: "s" }) { deletedId } }')
    assert (await listed(client))["s"]["lastMessage"] is None


async def test_archived_sessions_are_listed_apart(client: Client) -> None:
    for session_id in ("s", "t"):
        await add(client, session_id, ("user", "Hi"))
    assert (await change(client, archived=True))["archived"]
    assert {*(await listed(client))} == {"s", "t"}
    assert {*(await listed(client, archived=True))} == {"s"}
    assert {*(await listed(client, archived=False))} == {"t"}
    assert not (await change(client, archived=False))["archived"]
    assert {*(await listed(client, archived=False))} == {"s", "t"}


@pytest.mark.parametrize("sessions", [3, pytest.param(150, marks=pytest.mark.slow)])
async def test_a_page_of_sessions_is_one_read_for_each_field(client: Client, commands: Commands, sessions: int) -> None:
    names = [f"s{number:03}" for number in range(sessions)]
    for name in names:
        await add(client, name, ("user", f"Hi {name}"), ("ai", f"Bye {name}"))
    for name in names[::2]:  # with a hole, so that the unread messages are counted
        uuid = (await add(client, name, ("ai", "gone"), ("ai", "kept")))[0]
        await client.data(DELETE, uuid=uuid)
    for name in names:
        await client.data(MARK, id=name)
    with commands.recorded() as recorded:
        edges = (await client.data(OVERVIEW))["sessions"]["edges"]
    reads = [str(command.get("find") or command.get("aggregate")) for _, command in recorded]
    # Each read is of at most 100 sessions, and half of the sessions need no count.
    assert sorted(reads) == ["messages"] * (4 if sessions == 3 else 7) + ["sessions"]
    found = {edge["node"].pop("sessionId"): edge["node"] for edge in edges}
    for number, name in enumerate(names):
        newest, unread = ({"seq": 2, "content": f"Bye {name}"}, 1) if number % 2 else ({"seq": 4, "content": "kept"}, 2)
        assert found.pop(name) == {
            "title": f"Hi {name}",
            "unreadCount": unread,
            "lastMessage": newest,
            "other": {"role": "ai"},
        }
    assert found == {}


async def test_lists_that_do_not_select_them_read_no_messages(client: Client, commands: Commands) -> None:
    await add(client, "s", ("user", "Hi"))
    with commands.recorded() as recorded:
        await client.data("{ sessions { edges { node { sessionId messageCount archived } } } }")
    assert {command.get("find") for name, command in recorded} == {"sessions"}
