"""Items: JSON objects of a user, by namespace and key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from graph.app import create_app
from graph.operations import item_search
from graph.operations.item_texts import texts_of
from graph.schema.node import global_id
from graph.settings import Settings
from graph.store import items as store
from graph.store.database import Database
from graph.store.documents import now
from tests.support.access import SECRET, as_caller, changed, served_with, token
from tests.support.commands import Commands
from tests.support.embedding_server import REFUSED, EmbeddingServer
from tests.support.graphql_client import Client, serving
from tests.support.items import DELETE, GET, LIST, NAMESPACES, PUT, RENEW, get, item, keys, listed, namespaces, put
from tests.support.untyped import untyped

ODD = {
    "b": [1, 2.5, 1.0, -0.0, True, None, "text", {"": {"a.b": "$x", "$set": 1}}],
    "a": {"z": 1, "y": [[], {}]},
    "big": 2**63 - 1,
    "unicode": "ñ\0👩‍👩‍👧",
}
"""A value whose keys MongoDB's own languages would read otherwise, not in the order of the alphabet."""


async def test_an_item_is_what_was_put(client: Client) -> None:
    (stored,) = await put(client, "ann", item("memories.food", "k", ODD))
    assert list(stored["value"]) == list(ODD)
    assert stored["value"] == ODD
    assert [type(one) for one in stored["value"]["b"]] == [type(one) for one in ODD["b"]]  # type: ignore[attr-defined]
    assert stored["revision"] == 1
    assert (stored["ttl"], stored["expiresAt"]) == (None, None)
    assert await get(client, "ann", "memories.food", "k") == stored
    assert await get(client, "ann", "memories", "k") is None
    assert await get(client, "bob", "memories.food", "k") is None
    user = await client.data('{ user(userId: "ann") { item(namespace: ["memories", "food"], key: "k") { id } } }')
    assert user["user"]["item"]["id"] == stored["id"]
    node = await client.data("query($id: ID!) { node(id: $id) { id ... on Item { key value } } }", id=stored["id"])
    assert node["node"] == {"id": stored["id"], "key": "k", "value": ODD}


async def test_a_put_replaces_the_item_at_its_place(client: Client) -> None:
    (first,) = await put(client, "ann", item("a", "k", {"v": 1}))
    await asyncio.sleep(0.002)
    second, other = await put(client, "ann", item("a", "k", {"w": 2}), item("a.b", "k", {"v": 1}))
    assert (second["id"], second["createdAt"], second["revision"]) == (first["id"], first["createdAt"], 2)
    assert second["updatedAt"] > first["updatedAt"]
    assert second["value"] == {"w": 2}
    assert other["id"] != first["id"]
    sent = {"userId": "ann", "items": [{"namespace": ["a"], "key": key} for key in ("k", "no", "k")]}
    assert (await client.data(DELETE, input=sent))["deleteItems"]["deletedIds"] == [first["id"]]
    assert await get(client, "ann", "a", "k") is None
    assert await keys(client, "ann") == ["k"]
    (again,) = await put(client, "ann", item("a", "k", {}))
    assert again["id"] != first["id"]


async def test_an_expected_revision_keeps_two_writers_apart(client: Client) -> None:
    await put(client, "ann", item("a", "k", {"n": 0}, expectedRevision=0))
    new = {"userId": "ann", "items": [item("a", "k", {"n": 1}, expectedRevision=0), item("a", "other", {})]}
    error = await client.error(PUT, input=new)
    assert (error["code"], error["extensions"]["revision"]) == ("CONFLICT", 1)
    assert await keys(client, "ann") == ["k"]
    sent = [{"userId": "ann", "items": [item("a", "k", {"n": n}, expectedRevision=1)]} for n in range(6)]
    answers = await asyncio.gather(*(client.send(PUT, input=one) for one in sent))
    assert sum("errors" not in answer for answer in answers) == 1
    found = await get(client, "ann", "a", "k")
    assert found is not None
    assert found["revision"] == 2


