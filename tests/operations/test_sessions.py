from __future__ import annotations

import asyncio
import uuid as uuids
from typing import Any

import pytest

from graph.store.database import Database
from graph.store.scope import EVERYTHING
from graph.store.sessions import SessionFilter, list_sessions
from tests.support.graphql_client import ADD, OCTAVIA, Client
from tests.support.sessions import CREATE, LIST, UPDATE, create, listed
from tests.support.untyped import untyped

DELETE = "mutation($id: ID!) { deleteSession(input: { sessionId: $id }) { deletedId deletedSessionId } }"


async def test_a_created_session_is_there(client: Client) -> None:
    created = await create(client, "s", metadata={"topic": "books"}, userId="ann")
    assert (created["metadata"], created["messageCount"], created["tokenCount"]) == ({"topic": "books"}, 0, 0)
    assert created["user"] == {"userId": "ann"}
    assert created["createdAt"] == created["updatedAt"]
    found = await client.data(
        """{ session(sessionId: "s") { id uuid memory { uuid summary { uuid } messages { seq } } }
             user(userId: "ann") { uuid } }"""
    )
    assert (found["session"]["id"], found["session"]["uuid"]) == (created["id"], created["uuid"])
    assert found["session"]["memory"] == {"uuid": created["uuid"], "summary": None, "messages": []}
    assert found["user"] is not None


async def test_messages_are_added_to_a_created_session(client: Client) -> None:
    created = await create(client, "s", metadata={"a": 1})
    added = await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA, "metadata": {"b": 2}})
    assert added["addMemory"]["session"]["uuid"] == created["uuid"]
    assert added["addMemory"]["session"]["metadata"] == {"a": 1, "b": 2}


async def test_creating_a_session_that_exists_is_a_conflict(client: Client) -> None:
    await create(client, "s", metadata={"a": 1})
    error = await client.error(CREATE, input={"sessionId": "s", "metadata": {"a": 2}})
    assert error["code"] == "CONFLICT"
    assert (await client.data('{ session(sessionId: "s") { metadata } }'))["session"]["metadata"] == {"a": 1}


async def test_of_many_that_create_a_session_at_once_one_does(client: Client) -> None:
    answers = await asyncio.gather(*(client.send(CREATE, input={"sessionId": "s", "userId": "u"}) for _ in range(12)))
    codes = [answer["errors"][0]["extensions"]["code"] for answer in answers if "errors" in answer]
    assert codes == ["CONFLICT"] * 11


async def test_an_update_merges_metadata(client: Client) -> None:
    before = await create(client, "s", metadata={"a": {"b": 1, "c": [1, 2]}, "gone": {"x": 1}, "same": None})
    await asyncio.sleep(0.002)
    sent = {"a": {"c": [3], "d": {"e": None, "f": 1}}, "gone": None, "new": True}
    after = (await client.data(UPDATE, input={"sessionId": "s", "metadata": sent}))["updateSession"]["session"]
    assert after["metadata"] == {"a": {"b": 1, "c": [3], "d": {"f": 1}}, "same": None, "new": True}
    assert (after["uuid"], after["createdAt"]) == (before["uuid"], before["createdAt"])
    assert after["updatedAt"] > before["updatedAt"]


async def test_an_update_of_nothing_changes_nothing(client: Client) -> None:
    before = await create(client, "s", metadata={"a": 1})
    after = (await client.data(UPDATE, input={"sessionId": "s", "metadata": {"a": 1}}))["updateSession"]["session"]
    assert after["updatedAt"] == before["updatedAt"]


async def test_updates_at_once_are_all_kept(client: Client) -> None:
    await create(client, "s")
    await asyncio.gather(
        *(client.data(UPDATE, input={"sessionId": "s", "metadata": {f"k{number}": number}}) for number in range(16)),
        *(client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA, "metadata": {f"a{n}": n}}) for n in range(8)),
    )
    session = (await client.data('{ session(sessionId: "s") { metadata messageCount } }'))["session"]
    assert session["metadata"] == {f"k{n}": n for n in range(16)} | {f"a{n}": n for n in range(8)}
    assert session["messageCount"] == 24


async def test_a_user_is_set_once(client: Client) -> None:
    await create(client, "s")
    first = await client.data(UPDATE, input={"sessionId": "s", "userId": "ann"})
    assert first["updateSession"]["session"]["user"] == {"userId": "ann"}
    await client.data(UPDATE, input={"sessionId": "s", "userId": "ann"})
    error = await client.error(UPDATE, input={"sessionId": "s", "userId": "bob", "metadata": {"x": 1}})
    assert error["code"] == "CONFLICT"
    found = await client.data('{ session(sessionId: "s") { metadata user { userId } } user(userId: "bob") { uuid } }')
    assert found == {"session": {"metadata": {}, "user": {"userId": "ann"}}, "user": None}


@pytest.mark.parametrize(
    "query", [UPDATE, DELETE, "mutation($id: ID!) { deleteMemory(input: { sessionId: $id }) { deletedId } }"]
)
async def test_what_is_not_there_is_not_found(client: Client, query: str) -> None:
    variables: dict[str, Any] = {"input": {"sessionId": "no"}} if "$input" in query else {"id": "no"}
    assert (await client.error(query, **variables))["code"] == "NOT_FOUND"


