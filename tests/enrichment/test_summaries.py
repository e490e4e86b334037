"""The rolling summaries that a worker writes."""

from __future__ import annotations

import asyncio
import functools
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.llm import ChatCompletionsSummariser, LLMOptions
from graph.enrichment.summaries import SummaryJobs
from graph.enrichment.summariser import Summariser
from graph.enrichment.tokens import count_tokens, load_counter
from graph.enrichment.worker import Worker
from graph.settings import Settings
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import EntityDocument, SummaryDocument
from graph.store.editing import edits
from graph.store.editing.edits import Edit
from graph.store.jobs import summarising
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from graph.store.sessions import delete_contents
from graph.transfer.import_ import Importer
from tests.support.llm_server import LLMServer, Reply, completion
from tests.support.transfer import large, ndjson, said
from tests.support.untyped import untyped

LINES = [
    "My sister Octavia moved to Lisbon last spring.",
    "What made her choose Lisbon over Porto?",
    "She works for the aquarium there and studies rays.",
    "The invoice number is 48213 and it is due on Friday.",
]


@functools.cache
def extractor() -> Extractor:
    return Extractor()


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update={"enrichment_backoff": 0.01, "enrichment_poll": 5.0})


async def say(database: Database, count: int, session_id: str = "s") -> None:
    while count > 0:
        now = min(count, 500)
        messages = [NewMessage("human", LINES[number % len(LINES)], 12) for number in range(now)]
        await add_memory(database, EVERYTHING, NewMemory(session_id, messages))
        count -= now


async def work(database: Database, settings: Settings, summariser: Summariser | None = None) -> None:
    worker = Worker(database, extractor(), settings, summariser=summariser or Summariser())
    await worker.run(asyncio.Event(), drain=True)


async def summaries(database: Database, session_id: str = "s") -> list[SummaryDocument]:
    found = await database.summaries.find({"sessionId": session_id}, sort=[("lastSeq", 1)])
    owner = await untyped(database, "sessions").find_one({"_id": session_id})
    assert owner["summarySeq"] == (found[-1]["lastSeq"] if found else 0)
    assert "summarising" not in owner
    return found


async def edit(database: Database, seq: int, content: str) -> None:
    async def count(_role: str, content: str) -> int:
        return len(content.split())

    message = await untyped(database, "messages").find_one({"sessionId": "s", "seq": seq})
    await edits.edit_message(database, EVERYTHING, message["_id"], Edit(content=content), count)


@pytest.mark.parametrize(("messages", "covered"), [(11, 0), (12, 6), (30, 24)])
async def test_a_window_is_covered_but_for_its_newest_half(
    database: Database, quick: Settings, messages: int, covered: int
) -> None:
    await say(database, messages)
    await work(database, quick)
    found = await summaries(database)
    assert [(summary["firstSeq"], summary["lastSeq"]) for summary in found] == ([(1, covered)] if covered else [])
    for summary in found:
        last = await untyped(database, "messages").find_one({"sessionId": "s", "seq": covered})
        assert summary["lastMessageUuid"] == last["_id"]
        assert summary["tokenCount"] == count_tokens(summary["content"]) > 0
        assert summary["source"] == "EXTRACTIVE"
        assert "48213" in summary["content"]
        for entity in summary["entities"]:
            for match in entity["matches"]:
                assert summary["content"][match["start"] : match["end"]] == match["text"]


async def test_a_long_history_at_once_is_covered_whole_in_steps_that_are_all_kept(
    database: Database, quick: Settings
) -> None:
    await say(database, 700)
    await work(database, quick)
    found = await summaries(database)
    assert len(found) > 1
    assert {summary["firstSeq"] for summary in found} == {1}
    assert found[-1]["lastSeq"] == 694


async def test_the_next_window_takes_the_previous_summary_in(database: Database, quick: Settings) -> None:
    await say(database, 12)
    await work(database, quick)
    await say(database, 5)
    await work(database, quick)
    assert len(await summaries(database)) == 1
    await say(database, 1)
    await work(database, quick)
    assert [(summary["firstSeq"], summary["lastSeq"]) for summary in await summaries(database)] == [(1, 6), (1, 12)]


@pytest.mark.slow
async def test_what_is_imported_is_taken_up_at_once(database: Database, settings: Settings) -> None:
    """A session that is stored in parts, and one that waits for nothing but a summary: no poll is waited for."""
    patient = settings.model_copy(update={"enrichment_poll": 3600.0})
    stop = asyncio.Event()
    worker = asyncio.create_task(Worker(database, extractor(), patient, summariser=Summariser()).run(stop))

    async def until_there_is(condition: bool, found: Callable[[], Awaitable[Any]]) -> None:
        while bool(await found()) is not condition:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)  # the worker has nothing to do, and waits

    def a_pending_message() -> Awaitable[Any]:
        return untyped(database, "messages").find_one({"enrichment.state": "PENDING"})  # type: ignore[no-any-return]

    def a_summary() -> Awaitable[Any]:
        return untyped(database, "summaries").find_one({"sessionId": "done"})  # type: ignore[no-any-return]

    importer = Importer(database, load_counter(), window=patient.message_window)
    try:
        async with asyncio.timeout(90):
            await say(database, 1, "first")
            await until_there_is(False, a_pending_message)
            await importer.run(io.BytesIO(ndjson(*said("done", *LINES * 5, entities=[]))))
            await until_there_is(True, a_summary)
            await importer.run(io.BytesIO(ndjson(*large("parts", 1_100))))
            await until_there_is(False, a_pending_message)
            message = await untyped(database, "messages").find_one({"sessionId": "done", "seq": 3})
            await edits.delete_message(database, EVERYTHING, message["_id"])
            await until_there_is(True, a_summary)
    finally:
        stop.set()
        await worker