async def test_pages_are_in_the_order_of_namespaces_and_keys(client: Client) -> None:
    places = [("a", "k1"), ("a", "k2"), ("a.b", "k0"), ("a.b.c", "k"), ("a!", "k"), ("b", "k"), ("ab", "k")]
    await put(client, "ann", *(item(namespace, key, {"at": f"{namespace} {key}"}) for namespace, key in places))
    order = sorted(places, key=lambda place: ([*place[0].split(".")], place[1]))
    whole = await listed(client, "ann")
    assert [(".".join(edge["node"]["namespace"]), edge["node"]["key"]) for edge in whole["edges"]] == order
    assert whole["totalCount"] == len(places)
    assert {edge["score"] for edge in whole["edges"]} == {None}
    read: list[dict[str, Any]] = []
    after = None
    while True:
        page = await listed(client, "ann", first=2, after=after)
        read += page["edges"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert read == whole["edges"]
    back = await listed(client, "ann", last=2, before=whole["edges"][4]["cursor"])
    assert back["edges"] == whole["edges"][2:4]
    assert await keys(client, "ann", prefix=["a"]) == ["k1", "k2", "k0", "k"]
    assert await keys(client, "ann", prefix=["a", "b"]) == ["k0", "k"]
    assert await keys(client, "ann", prefix=["a", "x"]) == []
    assert (await listed(client, "ann", prefix=["a"]))["totalCount"] == 4
    assert await keys(client, "nobody") == []


async def test_namespaces_are_listed_by_their_ends(client: Client) -> None:
    names = ["users.1.prefs", "users.2.prefs", "users.2.facts", "users.2.facts.old", "teams.1.prefs", "users"]
    await put(client, "ann", *(item(name, key, {}) for name in names for key in ("a", "b")))
    assert await namespaces(client, "ann") == sorted(names, key=lambda name: name.split("."))
    assert await namespaces(client, "ann", prefix=["users", "2"]) == [
        "users.2.facts",
        "users.2.facts.old",
        "users.2.prefs",
    ]
    assert await namespaces(client, "ann", suffix=["prefs"]) == ["teams.1.prefs", "users.1.prefs", "users.2.prefs"]
    assert await namespaces(client, "ann", prefix=["*", "1"]) == ["teams.1.prefs", "users.1.prefs"]
    assert await namespaces(client, "ann", prefix=["users"], suffix=["*", "old"]) == ["users.2.facts.old"]
    assert await namespaces(client, "ann", maxDepth=1) == ["teams", "users"]
    assert await namespaces(client, "ann", maxDepth=2, prefix=["users"]) == ["users", "users.1", "users.2"]
    assert await namespaces(client, "ann", first=1, maxDepth=2) == ["teams.1"]
    assert await namespaces(client, "ann", last=1) == ["users.2.prefs"]
    assert await namespaces(client, "bob") == []
    nodes = (await client.data(NAMESPACES, u="ann", maxDepth=1))["itemNamespaces"]["edges"]
    asked = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on ItemNamespace { id namespace } } }"
    found = await client.data(asked, ids=[edge["node"]["id"] for edge in nodes])
    assert found["nodes"] == [edge["node"] for edge in nodes]


async def test_a_namespace_is_looked_up_by_one_document(client: Client, commands: Commands) -> None:
    await put(client, "ann", *(item(f"users.{n}", "k", {}) for n in range(20)))
    ids = [edge["node"]["id"] for edge in (await client.data(NAMESPACES, u="ann"))["itemNamespaces"]["edges"]]
    asked = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on ItemNamespace { namespace } } }"
    (whole,) = (await client.data(NAMESPACES, u="ann", maxDepth=1))["itemNamespaces"]["edges"]
    unknown = global_id("ItemNamespace", "3:annusers\0none\0")
    with commands.recorded() as seen:
        found = await client.data(
            asked, ids=[ids[0], whole["node"]["id"], unknown, ids[0], ids[1], whole["node"]["id"]]
        )
    assert [None if node is None else node["namespace"] for node in found["nodes"]] == [
        ["users", "0"], ["users"], None, ["users", "0"], ["users", "1"], ["users"],
    ]  # fmt: skip
    assert sorted((name, body[name], body.get("limit")) for name, body in seen) == [
        *[("find", "items", 1)] * 4,
        ("find", "users", 1),
    ]


