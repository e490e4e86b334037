from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.worker import Worker
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import EnrichmentDocument, now
from graph.store.jobs import enrichment, progress
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import Outcome
from graph.store.scope import EVERYTHING
from graph.store.sessions import find_visible
from tests.support.fault_model import RAISES, make_fault_model
from tests.support.graphql_client import OCTAVIA, Client
from tests.support.memory import add
from tests.support.untyped import untyped

LIMITS = Limits(messages=256, tokens=16_384, attempts=5)


@pytest.fixture(scope="session")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    return Extractor(make_fault_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update={"enrichment_backoff": 0.01, "enrichment_attempts": 3, "enrichment_poll": 30.0})


@asynccontextmanager
async def working(database: Database, extractor: Extractor, settings: Settings) -> AsyncIterator[Worker]:
    stop = asyncio.Event()
    worker = Worker(database, extractor, settings)
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await running


async def drain(database: Database, extractor: Extractor, settings: Settings) -> None:
    await Worker(database, extractor, settings).run(asyncio.Event(), drain=True)


async def states(database: Database) -> list[EnrichmentDocument]:
    found = await database.messages.find({}, sort=[("seq", 1)])
    return [message["enrichment"] for message in found]


def says(*contents: str) -> list[dict[str, Any]]:
    return [{"role": "human", "content": content} for content in contents]