async def test_a_deleted_session_starts_afresh(client: Client) -> None:
    first = await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA, "idempotencyKey": "k"})
    session_id = (await client.data('{ session(sessionId: "s") { id } }'))["session"]["id"]
    assert (await client.data(DELETE, id="s"))["deleteSession"] == {"deletedId": session_id, "deletedSessionId": "s"}
    assert (await client.data('{ session(sessionId: "s") { id } }'))["session"] is None
    again = await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA[:1], "idempotencyKey": "k"})
    assert again["addMemory"]["replayed"] is False
    assert [message["seq"] for message in again["addMemory"]["memory"]["messages"]] == [1]
    assert again["addMemory"]["session"]["messageCount"] == 1
    assert again["addMemory"]["session"]["uuid"] != first["addMemory"]["session"]["uuid"]
    assert (await client.error(DELETE, id="other"))["code"] == "NOT_FOUND"


@pytest.fixture
async def library(client: Client) -> Client:
    """Five sessions, a to e, made in this order; then b changes."""
    for name, user, metadata in (
        ("a", "ann", {"topic": "books", "n": 1, "tags": ["x"], "plan": {"kind": "pro", "seats": 2}}),
        ("b", "bob", {"topic": "films", "n": 1.0, "plan": {"seats": 2, "kind": "pro"}}),
        ("c", "ann", {"topic": ["books"], "n": True, "plan": {"kind": "pro"}}),
        ("d", None, {"topic": "books", "n": "1", "a b": {"0": "x"}}),
        ("e", "ann", {"list": [{"topic": "books"}], "n": 2}),
    ):
        await create(client, name, metadata=metadata, **({"userId": user} if user else {}))
        await asyncio.sleep(0.002)
    await client.data(UPDATE, input={"sessionId": "b", "metadata": {"seen": True}})
    return client


ORDERS: list[tuple[Any, str]] = [
    (None, "abcde"),
    ({}, "abcde"),
    ({"direction": "DESC"}, "edcba"),
    ({"field": "UPDATED_AT"}, "acdeb"),
    ({"field": "UPDATED_AT", "direction": "DESC"}, "bedca"),
]


async def test_sessions_are_ordered(library: Client) -> None:
    for order, expected in ORDERS:
        assert "".join(await listed(library, order=order)) == expected
        paged, after, more = "", None, True
        while more:
            page = (await library.data(LIST, first=2, after=after, order=order))["sessions"]
            paged += "".join(edge["node"]["sessionId"] for edge in page["edges"])
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert paged == expected


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "abcde"),
    ({"userId": "ann"}, "ace"),
    ({"userId": "nobody"}, ""),
    ({"metadata": []}, "abcde"),
    ({"metadata": [{"path": "topic", "equals": "books"}]}, "ad"),
    ({"metadata": [{"path": "topic", "equals": ["books"]}]}, "c"),
    ({"metadata": {"path": "n", "equals": 1}}, "ab"),
    ({"metadata": {"path": "n", "equals": True}}, "c"),
    ({"metadata": {"path": "n", "equals": "1"}}, "d"),
    ({"metadata": {"path": "plan", "equals": {"kind": "pro", "seats": 2}}}, "ab"),
    ({"metadata": {"path": "plan", "equals": {"kind": "pro"}}}, "c"),
    ({"metadata": {"path": "plan", "equals": {}}}, ""),
    ({"metadata": {"path": "plan.kind", "equals": "pro"}}, "abc"),
    ({"metadata": {"path": "topic.0", "equals": "books"}}, ""),
    ({"metadata": {"path": "list.topic", "equals": "books"}}, ""),
    ({"metadata": {"path": "a b.0", "equals": "x"}}, "d"),
    ({"metadata": {"path": "missing", "equals": "$topic"}}, ""),
    ({"userId": "ann", "metadata": [{"path": "topic", "equals": "books"}, {"path": "n", "equals": 1}]}, "a"),
]


async def test_a_filter_lets_through_what_meets_all_of_it(library: Client) -> None:
    for wanted, expected in FILTERS:
        assert "".join(await listed(library, filter=wanted)) == expected, wanted


@pytest.mark.new_database
async def test_the_one_session_with_a_value_is_found_without_a_look_at_the_others(
    client: Client, database: Database
) -> None:
    await create(client, "s", metadata={"plan": {"kind": "none"}, "n": -1})
    (session,) = await database.sessions.find()
    await database.sessions.insert_many(
        [
            {**session, "_id": f"s{n:04}", "uuid": str(uuids.uuid4()), "metadata": {"plan": {"kind": "pro"}, "n": n}}
            for n in range(3_000)
        ]
    )
    for path, value, expected in (
        ("n", 1234, ["s1234"]),
        ("n", -2, []),
        ("plan", {"kind": "none"}, ["s"]),
        ("plan.kind", "none", ["s"]),
    ):
        filter_ = SessionFilter(metadata=((tuple(path.split(".")), value),))
        listing = list_sessions(database, EVERYTHING, filter_)
        plan = await database.client.get_database(database.name).command(
            "explain",
            {"find": "sessions", "filter": dict(listing.match), "sort": {"createdAt": 1, "_id": 1}, "limit": 21},
            verbosity="executionStats",
        )
        assert plan["executionStats"]["totalDocsExamined"] == len(expected)
        for direction in ("ASC", "DESC"):
            order = {"direction": direction}
            assert await listed(client, filter={"metadata": {"path": path, "equals": value}}, order=order) == expected
    common = {"metadata": {"path": "plan.kind", "equals": "pro"}}
    assert await listed(client, filter=common, first=2) == ["s0000", "s0001"]
    assert await listed(client, filter=common, first=2, order={"direction": "DESC"}) == ["s2999", "s2998"]