async def test_the_namespaces_that_are_read_count_for_the_answer(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    async with served_with(settings, mongodb_uri, max_answer_bytes=20_000) as client:
        for page in range(2):
            await put(client, "ann", *(item(f"{page}{n}{'x' * 200}", "k", {}) for n in range(60)))
        assert (await client.error(NAMESPACES, u="ann", first=1))["code"] == "TOO_COSTLY"
        assert (await client.data(NAMESPACES, u="ann", prefix=["00" + "x" * 200]))["itemNamespaces"]["totalCount"] == 1


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"path": "n", "equals": 2}, ["two"]),
    ({"path": "n", "equals": 2.0}, ["two"]),
    ({"path": "n", "notEquals": 2}, ["list", "none", "one", "text"]),
    ({"path": "n", "greaterThan": 1}, ["two"]),
    ({"path": "n", "atLeast": 1}, ["one", "two"]),
    ({"path": "n", "lessThan": 2}, ["one"]),
    ({"path": "n", "atMost": 2.5}, ["one", "two"]),
    ({"path": "n", "greaterThan": "1"}, ["text"]),
    ({"path": "n", "equals": [1, 2]}, ["list"]),
    ({"path": "n", "exists": False}, ["none"]),
    ({"path": "deep.k", "equals": "v"}, ["one"]),
    ({"path": "deep", "equals": {"l": 1, "k": "v"}}, ["one"]),
    ({"segments": ["a.b"], "equals": True}, ["two"]),
    ({"segments": ["$n"], "equals": None}, ["text"]),
]
"""Conditions, with the keys of the items that meet them."""


async def test_filters_compare_values_of_one_kind(client: Client) -> None:
    values: dict[str, dict[str, Any]] = {
        "one": {"n": 1, "deep": {"k": "v", "l": 1}},
        "two": {"n": 2, "a.b": True},
        "text": {"n": "2", "$n": None},
        "list": {"n": [1, 2]},
        "none": {},
    }
    await put(client, "ann", *(item("a", key, value) for key, value in values.items()))
    for condition, found in FILTERS:
        assert await keys(client, "ann", filter=[condition]) == found, condition
    both = [{"path": "n", "atLeast": 1}, {"path": "n", "lessThan": 2}]
    assert await keys(client, "ann", filter=both) == ["one"]
    assert (await listed(client, "ann", filter=both))["totalCount"] == 1
    assert await keys(client, "ann", filter=both, text="anything") == ["one"]


FOOD = {
    "pizza": {"text": "I love pizza with mushrooms", "kind": "food"},
    "run": {"text": "Every morning I jog five kilometres", "kind": "sport"},
    "piano": {"text": "My daughter learns to play the piano", "kind": "music"},
}


async def test_a_query_orders_items_by_words_and_meaning(client: Client) -> None:
    await put(client, "ann", *(item("facts", key, value) for key, value in FOOD.items()))
    await put(client, "ann", item("facts", "hidden", {"text": "pizza pizza pizza"}, index=[]))
    await put(client, "ann", item("facts", "title", {"text": "pizza", "title": "an opera singer"}, index=["title"]))
    await put(client, "bob", item("facts", "bob", {"text": "pizza"}))
    found = await listed(client, "ann", text="pizza")
    assert found["totalCount"] == 4  # all that have texts, so that the best ones are there however low their scores
    assert found["edges"][0]["node"]["key"] == "pizza"
    scores = [edge["score"] for edge in found["edges"]]
    assert scores == sorted(scores, reverse=True)
    assert (await keys(client, "ann", text="physical exercise outdoors"))[0] == "run"  # shares no word with it
    assert (await keys(client, "ann", text="a musical instrument", filter=[{"path": "kind", "exists": True}]))[
        0
    ] == "piano"
    page = await listed(client, "ann", text="pizza", first=2)
    rest = await listed(client, "ann", text="pizza", after=page["pageInfo"]["endCursor"])
    assert page["edges"] + rest["edges"] == found["edges"]
    wrong = await client.error(LIST, u="ann", text="other", after=page["pageInfo"]["endCursor"])
    assert wrong["code"] == "BAD_USER_INPUT"
    assert await keys(client, "ann", text="pizza", prefix=["other"]) == []


