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
from langgraph.channels.delta import DeltaChannel
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
    missing = {name for name, result in report.results.items() if not result.detected}
    assert missing <= {"delete_for_runs"}
    assert report.passed_all()


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


async def all_of(saver: RecallQLSaver, thread: str) -> list[Any]:
    return [one async for one in saver.alist({"configurable": {"thread_id": thread}})]


async def items_of(client: AsyncRecallQL, thread: str) -> list[tuple[tuple[str, ...], str]]:
    found = (await client.operations.items(f"langgraph/{thread}", ["langgraph", thread], first=1_000)).items
    assert not found.page_info.has_next_page
    return [(tuple(edge.node.namespace[2:]), edge.node.key) for edge in found.edges]


async def with_history(saver: RecallQLSaver, thread: str, *, steps: int, long: bytes) -> list[Any]:
    """Store checkpoints with long values and many writes, each the parent of the next one; return their configs."""
    stored: list[Any] = []
    for step in range(steps):
        config = stored[-1] if stored else generate_config(thread)
        checkpoint = generate_checkpoint(channel_values={"long": long, "step": step}, channel_versions={"step": step})
        stored.append(await saver.aput(config, checkpoint, generate_metadata(step=step), {}))
        # The same long value in each checkpoint, and more writes than one mutation deletes.
        await saver.aput_writes(stored[-1], [("same", long), *((f"c{one}", one) for one in range(120))], "task")
    return stored


async def test_a_copy_is_equal_and_stays_when_the_source_goes(client: AsyncRecallQL) -> None:
    saver, source, target = RecallQLSaver(client), str(uuid4()), f"copy é {uuid4()}"
    await with_history(saver, source, steps=3, long=os.urandom(400_000))
    other = generate_config(source, checkpoint_ns="n" * 300)
    await saver.aput(other, generate_checkpoint(), generate_metadata(step=9), {})
    before = await all_of(saver, source)
    await saver.acopy_thread(source, target)
    await saver.acopy_thread(source, source)
    await saver.acopy_thread(source, target)  # as after an error
    assert await all_of(saver, source) == before
    await saver.adelete_thread(source)
    copied = await all_of(saver, target)
    for one, copy in zip(before, copied, strict=True):
        assert {**copy.config["configurable"], "thread_id": source} == one.config["configurable"]
        assert copy._replace(config=one.config, parent_config=one.parent_config) == one
        assert (copy.parent_config is None) == (one.parent_config is None)
    later = await saver.aput(copied[0].config, generate_checkpoint(), generate_metadata(step=10), {})
    await saver.acopy_thread(source, target)  # there is nothing to copy any more
    assert len(await all_of(saver, target)) == 5
    assert await saver.aget_tuple(later) is not None


async def test_pruning_leaves_the_latest_checkpoint_and_nothing_of_the_others(client: AsyncRecallQL) -> None:
    saver, thread, kept = RecallQLSaver(client), str(uuid4()), str(uuid4())
    long = os.urandom(400_000)
    first, *_, last = await with_history(saver, thread, steps=3, long=long)
    expected = await saver.aget_tuple(last)
    with pytest.raises(ValueError, match="keep_latest"):
        await saver.aprune([thread], strategy="keep_none")
    assert len(await all_of(saver, thread)) == 3
    await asyncio.gather(*(saver.aprune([thread, kept]) for _ in range(3)))
    await saver.aprune([thread])
    assert await all_of(saver, thread) == [expected]
    assert expected is not None
    assert expected.pending_writes is not None
    assert expected.pending_writes[0] == ("task", "same", long)
    assert await saver.aget_tuple(first) is None
    places = [namespace[1] for namespace, _ in await items_of(client, thread)]
    assert {name: places.count(name) for name in places} == {"checkpoints": 1, "chunks": 4, "writes": 121}
    await saver.aprune([thread], strategy="delete")
    assert await items_of(client, thread) == []


async def test_what_is_stored_while_a_thread_is_pruned_and_copied_stays(client: AsyncRecallQL) -> None:
    saver, thread, target = RecallQLSaver(client), str(uuid4()), str(uuid4())
    stored = [generate_config(thread)]
    long = os.urandom(200_000)

    async def goes_on() -> None:
        for step in range(12):
            checkpoint = generate_checkpoint(channel_values={"long": long})
            stored.append(await saver.aput(stored[-1], checkpoint, generate_metadata(step=step), {}))
            await saver.aput_writes(stored[-1], [("a", long)], "task")

    async def repeatedly(call: Any) -> None:
        while not going_on.done():
            await call()

    going_on = asyncio.ensure_future(goes_on())
    pruning = repeatedly(lambda: saver.aprune([thread]))
    copying = repeatedly(lambda: saver.acopy_thread(thread, target))
    await asyncio.gather(going_on, pruning, copying)
    found = await all_of(saver, thread)
    assert found[0].config == stored[-1]
    for one in (*found, *await all_of(saver, target)):  # each one is whole
        assert one.checkpoint["channel_values"] == {"long": long}
        assert one.pending_writes in ([], [("task", "a", long)])
    assert found[0].pending_writes == [("task", "a", long)]


def added(said: list[str], new: list[list[str]]) -> list[str]:
    return [*said, *(one for some in new for one in some)]


class Deltas(TypedDict):
    said: Annotated[list[str], DeltaChannel(added, snapshot_frequency=5)]
    other: str


def test_delta_channels_outlive_a_pruning_and_a_copy() -> None:
    def tell(state: Deltas) -> dict[str, Any]:
        return {"said": [f"{len(state['said'])} said"], "other": "x"}

    with RecallQL(URL) as client:
        saver = RecallQLSaver(client)
        graph = StateGraph(Deltas).add_node("tell", tell).add_edge(START, "tell").add_edge("tell", END)
        chat = graph.compile(checkpointer=saver)
        thread, copy = str(uuid4()), str(uuid4())
        config: Any = {"configurable": {"thread_id": thread}}
        for turn in range(9):
            chat.invoke({"said": [f"turn {turn}"]}, config)
            before, checkpoints = chat.get_state(config).values, len([*saver.list(config)])
            saver.prune([thread])
            assert chat.get_state(config).values == before
            assert len(before["said"]) == 2 * turn + 2
            assert len([*saver.list(config)]) <= min(checkpoints, 12)
        saver.copy_thread(thread, copy)
        saver.delete_thread(thread)
        copied: Any = {"configurable": {"thread_id": copy}}
        assert chat.get_state(copied).values == before
        assert chat.invoke({"said": ["on"]}, copied)["said"] == [*before["said"], "on", "19 said"]


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
