"""The store of LangGraph, run where LangGraph is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_store
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore
from recallql import AsyncRecallQL, RecallQL
from recallql.langgraph import RecallQLStore

URL = os.environ["RECALLQL_URL"]


@pytest.fixture
def client() -> Iterator[RecallQL]:
    with RecallQL(URL) as client:
        yield client


@pytest.fixture
async def async_client() -> AsyncIterator[AsyncRecallQL]:
    async with AsyncRecallQL(URL) as client:
        yield client


def new_store(client: RecallQL | AsyncRecallQL, **more: Any) -> RecallQLStore:
    return RecallQLStore(client, str(uuid4()), **more)


def filled(store: Any) -> Any:
    """The store with the same items as any other."""
    for number in range(12):
        store.put(
            ("users", str(number % 3), "prefs"), f"k{number:02}", {"n": number, "s": f"v{number}", "d": {"e": number}}
        )
    store.put(("teams", "1", "facts"), "k", {"n": 2.5})
    return store


def test_a_store_answers_as_the_one_of_langgraph(client: RecallQL) -> None:
    own, other = filled(new_store(client)), filled(InMemoryStore())
    for conditions in (
        None,
        {"n": 3},
        {"n": {"$gt": 3, "$lte": 7}},
        {"n": {"$gte": 10}},
        {"n": {"$lt": 2}},
        {"n": {"$ne": 4}},
        {"s": {"$eq": "v4"}},
        {"d": {"e": 5}},
        {"n": 3, "s": "v3"},
        {"n": 3, "s": "v4"},
    ):
        for prefix in ((), ("users",), ("users", "1"), ("use",)):
            found, expected = (store.search(prefix, filter=conditions, limit=100) for store in (own, other))
            assert sorted((item.namespace, item.key, str(item.value)) for item in found) == sorted(
                (item.namespace, item.key, str(item.value)) for item in expected
            ), (conditions, prefix)
    for asked in (
        {},
        {"prefix": ("users",)},
        {"suffix": ("prefs",)},
        {"prefix": ("*", "1")},
        {"prefix": ("users",), "suffix": ("2", "prefs")},
        {"max_depth": 1},
        {"max_depth": 2, "prefix": ("users",)},
        {"limit": 2, "offset": 1},
    ):
        assert own.list_namespaces(**asked) == other.list_namespaces(**asked), asked


def test_items_are_put_read_and_deleted(client: RecallQL) -> None:
    store = new_store(client)
    assert store.get(("a",), "k") is None
    store.put(("a",), "k", {"v": [1, {"x": None}], "b": "é"})
    first = store.get(("a",), "k")
    assert first is not None
    assert (first.value, first.namespace, first.key) == ({"v": [1, {"x": None}], "b": "é"}, ("a",), "k")
    store.put(("a",), "k", {"v": 2})
    second = store.get(("a",), "k")
    assert second is not None
    assert (second.value, second.created_at) == ({"v": 2}, first.created_at)
    pages = [[item.key for item in filled(store).search(("users",), limit=5, offset=offset)] for offset in (0, 5, 10)]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert len({key for page in pages for key in page}) == 12
    store.delete(("a",), "k")
    assert store.get(("a",), "k") is None


def test_a_batch_reads_before_it_writes_and_the_last_write_stays(client: RecallQL) -> None:
    store = new_store(client)
    ops = [
        PutOp(("a",), "k", {"v": 1}),
        GetOp(("a",), "k"),
        PutOp(("a",), "k", {"v": 2}),
        PutOp(("a",), "gone", {"v": 1}),
        PutOp(("a",), "gone", None),
        SearchOp(("a",)),
        ListNamespacesOp(),
    ]
    assert store.batch(ops) == [None, None, None, None, None, [], []]
    assert [(item.key, item.value) for item in store.search(("a",))] == [("k", {"v": 2})]


def test_a_search_finds_by_meaning(client: RecallQL) -> None:
    store = new_store(client, fields=["text"])
    store.put(("m",), "food", {"text": "I love pizza with mushrooms"})
    store.put(("m",), "sport", {"text": "Every morning I jog five kilometres"})
    store.put(("m",), "hidden", {"text": "physical exercise"}, index=False)
    (best, *_) = store.search(("m",), query="physical exercise outdoors", limit=1)
    assert best.key == "sport"
    assert best.score is not None
    assert 0 < best.score <= 1
    assert {item.key for item in store.search(("m",), query="anything")} == {"food", "sport"}


async def test_a_time_to_live_is_in_minutes_and_reads_renew_it(async_client: AsyncRecallQL) -> None:
    user_id = str(uuid4())
    store = RecallQLStore(async_client, user_id, ttl={"default_ttl": 0.001, "refresh_on_read": False})
    await store.aput(("a",), "short", {"v": 1})
    await store.aput(("a",), "kept", {"v": 1}, ttl=60)
    await store.aput(("a",), "forever", {"v": 1}, ttl=None)
    await asyncio.sleep(0.1)  # longer than the 60 ms of the first one
    assert await store.aget(("a",), "short") is None
    assert {item.key for item in await store.asearch(("a",))} == {"kept", "forever"}

    async def stored(key: str) -> Any:
        return (await async_client.operations.item(user_id, ["a"], key)).item

    kept, forever = await stored("kept"), await stored("forever")
    assert (forever.ttl, forever.expires_at) == (None, None)
    assert (kept.expires_at - kept.updated_at).total_seconds() == 3600
    await store.aget(("a",), "kept")
    await store.asearch(("a",))
    assert (await stored("kept")).expires_at == kept.expires_at
    await store.aget(("a",), "kept", refresh_ttl=True)
    renewed = await stored("kept")
    assert renewed.expires_at > kept.expires_at
    await store.asearch(("a",), refresh_ttl=True)
    assert (await stored("kept")).expires_at > renewed.expires_at
    assert (await stored("forever")) == forever


def test_an_agent_remembers_over_threads(client: RecallQL) -> None:
    """The users of one store are those of its namespaces, and an erasure of one takes its items alone."""
    ann, bob = str(uuid4()), str(uuid4())
    store = RecallQLStore(client, lambda namespace: namespace[1])

    def answer(state: MessagesState, config: RunnableConfig) -> Any:
        kept, user_id = get_store(), config["configurable"]["user_id"]
        said = str(state["messages"][-1].content)
        found = kept.search(("memories", user_id), query=said, limit=1)
        kept.put(("memories", user_id), str(uuid4()), {"text": said})
        return {"messages": [("ai", found[0].value["text"] if found else "nothing")]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile(store=store)

    def ask(user_id: str, text: str) -> str:
        config: Any = {"configurable": {"user_id": user_id}}
        return str(graph.invoke({"messages": [("user", text)]}, config)["messages"][-1].content)

    assert ask(ann, "My sister Clara works at the harbour office.") == "nothing"
    assert ask(bob, "Where does Clara work?") == "nothing"
    assert ask(ann, "Where does Clara work?") == "My sister Clara works at the harbour office."