async def test_a_search_embeds_what_a_put_could_not(client: Client, database: Database) -> None:
    await put(client, "ann", *(item("facts", key, value) for key, value in FOOD.items()))
    raw = untyped(database, "items")
    await raw.update_many({}, {"$set": {"texts": [], "layout": 0}, "$unset": {"model": ""}})
    await raw.update_one({"key": "piano"}, {"$set": {"model": "another", "layout": 1, "texts": [OTHER]}})
    assert (await keys(client, "ann", text="physical exercise outdoors"))[0] == "run"
    stored = await raw.find({}).to_list(None)
    assert len({document["model"] for document in stored}) == 1
    assert all(document["texts"][0]["vector"] for document in stored)
    assert len({document["updatedAt"] for document in stored}) == 1


async def test_the_items_of_a_user_are_searched_by_one_search_at_a_time(
    settings: Settings, mongodb_uri: str, database: Database, commands: Commands
) -> None:
    app = create_app(changed(settings, database_timeout=2.0), mongodb_uri)
    async with serving(app) as client:
        await put(client, "ann", *(item("facts", key, value) for key, value in FOOD.items()))
        await put(client, "bob", item("facts", "bob", {"text": "pizza"}))
        await untyped(database, "items").update_many({}, {"$set": {"texts": [], "layout": 0}, "$unset": {"model": ""}})
        with commands.recorded() as seen:
            found = await asyncio.gather(*(keys(client, "ann", text="pizza") for _ in range(4)))
        assert [first for first, *_ in found] == ["pizza"] * 4
        assert len([name for name, body in seen if (name, body.get(name)) == ("update", "items")]) == 1
        lock = app.state.backend.item_searches.setdefault("ann", asyncio.Lock())
        async with lock:
            refused, bobs = await asyncio.gather(
                client.error(LIST, u="ann", text="pizza"), keys(client, "bob", text="pizza")
            )
        assert (refused["code"], bobs) == ("UNAVAILABLE", ["bob"])
        assert "searches of this user's items" in refused["message"]
        assert len(await keys(client, "ann", text="pizza")) == 3


async def test_a_search_compares_a_maximum_of_texts(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_search, "MAX_COMPARED", 3)
    await put(client, "ann", item("a", "k", {"t": ["x", "y"]}, index=["t[*]"]), item("a.b", "k", {"t": "pizza"}))
    assert len(await keys(client, "ann", text="pizza")) == 2
    await put(client, "ann", item("a", "more", {"t": "z"}))
    refused = await client.error(LIST, u="ann", text="pizza")
    assert refused["code"] == "TOO_COSTLY"
    assert "3 texts" in refused["message"]
    assert await keys(client, "ann", text="pizza", prefix=["a", "b"]) == ["k"]


