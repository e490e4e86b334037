"""Every list against Relay's own algorithm, written down here as the specification words it."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.store.database import Database
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client

PAGE = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { key: %s } }"
ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
HEAD = "query($first: Int, $after: String, $last: Int, $before: String) "
LISTS = {
    "messages": HEAD + f'{{ session(sessionId: "s") {{ list: messages({ARGUMENTS}) {{ {PAGE % "uuid"} }} }} }}',
    "memories": HEAD + f'{{ session(sessionId: "s") {{ list: memories({ARGUMENTS}) {{ {PAGE % "uuid"} }} }} }}',
    "sessions": HEAD + f"{{ list: sessions({ARGUMENTS}) {{ {PAGE % 'sessionId'} }} }}",
    "latest": HEAD
    + f"{{ list: sessions({ARGUMENTS}, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{ {PAGE % 'sessionId'} }} }}",
    "ofUser": HEAD + f'{{ user(userId: "u") {{ list: sessions({ARGUMENTS}) {{ {PAGE % "sessionId"} }} }} }}',
    "users": HEAD + f"{{ list: users({ARGUMENTS}) {{ {PAGE % 'userId'} }} }}",
}
SIZE = 9
GONE = {0, 4, 5, 8}  # of the items as they once were


@dataclass(frozen=True)
class Shelf:
    """A list: cursors of all items that ever were, in order, and the keys of those that still are."""

    cursors: list[str]
    keys: list[str | None]


async def read(client: Client, name: str, **variables: Any) -> Any:
    data = await client.data(LISTS[name], **variables)
    while "list" not in data:
        (data,) = data.values()
    return data["list"]


@pytest.fixture
async def shelves(client: Client) -> dict[str, Shelf]:
    """Every list, with items that are gone at its ends and in its middle."""
    message = {"role": "human", "content": "x"}
    for number in range(SIZE):
        await client.data(ADD, input={"sessionId": f"s{number}", "messages": [message], "userId": "u"})
        await client.data(f'mutation {{ createUser(input: {{ userId: "u{number}" }}) {{ user {{ uuid }} }} }}')
    for _ in range(SIZE):
        await client.data(ADD, input={"sessionId": "s", "messages": [message]})
    found = {}
    for name in LISTS:
        edges = (await read(client, name))["edges"]
        found[name] = {edge["node"]["key"]: edge["cursor"] for edge in edges}
    for place in GONE:
        uuid, session, user = (list(found[name])[place] for name in ("messages", "ofUser", "users"))
        await client.data(f'mutation {{ deleteMessage(input: {{ uuid: "{uuid}" }}) {{ deletedId }} }}')
        await client.data(f'mutation {{ deleteSession(input: {{ sessionId: "{session}" }}) {{ deletedId }} }}')
        if user != "u":
            await client.data(f'mutation {{ deleteUser(input: {{ userId: "{user}" }}) {{ deletedId }} }}')
    shelves = {}
    for name, once in found.items():
        # Where a session stands by its last change has moved, and its neighbours have not.
        left = {edge["node"]["key"]: edge["cursor"] for edge in (await read(client, name))["edges"]}
        assert set(left) < set(once) or name == "memories"
        shelves[name] = Shelf(
            [left.get(key, cursor) for key, cursor in once.items()], [key if key in left else None for key in once]
        )
    return shelves


def relay(shelf: Shelf, first: int | None, after: int | None, last: int | None, before: int | None) -> dict[str, Any]:
    """The answer by the specification: `EdgesToReturn`, `HasPreviousPage` and `HasNextPage`.

    `after` and `before` are places in the list as it once was, so that a cursor whose item is gone keeps its place.
    """
    places = [place for place, key in enumerate(shelf.keys) if key is not None]
    edges = [place for place in places if (after is None or place > after) and (before is None or place < before)]
    total = len(edges)
    returned = edges
    if first is not None:
        returned = returned[:first]
    if last is not None:
        returned = returned[max(0, len(returned) - last) :]
    has_previous = total > last if last is not None else after is not None and any(place <= after for place in places)
    has_next = total > first if first is not None else before is not None and any(place >= before for place in places)
    if first is None and last is None:
        has_next = False  # the page is the first 1,000, and there are fewer
    return {
        "totalCount": len(places),
        "pageInfo": {
            "hasNextPage": has_next,
            "hasPreviousPage": has_previous,
            "startCursor": shelf.cursors[returned[0]] if returned else None,
            "endCursor": shelf.cursors[returned[-1]] if returned else None,
        },
        "edges": [{"cursor": shelf.cursors[place], "node": {"key": shelf.keys[place]}} for place in returned],
    }


sizes = st.one_of(st.integers(0, SIZE + 1), st.just(1000))
places = st.one_of(st.none(), st.integers(0, SIZE - 1))
arguments = st.tuples(
    st.one_of(st.tuples(st.none(), st.none()), st.tuples(sizes, st.none()), st.tuples(st.none(), sizes)),
    places,
    places,
)


@pytest.mark.slow
@given(name=st.sampled_from(sorted(LISTS)), sent=arguments)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_every_list_pages_as_relay_says(
    client: Client, shelves: dict[str, Shelf], name: str, sent: tuple[Any, ...]
) -> None:
    (first, last), after, before = sent
    shelf = shelves[name]
    answer = await read(
        client,
        name,
        first=first,
        last=last,
        after=None if after is None else shelf.cursors[after],
        before=None if before is None else shelf.cursors[before],
    )
    assert answer == relay(shelf, first, after, last, before)


@pytest.mark.parametrize("name", sorted(LISTS))
async def test_a_list_read_page_by_page_is_the_whole_list(client: Client, shelves: dict[str, Shelf], name: str) -> None:
    whole = [key for key in shelves[name].keys if key is not None]
    for size in (1, 2, 3, 7):
        forwards: list[str] = []
        page = await read(client, name, first=size)
        forwards += [edge["node"]["key"] for edge in page["edges"]]
        while page["pageInfo"]["hasNextPage"]:
            page = await read(client, name, first=size, after=page["pageInfo"]["endCursor"])
            assert page["pageInfo"]["hasPreviousPage"] is True
            forwards += [edge["node"]["key"] for edge in page["edges"]]
        assert forwards == whole
        backwards: list[str] = []
        page = await read(client, name, last=size)
        backwards[:0] = [edge["node"]["key"] for edge in page["edges"]]
        while page["pageInfo"]["hasPreviousPage"]:
            page = await read(client, name, last=size, before=page["pageInfo"]["startCursor"])
            assert page["pageInfo"]["hasNextPage"] is True
            backwards[:0] = [edge["node"]["key"] for edge in page["edges"]]
        assert backwards == whole


def encoded(value: Any) -> str:
    return urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


REFUSED: list[dict[str, Any]] = [
    {"first": -1},
    {"last": -1},
    {"first": 1001},
    {"last": 1001},
    {"first": 2**31 - 1},
    {"first": 1, "last": 1},
    {"first": 0, "last": 0},
    {"before": "x"},
    {"after": "é"},
    {"after": "AAAA"},
    {"after": encoded(1)},
    {"after": encoded(None)},
    {"after": encoded([])},
    {"after": encoded({"message": 1})},
    {"after": encoded(["message"])},
    {"after": encoded(["message", "1"])},
    {"after": encoded(["message", True])},
    {"after": encoded(["message", 1.0])},
    {"after": encoded(["message", -1])},
    {"after": encoded(["message", 2**63])},
    {"after": encoded(["message", 1, 1])},
    {"after": encoded(["memory", 1])},
    {"after": encoded(["session createdAt ASC", 2**62, "s"])},
    {"after": encoded(["session createdAt ASC", 1, 1])},
    {"before": encoded(["session createdAt ASC", 1, {"$gt": ""}])},
    {"after": "W10" * 10_000},
    {"after": "[" * 10_000},
    {"first": 2**31},
    {"first": 1.5},
    {"first": "1"},
]


async def test_what_a_list_does_not_take_is_refused(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "x"}]})
    for name in ("messages", "sessions"):
        for variables in REFUSED:
            error = await client.error(LISTS[name], **variables)
            assert error["code"] == "BAD_USER_INPUT", variables


async def test_only_what_is_selected_of_a_list_is_read(client: Client, commands: Commands) -> None:
    messages = [{"role": "human", "content": str(number)} for number in range(5)]
    await client.data(ADD, input={"sessionId": "s", "messages": messages})

    async def reads(selection: str) -> list[tuple[str, Any]]:
        with commands.recorded() as seen:
            await client.data(f'{{ session(sessionId: "s") {{ messages(first: 2) {{ {selection} }} }} }}')
        return [(body[kind], body.get("projection")) for kind, body in seen]

    session, *rest = await reads("edges { node { role } }")
    existence = dict.fromkeys(("expiresAt", "updatedAt", "retentionDays"), 1)
    assert session == ("sessions", {"_id": 1, "branches": 1, "erasedSeq": 1, "head": 1, **existence})
    assert rest == [("messages", {"_id": 0, "role": 1, "seq": 1})]
    assert (await reads("edges { cursor }"))[1:] == [("messages", {"_id": 0, "seq": 1})]
    assert (await reads("pageInfo { hasNextPage }"))[1:] == [("messages", {"_id": 0, "seq": 1})]
    assert (await reads("totalCount"))[1:] == [("sessions", {"_id": 1, "messageCount": 1})]
    assert (await reads("edges { cursor } totalCount @skip(if: true)"))[1:] == [("messages", {"_id": 0, "seq": 1})]
    assert (await reads("__typename"))[1:] == []


async def test_new_messages_do_not_move_a_page(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "a", "content": str(n)} for n in range(4)]})
    cursor = (await read(client, "messages", first=2))["pageInfo"]["endCursor"]
    before = await read(client, "messages", last=10, before=cursor)
    await asyncio.gather(
        *(client.data(ADD, input={"sessionId": "s", "messages": [{"role": "a", "content": "new"}]}) for _ in range(4))
    )
    after = await read(client, "messages", last=10, before=cursor)
    assert before["edges"] == after["edges"]
    assert (await read(client, "messages", after=cursor))["edges"][-1]["node"] is not None
    assert len((await read(client, "messages", after=cursor))["edges"]) == 6


AT_A_SEQ = """
query($first: Int, $after: String, $last: Int, $before: String, $afterSeq: Int, $beforeSeq: Int) {
  session(sessionId: "s") {
    list: messages(
      first: $first, after: $after, last: $last, before: $before, afterSeq: $afterSeq, beforeSeq: $beforeSeq
    ) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node { seq } }
    }
  }
}
"""


async def test_a_page_of_messages_begins_at_any_seq_whether_its_message_is_there_or_not(client: Client) -> None:
    messages = [{"role": "human", "content": str(number)} for number in range(1, 10)]
    await client.data(ADD, input={"sessionId": "s", "messages": messages})
    there = (await client.data(LISTS["messages"]))["session"]["list"]["edges"]
    cursors = {seq: edge["cursor"] for seq, edge in enumerate(there, 1)}
    for seq in (4, 5):
        uuid = there[seq - 1]["node"]["key"]
        await client.data(f'mutation {{ deleteMessage(input: {{ uuid: "{uuid}" }}) {{ deletedId }} }}')

    async def page(**variables: Any) -> Any:
        return (await client.data(AT_A_SEQ, **variables))["session"]["list"]

    for seq in range(1, 10):
        at = {"first": 3, "afterSeq": seq}
        assert await page(**at) == await page(first=3, after=cursors[seq])
        assert await page(last=3, beforeSeq=seq) == await page(last=3, before=cursors[seq])
    both = await page(first=9, afterSeq=2, before=cursors[8])
    assert [edge["node"]["seq"] for edge in both["edges"]] == [3, 6, 7]
    assert both["pageInfo"]["hasPreviousPage"] is True
    assert await page(first=9, afterSeq=0, beforeSeq=2**31 - 1) == await page()
    assert (await page(afterSeq=9))["edges"] == (await page(beforeSeq=0))["edges"] == []


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"afterSeq": -1}, "afterSeq must be 0 or more, not -1"),
        ({"beforeSeq": -1_000}, "beforeSeq must be 0 or more, not -1,000"),
        ({"afterSeq": 1, "after": "x"}, "give either after or afterSeq"),
        ({"beforeSeq": 1, "before": "x"}, "give either before or beforeSeq"),
    ],
)
async def test_a_place_in_a_history_is_a_cursor_or_a_seq(
    client: Client, variables: dict[str, Any], reason: str
) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "x"}]})
    error = await client.error(AT_A_SEQ, **variables)
    assert (error["code"], error["message"]) == ("BAD_USER_INPUT", reason)


@pytest.mark.new_database
async def test_every_page_is_read_from_an_index_in_its_order(client: Client, database: Database) -> None:
    """No plan sorts, and none looks at more than the page and the item that says that there is more."""
    many = [{"role": "human", "content": str(number)} for number in range(300)]
    for session_id in ("s", "t"):
        await client.data(ADD, input={"sessionId": session_id, "messages": many})
    for number in range(40):
        await client.data(ADD, input={"sessionId": f"x{number:02}", "messages": many[:1], "userId": f"u{number % 2}"})
    from graph.store.memories import list_memories
    from graph.store.messages import list_messages
    from graph.store.reading.keyset import Window, _between, page
    from graph.store.scope import EVERYTHING, Scope
    from graph.store.sessions import SessionFilter, list_sessions
    from graph.store.users import list_users
    from graph.store.visible import Visible

    listings = [
        list_messages(database, Visible("s")),
        list_memories(database, Visible("s")),
        list_users(database, EVERYTHING),
    ]
    for by in ("createdAt", "updatedAt"):
        for descending in (False, True):
            listings += [
                list_sessions(database, EVERYTHING, by=by, descending=descending),
                list_sessions(database, Scope("u1"), by=by, descending=descending),
                list_sessions(database, EVERYTHING, SessionFilter("u0"), by=by, descending=descending),
            ]
    for listing in listings:
        for backwards in (False, True):
            items = (await page(listing, Window(20), ())).items
            middle = listing.place(items[len(items) // 2])
            for after, before in ((None, None), (middle, None), (None, middle)):
                direction = -1 if listing.descending is not backwards else 1
                plan = await database.client.get_database(database.name).command(
                    "explain",
                    {
                        "find": listing.collection.name,
                        "filter": _between(listing, after, before),
                        "sort": dict.fromkeys(listing.keys, direction),
                        "hint": dict(listing.hint or ()),
                        "limit": 4,
                    },
                    verbosity="executionStats",
                )
                stages = str(plan["queryPlanner"]["winningPlan"])
                assert "IXSCAN" in stages
                assert "'SORT'" not in stages, stages
                assert "COLLSCAN" not in stages
                assert plan["executionStats"]["totalKeysExamined"] <= 6
