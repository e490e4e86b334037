from __future__ import annotations

import asyncio
from typing import Any

import pytest

from graph.store.database import Database
from tests.support.graphql_client import ADD, OCTAVIA, Client

FIELDS = "id userId uuid email firstName lastName metadata createdAt updatedAt"
CREATE = f"mutation($input: CreateUserInput!) {{ createUser(input: $input) {{ user {{ {FIELDS} }} }} }}"
UPDATE = f"mutation($input: UpdateUserInput!) {{ updateUser(input: $input) {{ user {{ {FIELDS} }} }} }}"
DELETE = "mutation($id: ID!) { deleteUser(input: { userId: $id }) { deletedId deletedUserId } }"
READ = (
    f"query($id: ID!) {{ user(userId: $id) {{ {FIELDS} sessions {{ totalCount edges {{ node {{ sessionId }} }} }} }} }}"
)


async def create(client: Client, user_id: str, **more: Any) -> dict[str, Any]:
    user: dict[str, Any] = (await client.data(CREATE, input={"userId": user_id, **more}))["createUser"]["user"]
    return user


async def update(client: Client, user_id: str, **more: Any) -> dict[str, Any]:
    user: dict[str, Any] = (await client.data(UPDATE, input={"userId": user_id, **more}))["updateUser"]["user"]
    return user


async def test_a_created_user_is_there(client: Client) -> None:
    user = await create(client, "ann", email="ann@example.org", firstName="Ann", lastName="Lee", metadata={"a": 1})
    found = (await client.data(READ, id="ann"))["user"]
    assert found == {**user, "sessions": {"totalCount": 0, "edges": []}}
    assert (user["email"], user["firstName"], user["lastName"]) == ("ann@example.org", "Ann", "Lee")
    bare = await create(client, "bob")
    assert (bare["email"], bare["firstName"], bare["lastName"], bare["metadata"]) == (None, None, None, {})
    assert (await client.data(READ, id="nobody"))["user"] is None


async def test_creating_a_user_that_exists_is_a_conflict(client: Client) -> None:
    await create(client, "ann", email="a")
    assert (await client.error(CREATE, input={"userId": "ann", "email": "b"}))["code"] == "CONFLICT"
    assert (await client.data(READ, id="ann"))["user"]["email"] == "a"
    answers = await asyncio.gather(*(client.send(CREATE, input={"userId": "eve"}) for _ in range(8)))
    assert sum("errors" not in answer for answer in answers) == 1


async def test_naming_a_user_makes_it(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA, "userId": "ann"})
    first = (await client.data(READ, id="ann"))["user"]
    assert first["sessions"] == {"totalCount": 1, "edges": [{"node": {"sessionId": "s"}}]}
    await client.data(ADD, input={"sessionId": "t", "messages": OCTAVIA, "userId": "ann"})
    second = (await client.data(READ, id="ann"))["user"]
    assert second["uuid"] == first["uuid"]
    assert second["sessions"]["totalCount"] == 2
    assert (await client.error(CREATE, input={"userId": "ann"}))["code"] == "CONFLICT"


async def test_many_sessions_of_a_new_user_at_once(client: Client, database: Database) -> None:
    await asyncio.gather(
        *(client.data(ADD, input={"sessionId": f"s{n}", "messages": OCTAVIA, "userId": "ann"}) for n in range(24))
    )
    assert (await client.data(READ, id="ann"))["user"]["sessions"]["totalCount"] == 24
    assert await database.users.count_documents({}) == 1


async def test_an_update_changes_what_is_sent(client: Client) -> None:
    before = await create(client, "ann", email="a", firstName="Ann", metadata={"a": {"b": 1}, "gone": 1})
    await asyncio.sleep(0.002)
    after = await update(client, "ann", email=None, lastName="Lee", metadata={"a": {"c": 2}, "gone": None})
    assert after == {
        **before,
        "email": None,
        "lastName": "Lee",
        "metadata": {"a": {"b": 1, "c": 2}},
        "updatedAt": after["updatedAt"],
    }
    assert after["updatedAt"] > before["updatedAt"]
    assert await update(client, "ann") == after
    assert await update(client, "ann", lastName="Lee") == after