async def test_a_text_that_the_model_refuses_keeps_no_other_from_its_vector(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    raw = untyped(database, "items")

    async def vectors() -> dict[str, tuple[bool, list[bool]]]:
        found = await raw.find({}).to_list(None)
        return {
            document["key"]: ("model" in document, ["vector" in text for text in document["texts"]])
            for document in found
        }

    embedded = {"pizza": (True, [True]), "run": (True, [True]), "piano": (True, [True])}
    refused = {"text": f"{REFUSED} of mushrooms", "title": "an opera singer"}
    with EmbeddingServer() as server:
        changes = {"embedding_base_url": server.base_url, "embedding_model": "m"}
        async with served_with(settings, mongodb_uri, **changes) as client:
            await put(client, "ann", item("a", "no", refused, index=["text", "title"]))
            await put(client, "ann", *(item("facts", key, value) for key, value in FOOD.items()))
            assert await vectors() == {"no": (True, [False, True]), **embedded}
            await raw.update_many({}, {"$set": {"texts": [], "layout": 0}, "$unset": {"model": ""}})
            assert (await keys(client, "ann", text="physical exercise outdoors"))[0] == "run"
            assert await vectors() == {"no": (True, [False, True]), **embedded}
            asked = len(server.headers)
            assert (await keys(client, "ann", text="mushrooms"))[0] in ("no", "pizza")
            assert len(server.headers) == asked + 1  # for the query alone
            server.body = {"data": []}  # no answer to any text: nothing is said of these ones
            await put(client, "ann", item("facts", "piano", FOOD["piano"]))
            assert (await vectors())["piano"] == (False, [False])
            assert "piano" in await keys(client, "ann", text="piano")
            assert (await vectors())["piano"] == (False, [False])


async def test_searches_store_nothing_while_the_model_is_away(
    settings: Settings, mongodb_uri: str, database: Database, commands: Commands
) -> None:
    del database
    with EmbeddingServer(503) as server:
        changes = {"embedding_base_url": server.base_url, "embedding_model": "m"}
        async with served_with(settings, mongodb_uri, **changes) as client:
            await put(client, "ann", *(item("facts", key, value) for key, value in FOOD.items()))
            with commands.recorded() as seen:
                assert (await keys(client, "ann", text="pizza"))[0] == "pizza"
            assert {name for name, _ in seen} <= {"find", "aggregate"}


OTHER = {"language": "english", "terms": b"", "vector": b"\x7f" * 384, "scale": 0.01}


def test_paths_lead_to_texts() -> None:
    value: Any = {"a": {"b": "x", "n": 5}, "l": [{"t": "1"}, {"t": "2"}], "s": ["p", "q"], "none": None}
    assert texts_of(value, ["a.b"]) == ["x"]
    assert texts_of(value, ["l[*].t", "s[-1]", "s[7]", "a.c", "none"]) == ["1", "2", "q"]
    assert texts_of(value, ["a.*"]) == ["x", "5"]
    assert texts_of(value, []) == []
    assert texts_of({"a": "x", "b": ["y", "z"]}, None) == ["a: x\nb: y\nz"]
    assert len(texts_of({"a": ["x"] * 100}, ["a[*]"])) == 8
    assert len(texts_of({"a": "x" * 100_000, "b": "y"}, ["a", "b"])[0]) == 10_000


class Walked(list[Any]):
    """A list that counts the items that are taken from it."""

    taken = 0

    def __iter__(self) -> Iterator[Any]:
        for one in super().__iter__():
            self.taken += 1
            yield one


SPELLINGS = ["$", "a", "*", "a[*]", "a.*", "*.*", "*[*]", "a.[*]", "*.[*]", "a[*].b", *(f"a[{n}]" for n in range(10))]
"""Paths that differ and lead through the whole of `{"a": [...]}`, or to an item of the list."""


@pytest.mark.parametrize("one", [1, None, "", " ", [], {}], ids=repr)
def test_no_more_of_a_value_is_read_than_its_texts_can_have(one: Any) -> None:
    listed_ = Walked([one] * 130_000)
    texts = texts_of({"a": listed_}, SPELLINGS)
    assert sum(map(len, texts)) <= 10_000
    assert listed_.taken <= 20_000
    if one == 1:
        assert texts[0] == "a: " + "1\n" * 4_998 + "1"


def test_empty_texts_before_others_do_not_hide_them() -> None:
    value: Any = {"a": [None] * 5_000, "b": {"c": [[], "x"]}, "d": "y"}
    assert texts_of(value, ["a", "a[*]", "b.c[*]", "d"]) == ["x", "y"]


async def test_a_put_of_large_items_holds_no_loop(client: Client) -> None:
    """The watch of the event loop fails this test where it is held."""
    large = {"a": [1] * 130_000}
    stored = await client.data(
        "mutation($input: PutItemsInput!) { putItems(input: $input) { items { revision } } }",
        input={"userId": "ann", "items": [item("a", f"k{n}", large, index=SPELLINGS) for n in range(3)]},
    )
    assert stored["putItems"]["items"] == [{"revision": 1}] * 3


async def test_an_item_expires_and_a_renewal_begins_its_time_again(client: Client, database: Database) -> None:
    stored, other = await put(client, "ann", item("a", "k", {"v": 1}, ttl=1.5), item("a", "other", {}))
    assert stored["ttl"] == 1.5
    ends = datetime.fromisoformat(stored["expiresAt"])
    assert ends - datetime.fromisoformat(stored["updatedAt"]) == timedelta(minutes=1.5)
    await asyncio.sleep(0.002)
    sent = {"userId": "ann", "items": [{"namespace": ["a"], "key": key} for key in ("other", "no", "k")]}
    renewed = (await client.data(RENEW, input=sent))["renewItems"]["items"]
    assert renewed[0] == other
    assert renewed[1] == {**stored, "expiresAt": renewed[1]["expiresAt"]}
    assert datetime.fromisoformat(renewed[1]["expiresAt"]) > ends
    assert await get(client, "ann", "a", "k") == renewed[1]
    await untyped(database, "items").update_one({"key": "k"}, {"$set": {"expiresAt": now() - timedelta(seconds=1)}})
    assert await get(client, "ann", "a", "k") is None
    assert await keys(client, "ann") == ["other"]
    assert "k" not in await keys(client, "ann", text="1")
    assert (await client.data(RENEW, input=sent))["renewItems"]["items"] == [other]
    node = await client.data("query($id: ID!) { node(id: $id) { id } }", id=stored["id"])
    assert node["node"] is None
    (again,) = await put(client, "ann", item("a", "k", {"v": 2}, expectedRevision=0))
    assert again["id"] != stored["id"]
    until = (now() + timedelta(hours=1)).isoformat()
    (fixed,) = await put(client, "ann", item("a", "k", {}, expiresAt=until))
    assert datetime.fromisoformat(fixed["expiresAt"]) == datetime.fromisoformat(until)
    assert fixed["ttl"] is None


WRONG: list[dict[str, Any]] = [
    item("a", "k", [1]),
    item("a", "k", None),
    {"namespace": [], "key": "k", "value": {}},
    {"namespace": ["a", ""], "key": "k", "value": {}},
    {"namespace": ["a\0"], "key": "k", "value": {}},
    {"namespace": ["a"] * 17, "key": "k", "value": {}},
    {"namespace": ["a" * 257], "key": "k", "value": {}},
    item("a", "", {}),
    item("a", "k" * 513, {}),
    item("a", "k", {"v": "x" * 262_144}),
    item("a", "k", {"v": 2**63}),
    item("a", "k", {}, ttl=0),
    item("a", "k", {}, ttl=6e6),
    item("a", "k", {}, ttl=1, expiresAt="2999-01-01T00:00:00Z"),
    item("a", "k", {}, expiresAt="2020-01-01T00:00:00Z"),
    item("a", "k", {}, index=["a..b"]),
    item("a", "k", {}, index=["a{b}"]),
    item("a", "k", {}, index=[f"a{n}" for n in range(21)]),
    item("a", "k", {}, index=["a", "b", "a"]),
    item("a", "k", {}, expectedRevision=-1),
]


async def test_wrong_items_are_refused_and_change_nothing(client: Client) -> None:
    for wrong in WRONG:
        sent = {"userId": "ann", "items": [item("a", "right", {}), wrong]}
        answer = await client.send(PUT, input=sent)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], wrong
    twice: dict[str, Any] = {"userId": "ann", "items": [item("a", "k", {}), item("a", "k", {"v": 1})]}
    calls: list[dict[str, Any]] = [twice, {"userId": "ann", "items": []}, {"userId": "", "items": [item("a", "k", {})]}]
    for sent in calls:
        assert (await client.error(PUT, input=sent))["code"] == "BAD_USER_INPUT"
    assert (await client.data('{ user(userId: "ann") { id } }'))["user"] is None
    conditions: list[dict[str, Any]] = [
        {"path": "n"},
        {"equals": 1},
        {"path": "n", "equals": 1, "atLeast": 1},
        {"path": "n", "atLeast": None},
        {"path": "n", "atLeast": True},
        {"path": "n", "atLeast": [1]},
        {"path": "n", "equals": list(range(100))},
    ]
    for condition in conditions:
        assert (await client.error(LIST, u="ann", filter=[condition]))["code"] == "BAD_USER_INPUT", condition
    assert (await client.error(LIST, u="ann", text=""))["code"] == "BAD_USER_INPUT"
    assert (await client.error(LIST, u="ann", after="x"))["code"] == "BAD_USER_INPUT"
    assert (await client.error(GET, u="ann", n=[], k="k"))["code"] == "BAD_USER_INPUT"