async def test_metadata_with_any_keys_and_many_of_them_is_kept(client: Client) -> None:
    odd: dict[str, Any] = {"": 1, ".": 2, "a.b": 3, "a.$": 4, "**": [{".b": [[1], {}]}], "long": "x" * 100_000}
    for name, metadata in (("odd", odd), ("wide", {f"k{n}": n for n in range(10_000)})):
        assert (await create(client, name, metadata=metadata))["metadata"] == metadata
    deep: dict[str, Any] = {"end": True}
    for _ in range(30):
        deep = {"d": deep}
    assert (await create(client, "deep", metadata=deep))["metadata"] == deep
    assert await listed(client, filter={"metadata": {"path": ".".join("d" * 30), "equals": {"end": True}}}) == ["deep"]
    wanted = {"path": "long", "equals": "x" * 100_000}
    assert await listed(client, filter={"metadata": wanted}) == ["odd"]


async def test_spans_of_time(library: Client) -> None:
    found = (await library.data("{ sessions { edges { node { sessionId createdAt updatedAt } } } }"))["sessions"]
    at = {edge["node"]["sessionId"]: edge["node"] for edge in found["edges"]}
    made = {"since": at["b"]["createdAt"], "until": at["d"]["createdAt"]}
    assert "".join(await listed(library, filter={"createdAt": made})) == "bc"
    assert "".join(await listed(library, filter={"createdAt": {"until": at["b"]["createdAt"]}})) == "a"
    assert "".join(await listed(library, filter={"createdAt": {}})) == "abcde"
    changed = {"since": at["e"]["updatedAt"]}
    assert "".join(await listed(library, filter={"updatedAt": changed}, order={"field": "UPDATED_AT"})) == "eb"
    assert "".join(await listed(library, filter={"updatedAt": changed, "userId": "bob"})) == "b"


async def test_a_path_that_holds_no_value_is_refused(client: Client) -> None:
    for path in ("", ".", "a.", ".a", "a..b", "a\0b", ".".join("a" * 33)):
        error = await client.error(LIST, filter={"metadata": {"path": path, "equals": 1}})
        assert error["code"] == "BAD_USER_INPUT"
        assert "filter.metadata[0].path" in error["message"]


REFUSED: list[dict[str, Any]] = [
    {"filter": {"metadata": {"path": "a"}}},
    {"filter": {"metadata": {"path": "a", "equals": 2**63}}},
    {"filter": {"metadata": [{"path": "a", "equals": 1}] * 21}},
    {"filter": {"createdAt": {"since": "yesterday"}}},
    {"filter": {"createdAt": {"since": "0001-01-01T00:00:00+14:00"}}},
    {"filter": {"createdAt": {"until": "9999-12-31T23:59:59-14:00"}}},
    {"filter": {"createdAt": {"since": "2026-01-01T00:00:00"}}},
    {"filter": {"userId": ""}},
    {"filter": {"color": "red"}},
    {"order": {"field": "name"}},
    {"order": {"field": "CREATED_AT", "direction": "UP"}},
    {"first": -1},
    {"first": 1001},
    {"first": 2**31 - 1},
    {"after": "nonsense"},
]


async def test_what_a_list_does_not_take_is_refused(client: Client) -> None:
    for variables in REFUSED:
        assert (await client.error(LIST, **variables))["code"] == "BAD_USER_INPUT", variables


async def test_a_cursor_of_another_order_is_refused(library: Client) -> None:
    cursor = (await library.data(LIST, first=1))["sessions"]["pageInfo"]["endCursor"]
    error = await library.error(LIST, after=cursor, order={"field": "UPDATED_AT"})
    assert error["code"] == "BAD_USER_INPUT"


async def test_sessions_made_at_one_moment_are_paged_without_loss(client: Client, database: Database) -> None:
    await asyncio.gather(*(create(client, f"s{number:02}", userId="u") for number in range(20)))
    one = (await untyped(database, "sessions").find_one({}))["createdAt"]
    await database.sessions.update_many({}, {"$set": {"createdAt": one}})
    names: list[str] = []
    after = None
    for _ in range(7):
        page = (await client.data(LIST, first=3, after=after, filter={"userId": "u"}))["sessions"]
        names += [edge["node"]["sessionId"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert names == [f"s{number:02}" for number in range(20)]