async def test_a_worker_that_stops_leaves_a_long_session_to_another(database: Database, quick: Settings) -> None:
    await say(database, 700)
    await summarising.mark_due(database, quick.message_window)
    stop = asyncio.Event()

    async def extract(_text: str) -> list[EntityDocument]:
        stop.set()  # in the middle of the first summary
        return []

    jobs = SummaryJobs(database, Summariser(), extract, quick)
    await jobs.run(stop)
    assert jobs.written == await database.summaries.count_documents({}) == 1
    owner = await untyped(database, "sessions").find_one({"_id": "s"})
    assert "lease" not in owner["summarising"]
    assert owner["summarising"]["attempts"] == 0
    due = await summarising.claim_session(database, lease_seconds=60)
    assert due is not None


async def test_workers_at_once_write_each_summary_once(database: Database, quick: Settings) -> None:
    for number in range(6):
        await say(database, 40, f"s{number}")
    await asyncio.gather(*(work(database, quick) for _ in range(3)))
    for number in range(6):
        found = await summaries(database, f"s{number}")
        assert [(summary["firstSeq"], summary["lastSeq"]) for summary in found] == [(1, 34)]


async def test_an_edit_makes_the_summaries_that_cover_it_stale(database: Database, quick: Settings) -> None:
    await say(database, 12)
    await work(database, quick)
    await edit(database, 9, "not covered")
    assert [summary.get("stale", False) for summary in await summaries(database)] == [False]
    await edit(database, 3, "covered")
    assert [summary.get("stale", False) for summary in await summaries(database)] == [True]


async def test_a_summary_of_what_was_edited_meanwhile_is_not_stored(database: Database, quick: Settings) -> None:
    await say(database, 12)
    await summarising.mark_due(database, quick.message_window)
    due = await summarising.claim_session(database, lease_seconds=60)
    assert due is not None
    standing = await summarising.standing_of(database, due)
    assert standing is not None
    read = await summarising.contents(database, standing, 1, 6)
    summary = {"firstSeq": 1, "lastSeq": 6, "content": "old", "tokenCount": 1, "source": "EXTRACTIVE", "entities": []}
    await edit(database, 2, "new")
    assert not await summarising.store_summary(database, due, standing, read, summary)
    read = await summarising.contents(database, standing, 1, 6)
    assert await summarising.store_summary(database, due, standing, read, summary)
    assert not await summarising.store_summary(database, due, standing, read, summary)


async def test_deleted_messages_are_stepped_over(database: Database, quick: Settings) -> None:
    await say(database, 14)
    for seq in (1, 4, 5):
        message = await untyped(database, "messages").find_one({"sessionId": "s", "seq": seq})
        await edits.delete_message(database, EVERYTHING, message["_id"])
    await work(database, quick)
    assert await summaries(database) == []  # eleven are left
    await say(database, 1)
    await work(database, quick)
    assert [(summary["firstSeq"], summary["lastSeq"]) for summary in await summaries(database)] == [(2, 9)]


async def test_a_cleared_session_begins_anew(database: Database, quick: Settings) -> None:
    await say(database, 12)
    await work(database, quick)
    await delete_contents(database, EVERYTHING, "s")
    await say(database, 12)
    await work(database, quick)
    assert [(summary["firstSeq"], summary["lastSeq"]) for summary in await summaries(database)] == [(13, 18)]


async def test_the_model_writes_it_where_one_is_set(database: Database, quick: Settings) -> None:
    with LLMServer(Reply(completion("Octavia moved to Lisbon."))) as server:
        options = LLMOptions(base_url=server.base_url, model="test-model")
        async with ChatCompletionsSummariser(options) as llm:
            await say(database, 12)
            await work(database, quick, Summariser(llm))
    (summary,) = await summaries(database)
    assert (summary["source"], summary["content"]) == ("LLM", "Octavia moved to Lisbon.")


async def test_the_extractive_one_steps_in_where_the_model_stays_down(database: Database, quick: Settings) -> None:
    with LLMServer(Reply(status=500)) as server:
        options = LLMOptions(base_url=server.base_url, model="test-model", max_attempts=2, backoff=0.01)
        async with ChatCompletionsSummariser(options) as llm:
            await say(database, 12)
            await work(database, quick, Summariser(llm))
    (summary,) = await summaries(database)
    assert summary["source"] == "EXTRACTIVE"
    assert "HTTP 500" in summary["fellBackReason"]