async def test_a_user_has_a_maximum_of_items(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_ITEMS", 3)
    await put(client, "ann", *(item("a", f"k{n}", {}) for n in range(3)))
    over = {"userId": "ann", "items": [item("a", "k0", {"new": 1}), item("a", "k3", {})]}
    assert (await client.error(PUT, input=over))["code"] == "TOO_COSTLY"
    await put(client, "ann", item("a", "k0", {"v": 1}))
    await put(client, "bob", item("a", "k3", {}))
    await untyped(database, "items").update_one({"key": "k2"}, {"$set": {"expiresAt": now() - timedelta(seconds=1)}})
    await put(client, "ann", item("a", "k3", {}))
    assert await keys(client, "ann") == ["k0", "k1", "k3"]


async def test_the_deadline_holds_in_the_queue_of_a_user_too(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    app = create_app(changed(settings, write_deadline=0.3), mongodb_uri)
    sent = {"userId": "ann", "items": [item("a", "k", {"v": 1})]}
    async with serving(app) as client:
        await put(client, "ann", item("a", "k", {}))
        async with app.state.backend.database.write_lock("user\0ann"), asyncio.timeout(60):
            refused = await client.error(PUT, input=sent)
            kept = await client.error('mutation { deleteUser(input: { userId: "ann" }) { deletedId } }')
    assert [error["extensions"] for error in (refused, kept)] == [{"code": "UNAVAILABLE"}] * 2
    stored = await database.user_items.find_one({})
    assert stored is not None
    assert stored["revision"] == 1


async def test_an_end_user_has_its_own_items_alone(settings: Settings, mongodb_uri: str, database: Database) -> None:
    from pydantic import SecretStr

    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        as_caller(client, token("bob"))
        (bobs,) = await put(client, "bob", item("a", "k", {"of": "bob"}))
        as_caller(client, token("ada"))
        (own,) = await put(client, "ada", item("a", "k", {"of": "ada"}))
        for user in ("bob", "nobody"):
            assert await get(client, user, "a", "k") is None
            assert await keys(client, user) == []
            assert await keys(client, user, text="bob") == []
            assert await namespaces(client, user) == []
            place = {"userId": user, "items": [{"namespace": ["a"], "key": "k"}]}
            assert (await client.error(DELETE, input=place))["code"] == "FORBIDDEN"
            assert (await client.error(RENEW, input=place))["code"] == "FORBIDDEN"
            sent = {"userId": user, "items": [item("a", "k", {})]}
            assert (await client.error(PUT, input=sent))["code"] == "FORBIDDEN"
        nodes = await client.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[bobs["id"], own["id"]])
        assert nodes["nodes"] == [None, {"id": own["id"]}]
    kept = await database.user_items.find_one({"userId": "bob"})
    assert kept is not None
    assert kept["revision"] == 1


async def test_the_items_of_a_deleted_user_are_gone_at_once(client: Client, database: Database) -> None:
    (stored,) = await put(client, "ann", item("a", "k", {"v": 1}))
    document = await database.user_items.find_one({})
    assert document is not None
    many = [{**document, "_id": f"many {n}", "key": f"k{n}"} for n in range(250)]
    await untyped(database, "items").insert_many(many)
    await client.data('mutation { deleteUser(input: { userId: "ann" }) { deletedId } }')
    assert await get(client, "ann", "a", "k") is None
    assert await keys(client, "ann") == []
    assert await namespaces(client, "ann") == []
    node = await client.data("query($id: ID!) { node(id: $id) { id } }", id=stored["id"])
    assert node["node"] is None
    (again,) = await put(client, "ann", item("a", "new", {}))  # waits for the erasure of the former user
    assert await keys(client, "ann") == ["new"]
    assert again["revision"] == 1
