"""The checkpoint saver of LangGraph, run where LangGraph is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import asyncio
import hashlib
import operator
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.test_utils import generate_checkpoint, generate_config, generate_metadata
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from recallql import AsyncRecallQL, RecallQL
from recallql.langgraph_checkpoints import RecallQLSaver

URL = os.environ["RECALLQL_URL"]


@pytest.fixture
async def client() -> AsyncIterator[AsyncRecallQL]:
    async with AsyncRecallQL(URL) as client:
        yield client


async def test_it_passes_the_conformance_suite() -> None:
    @checkpointer_test(name="RecallQLSaver")
    async def saver() -> AsyncIterator[RecallQLSaver]:
        async with AsyncRecallQL(URL) as client:
            yield RecallQLSaver(client)

    report = await validate(saver)
    report.print_report()
    assert report.passed_all_base()


async def test_long_values_come_back_whole(client: AsyncRecallQL) -> None:
    saver, thread = RecallQLSaver(client), f"t/é {uuid4()}"
    config, long = generate_config(thread), os.urandom(6_000_000)
    checkpoint = generate_checkpoint(channel_values={"long": long, "none": None}, channel_versions={"long": 1})
    stored = await saver.aput(config, checkpoint, generate_metadata(step=0), {"long": 1})
    await saver.aput_writes(stored, [("a", long[:400_000]), ("b", {"x": {1, 2}})], "task")
    await saver.aput_writes(stored, [("a", long[400_000:900_000]), ("b", 0), ("c", "new")], "task")
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.checkpoint["channel_values"] == {"long": long, "none": None}
    assert found.pending_writes == [("task", "a", long[:400_000]), ("task", "b", {"x": {1, 2}}), ("task", "c", "new")]
    await saver.adelete_thread(thread)
    assert await saver.aget_tuple(config) is None
    left = await client.operations.items(f"langgraph/t%2F%C3%A9%20{thread[4:]}", ["langgraph"])
    assert left.items.edges == []


async def test_long_names_are_places_of_their_own(client: AsyncRecallQL) -> None:
    saver, first = RecallQLSaver(client), f"{uuid4()} é" * 20
    namespaces = ["", "x" * 255, "x" * 256, "|".join(f"node:{uuid4()}" for _ in range(12))]
    namespaces.append("sha256:" + hashlib.sha256(namespaces[-1].encode()).hexdigest())
    for thread in (first, f"{first}!", first[:256]):
        for step, ns in enumerate(namespaces):
            config = generate_config(thread, checkpoint_ns=ns)
            stored = await saver.aput(config, generate_checkpoint(), generate_metadata(step=step), {})
            assert stored["configurable"]["checkpoint_ns"] == ns
            await saver.aput_writes(stored, [("a", ns)], "task")
    for thread in (first, f"{first}!"):
        config = {"configurable": {"thread_id": thread}}
        found = [one async for one in saver.alist(config)]
        assert sorted(one.config["configurable"]["checkpoint_ns"] for one in found) == sorted(namespaces)
        for one in found:
            assert one.config["configurable"]["thread_id"] == thread
            assert one.pending_writes == [("task", "a", one.config["configurable"]["checkpoint_ns"])]
            assert await saver.aget_tuple(one.config) == one
    await saver.adelete_thread(first)
    assert [one async for one in saver.alist({"configurable": {"thread_id": first}})] == []
    assert len([one async for one in saver.alist({"configurable": {"thread_id": f"{first}!"}})]) == len(namespaces)


class State(TypedDict):
    said: Annotated[list[str], operator.add]


def graph_with(saver: Any) -> Any:
    def ask(state: State) -> dict[str, list[str]]:
        return {"said": [f"you are {interrupt('Who are you?')}"]}

    def tell(state: State) -> dict[str, list[str]]:
        return {"said": [f"{len(state['said'])} said"]}

    builder = StateGraph(State).add_node("ask", ask).add_node("tell", tell)
    return builder.add_edge(START, "ask").add_edge("ask", "tell").add_edge("tell", END).compile(checkpointer=saver)


def told(graph: Any, config: Any) -> Any:
    graph.invoke({"said": ["hello"]}, config)
    graph.invoke(Command(resume="Ann"), config)
    graph.invoke({"said": ["again"]}, config)
    history = [(one.values, one.next, one.metadata["step"]) for one in graph.get_state_history(config)]
    earlier = [*graph.get_state_history(config)][2].config
    graph.update_state(earlier, {"said": ["an edit"]})
    return graph.get_state(config).values, history, graph.invoke(Command(resume="Bob"), config)


def test_a_graph_goes_on_as_with_the_saver_in_memory() -> None:
    config = {"configurable": {"thread_id": str(uuid4())}}
    with RecallQL(URL) as client:
        assert told(graph_with(RecallQLSaver(client)), config) == told(graph_with(InMemorySaver()), config)


async def test_simultaneous_writes_of_a_task_are_stored_once(client: AsyncRecallQL) -> None:
    saver, config = RecallQLSaver(client), generate_config(str(uuid4()))
    stored = await saver.aput(config, generate_checkpoint(), generate_metadata(), {})
    await asyncio.gather(*(saver.aput_writes(stored, [("a", one), ("b", one)], "task") for one in range(5)))
    found = await saver.aget_tuple(stored)
    assert found is not None
    assert found.pending_writes is not None
    ((_, _, first), (_, _, second)) = found.pending_writes
    assert first == second