async def test_entities_stand_where_the_text_says(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await add(client, "s", OCTAVIA)
    await drain(database, extractor, quick)
    memory = (
        await client.data(
            """{ memory(sessionId: "s") { messages { content enrichment { state reason }
                 entities { name label mentionCount matches { start end text message { content } } } } } }"""
        )
    )["memory"]
    assert [message["enrichment"] for message in memory["messages"]] == [{"state": "DONE", "reason": None}] * 3
    people = [entity["name"] for entity in memory["messages"][1]["entities"] if entity["label"] == "PERSON"]
    assert any("Butler" in name for name in people)
    for message in memory["messages"]:
        for entity in message["entities"]:
            for match in entity["matches"]:
                assert message["content"][match["start"] : match["end"]] == match["text"]
                assert match["message"]["content"] == message["content"]


OFFSETS = """query($unit: OffsetUnit!) { memory(sessionId: "s") { messages { content entities { name matches {
  start(unit: $unit) end(unit: $unit) plain: start text message { seq } } } }
  entities { name matches { start(unit: $unit) end(unit: $unit) text message { content } } } } }"""


async def test_offsets_count_code_points_or_units_of_utf_16(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    texts = (
        "\N{PARTY POPPER} Ada Lovelace \N{FAMILY}\N{FAMILY} met Charles Babbage.",
        "Zoë met Ada Lovelace in Paris.",
    )
    await add(client, "s", says(*texts))
    await drain(database, extractor, quick)
    for unit, encoding, size in (("CODE_POINT", "utf-32-le", 4), ("UTF16", "utf-16-le", 2)):
        memory = (await client.data(OFFSETS, unit=unit))["memory"]
        places = [
            (match["message"].get("content", message["content"]), match)
            for message in memory["messages"]
            for entity in message["entities"]
            for match in entity["matches"]
        ]
        places += [(match["message"]["content"], match) for one in memory["entities"] for match in one["matches"]]
        assert len(places) >= 6
        for content, match in places:
            units = content.encode(encoding)[match["start"] * size : match["end"] * size]
            assert units.decode(encoding) == match["text"]
        shifted = [match["start"] - match["plain"] for _, match in places if "plain" in match]
        assert (max(shifted), min(shifted)) == ((3, 0) if unit == "UTF16" else (0, 0))


async def test_a_waiting_worker_is_woken_by_an_add(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    patient = quick.model_copy(update={"enrichment_poll": 3600.0})
    async with working(database, extractor, patient):
        await asyncio.sleep(0.5)  # the worker has nothing to do, and waits
        added = await add(client, "s", OCTAVIA, awaitEntities=True)
        assert added["memory"]["messages"]
        async with asyncio.timeout(60):
            while [state["state"] for state in await states(database)] != ["DONE"] * 3:  # noqa: ASYNC110 - the worker tells nobody
                await asyncio.sleep(0.05)


FAILED = """
query($first: Int) { failedMessages(first: $first) { content session { sessionId } enrichment { state reason } } }
"""


async def test_a_text_that_raises_ends_failed_with_its_reason_and_spares_its_neighbours(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await add(client, "s", says("Ada met Charles in London.", f"{RAISES} in Paris", "Grace Hopper was born."))
    await drain(database, extractor, quick)
    messages = (
        await client.data('{ memory(sessionId: "s") { messages { enrichment { state reason } entities { name } } } }')
    )["memory"]["messages"]
    assert [message["enrichment"]["state"] for message in messages] == ["DONE", "FAILED", "DONE"]
    assert "told to raise" in messages[1]["enrichment"]["reason"]
    assert messages[1]["entities"] == []
    assert (await client.data(FAILED))["failedMessages"] == [
        {"content": f"{RAISES} in Paris", "session": {"sessionId": "s"}, "enrichment": messages[1]["enrichment"]}
    ]
    assert (await client.data(FAILED, first=0))["failedMessages"] == []
    assert (await states(database))[1]["attempts"] == 3
    await client.data('mutation { deleteMemory(input: { sessionId: "s" }) { __typename } }')
    assert (await client.data(FAILED))["failedMessages"] == []


async def test_what_failed_can_be_tried_again(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await add(client, "s", says(f"{RAISES} in Paris"))
    await drain(database, extractor, quick)
    assert await progress.retry(database, await find_visible(database, EVERYTHING, "another")) == 0
    assert await progress.retry(database, await find_visible(database, EVERYTHING, "s")) == 1
    assert [(state["state"], state["attempts"]) for state in await states(database)] == [("PENDING", 0)]


async def test_an_edit_during_the_extraction_wins(client: Client, database: Database) -> None:
    uuid = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"
    await add(client, "s", [{"uuid": uuid, "role": "human", "content": "Ada"}])
    held = await enrichment.claim(database, LIMITS, lease_seconds=60)
    await add(client, "s", [{"uuid": uuid, "role": "human", "content": "Grace"}])
    assert await enrichment.complete(database, held.lease, [Outcome(uuid, 1, [])]) == 0
    (state,) = await states(database)
    assert (state["state"], state["attempts"]) == ("PENDING", 0)


async def test_a_claimed_message_is_nobody_elses_until_the_lease_runs_out(client: Client, database: Database) -> None:
    await add(client, "s", OCTAVIA)
    first = await enrichment.claim(database, LIMITS, lease_seconds=60)
    assert len(first.messages) == 3
    assert not (await enrichment.claim(database, LIMITS, lease_seconds=60)).messages
    await enrichment.renew(database, first, lease_seconds=0)
    await asyncio.sleep(0.01)
    second = await enrichment.claim(database, LIMITS, lease_seconds=60)
    assert sorted(second.uuids) == sorted(first.uuids)
    assert {message["enrichment"]["attempts"] for message in second.messages} == {2}
    outcomes = [Outcome(uuid, 2, []) for uuid in first.uuids]
    assert await enrichment.complete(database, first.lease, outcomes) == 0
    assert await enrichment.complete(database, second.lease, outcomes) == 3
    assert await enrichment.complete(database, second.lease, outcomes) == 0


async def test_a_renewed_lease_holds(client: Client, database: Database) -> None:
    await add(client, "s", OCTAVIA)
    held = await enrichment.claim(database, LIMITS, lease_seconds=0)
    await enrichment.renew(database, held, lease_seconds=60)
    assert not (await enrichment.claim(database, LIMITS, lease_seconds=60)).messages


async def test_what_is_given_back_is_as_if_it_had_never_been_claimed(client: Client, database: Database) -> None:
    await add(client, "s", OCTAVIA)
    before = [{**state, "dueAt": None} for state in await states(database)]
    await enrichment.release(database, await enrichment.claim(database, LIMITS, lease_seconds=60))
    assert [{**state, "dueAt": None} for state in await states(database)] == before


async def test_claims_at_once_never_share_a_message(client: Client, database: Database) -> None:
    for number in range(4):
        await add(client, f"s{number}", says(*(f"message {n}" for n in range(50))))
    few = Limits(messages=20, tokens=16_384, attempts=5)

    async def take() -> list[str]:
        taken: list[str] = []
        while True:
            held = await enrichment.claim(database, few, lease_seconds=60)
            taken += held.uuids
            if not held.messages and not held.contended:
                return taken

    taken = [uuid for uuids in await asyncio.gather(*(take() for _ in range(8))) for uuid in uuids]
    assert len(taken) == len(set(taken)) == 200


async def test_what_ends_its_worker_is_taken_alone_in_the_end_and_then_failed(
    client: Client, database: Database
) -> None:
    await add(client, "s", says(*(f"message {n}" for n in range(40))))
    limits = Limits(messages=64, tokens=16_384, attempts=4)
    sizes = []
    for _ in range(4):
        held = await enrichment.claim(database, limits, lease_seconds=0)
        sizes.append(len(held.messages))
        others = [message["_id"] for message in held.messages if message["content"] != "message 0"]
        await enrichment.complete(database, held.lease, [Outcome(uuid, 1, []) for uuid in others])
        await asyncio.sleep(0.01)
    assert sizes == [40, 1, 1, 1]
    assert not (await enrichment.claim(database, limits, lease_seconds=60)).messages
    failed = (await states(database))[0]
    assert failed["state"] == "FAILED"
    assert "worker ended" in failed["reason"]


async def test_a_batch_is_bounded_by_the_length_of_its_texts(client: Client, database: Database) -> None:
    await add(client, "s", says(*["word " * 100] * 10))
    held = await enrichment.claim(database, Limits(messages=256, tokens=350, attempts=5), lease_seconds=60)
    assert len(held.messages) == 3


async def test_a_text_of_a_million_characters_gets_right_offsets(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    sentence = "The weather stayed the same for the whole of that long and quiet afternoon. "
    content = sentence * 1_200 + "Then Grace Hopper moved to New York."
    await add(client, "s", says(content))
    settings = quick.model_copy(update={"enrichment_lease": 1.0})
    await drain(database, extractor, settings)
    message = await untyped(database, "messages").find_one({})
    assert message["enrichment"]["state"] == "DONE"
    assert message["enrichment"]["attempts"] == 1
    found = {match["text"]: match for entity in message["entities"] for match in entity["matches"]}
    assert content[found["Grace Hopper"]["start"] : found["Grace Hopper"]["end"]] == "Grace Hopper"


async def test_progress_counts_every_state(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await add(client, "s", says("Ada", RAISES))
    await drain(database, extractor, quick)
    before = now() - timedelta(seconds=10)
    await add(client, "s", says("later"))
    await add(client, "t", says("later"))
    for session_id, expected in (("s", (1, 1, 1)), ("t", (1, 0, 0)), (None, (2, 1, 1))):
        visible = None if session_id is None else await find_visible(database, EVERYTHING, session_id)
        found = await progress.progress(database, visible)
        assert (found["pending"], found["done"], found["failed"]) == expected
        assert before < found["oldestPendingAt"] <= now()


async def test_suspects_are_never_held_while_a_summary_is_read(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    """A summary that ends the worker would otherwise count against them, and an innocent message end FAILED."""
    await add(client, "s", says("Ada Lovelace lived in London"))
    await enrichment.claim(database, LIMITS, lease_seconds=0)  # by a worker that was killed
    worker = Worker(database, extractor, quick)
    stop = asyncio.Event()
    async with worker._model:  # as while a summary is read
        claiming = asyncio.create_task(worker._claim(stop))
        await asyncio.sleep(0.2)
        assert [state["attempts"] for state in await states(database)] == [1]
    held = await claiming
    assert held is not None
    assert held.suspect
    reading = asyncio.create_task(worker._entities_of("Grace Hopper lived in New York"))
    await asyncio.sleep(0.2)
    assert not reading.done()
    await worker._give_back(held)
    assert [entity["name"] for entity in await reading] == ["Grace Hopper", "New York"]