async def test_updates_at_once_are_all_kept(client: Client) -> None:
    await create(client, "ann")
    await asyncio.gather(*(update(client, "ann", metadata={f"k{number}": number}) for number in range(16)))
    assert (await client.data(READ, id="ann"))["user"]["metadata"] == {f"k{number}": number for number in range(16)}


async def test_what_is_not_there_is_not_found(client: Client) -> None:
    assert (await client.error(UPDATE, input={"userId": "no", "email": "x"}))["code"] == "NOT_FOUND"
    assert (await client.error(DELETE, id="no"))["code"] == "NOT_FOUND"


async def test_what_a_user_does_not_take_is_refused(client: Client) -> None:
    for sent in (
        {"userId": ""},
        {"userId": "u" * 513},
        {"userId": "a\0"},
        {"userId": "u", "email": "e" * 321},
        {"userId": "u", "firstName": "n" * 1025},
        {"userId": "u", "lastName": "a\0b"},
        {"userId": "u", "metadata": [1]},
    ):
        assert (await client.error(CREATE, input=sent))["code"] == "BAD_USER_INPUT", sent
    assert (await client.data("{ users { totalCount } }"))["users"]["totalCount"] == 0


async def test_a_deleted_user_takes_its_sessions_along(client: Client) -> None:
    for number in range(3):
        await client.data(ADD, input={"sessionId": f"a{number}", "messages": OCTAVIA, "userId": "ann"})
    await client.data(ADD, input={"sessionId": "b", "messages": OCTAVIA, "userId": "bob"})
    await client.data(ADD, input={"sessionId": "c", "messages": OCTAVIA})
    user = (await client.data(READ, id="ann"))["user"]
    assert (await client.data(DELETE, id="ann"))["deleteUser"] == {"deletedId": user["id"], "deletedUserId": "ann"}
    found = await client.data("{ sessions { edges { node { sessionId } } } users { edges { node { userId } } } }")
    assert [edge["node"]["sessionId"] for edge in found["sessions"]["edges"]] == ["b", "c"]
    assert [edge["node"]["userId"] for edge in found["users"]["edges"]] == ["bob"]
    again = await client.data(ADD, input={"sessionId": "a0", "messages": OCTAVIA[:1], "userId": "ann"})
    assert again["addMemory"]["session"]["messageCount"] == 1
    assert (await client.data(READ, id="ann"))["user"]["uuid"] != user["uuid"]


async def test_no_session_outlives_its_user(client: Client, database: Database) -> None:
    """Giving a session to a user and deleting the user at once: one of them sees the other."""
    for _ in range(6):
        await create(client, "ann")
        await asyncio.gather(
            client.data(DELETE, id="ann"),
            *(client.data(ADD, input={"sessionId": f"s{n}", "messages": OCTAVIA, "userId": "ann"}) for n in range(4)),
        )
        exists = await database.users.find_one({"_id": "ann"}) is not None
        left = await database.sessions.count_documents({"userId": "ann"})
        assert exists or not left
        if exists:
            await client.data(DELETE, id="ann")
        assert await database.messages.count_documents({}) == 0


@pytest.mark.parametrize("change", ["createSession", "updateSession"])
async def test_a_session_names_its_user(client: Client, change: str) -> None:
    if change == "updateSession":
        await client.data('mutation { createSession(input: { sessionId: "s" }) { session { uuid } } }')
    query = f'mutation {{ {change}(input: {{ sessionId: "s", userId: "new" }}) {{ session {{ user {{ userId }} }} }} }}'
    assert (await client.data(query))[change]["session"]["user"] == {"userId": "new"}
    assert (await client.data(READ, id="new"))["user"]["sessions"]["totalCount"] == 1
