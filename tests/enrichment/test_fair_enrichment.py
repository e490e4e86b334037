"""Nobody's messages wait for their entities behind the many or long ones of another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from graph.enrichment.entities import ExtractedEntity, ExtractionFailure, Extractor
from graph.enrichment.pipeline import PASS_CHARACTERS
from graph.enrichment.worker import Worker
from graph.settings import Settings
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import MessageDocument
from graph.store.jobs import enrichment
from graph.store.jobs.batches import Limits
from graph.store.jobs.turns import Turns
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from tests.support.untyped import untyped

LIMITS = Limits(messages=256, tokens=16_384, attempts=5)
LONG = LIMITS.tokens + 1


async def say(
    database: Database, session_id: str, *contents: str, tokens: int = 10, user_id: str | None = None
) -> None:
    messages = [NewMessage("human", content, tokens) for content in contents]
    await add_memory(database, EVERYTHING, NewMemory(session_id, messages, user_id=user_id))


async def claimed(database: Database, **options: Any) -> list[str]:
    held = await enrichment.claim(database, LIMITS, lease_seconds=60, **options)
    return [message["content"] for message in held.messages]


async def test_a_new_message_is_in_the_next_claim_whatever_waits(database: Database) -> None:
    for number in range(4):
        await say(database, f"flood-{number}", *[f"{number} {n}" for n in range(500)], user_id="many")
    await say(database, "few", "Ada", user_id="ada")
    first = await claimed(database)
    assert "Ada" in first
    assert len(first) == LIMITS.messages
    assert sum(content.startswith("0") for content in first) >= LIMITS.messages // 4, "those longest due come as well"


async def test_tokens_are_shared_and_not_messages(database: Database) -> None:
    await say(database, "long", *[f"long {n}" for n in range(20)], tokens=4_000, user_id="long")
    await say(database, "short", *[f"short {n}" for n in range(100)], tokens=40, user_id="short")
    first = await claimed(database)
    assert sum(content.startswith("short") for content in first) == 100
    assert sum(content.startswith("long") for content in first) == 3


async def test_many_sessions_give_a_user_no_more_than_one(database: Database) -> None:
    for number in range(20):
        await say(database, f"s{number}", *["many"] * 4, tokens=1_000, user_id="many")
    await say(database, "one", *["one"] * 8, tokens=1_000, user_id="one")
    await say(database, "nobody's", *["nobody's"] * 8, tokens=1_000)
    first = await claimed(database)
    assert {who: first.count(who) for who in ("many", "one", "nobody's")} == {"many": 6, "one": 5, "nobody's": 5}


async def test_what_one_claim_took_counts_in_the_next(database: Database) -> None:
    """Where a batch has room for one message, the first in line would be first each time."""
    await say(database, "a", *[f"a{n}" for n in range(4)], tokens=LIMITS.tokens, user_id="a")
    await say(database, "b", *[f"b{n}" for n in range(4)], tokens=LIMITS.tokens, user_id="b")
    turns = Turns()
    assert [await claimed(database, turns=turns) for _ in range(4)] == [["a0"], ["b0"], ["a1"], ["b1"]]


async def test_long_messages_are_no_part_of_a_batch_and_hide_no_short_one(database: Database) -> None:
    for number in range(3):
        await say(database, f"a{number}", *["long"] * 100, tokens=LONG, user_id="a")
    await say(database, "b", "short", user_id="b")
    await say(database, "b", "long, of b", tokens=LONG, user_id="b")
    held = await enrichment.claim(database, LIMITS, lease_seconds=60)
    assert [message["content"] for message in held.messages] == ["short"]
    assert held.long_waits
    nothing = await enrichment.claim(database, LIMITS, lease_seconds=60)
    assert (nothing.messages, nothing.contended, nothing.long_waits) == ([], False, True)


async def test_long_messages_are_taken_by_turns_of_their_users(database: Database) -> None:
    await say(database, "a", *[f"a{n}" for n in range(3)], tokens=LONG, user_id="a")
    await say(database, "b", *[f"b{n}" for n in range(2)], tokens=LONG, user_id="b")
    turns = Turns()
    taken = [await claimed(database, long=True, turns=turns) for _ in range(6)]
    assert taken == [["a0"], ["b0"], ["a1"], ["b1"], ["a2"], []]


def test_turns_are_kept_in_bounded_memory() -> None:
    turns = Turns()
    at = datetime.now(UTC)
    for number in range(20_000):
        turns.note([_message(f"s{number}", 10**6, at)], {})
    assert len(turns._taken) <= 10_000


def test_within_a_session_short_texts_come_first_and_equal_ones_in_order() -> None:
    at = datetime.now(UTC)
    given = [_message("s", tokens, at + timedelta(seconds=n)) for n, tokens in enumerate([9_000, 20, 30, 4_000, 10])]
    assert [message["tokenCount"] for message in Turns().ordered(given, {})] == [20, 30, 10, 4_000, 9_000]


def _message(session_id: str, tokens: int, at: datetime) -> MessageDocument:
    return cast("MessageDocument", {"sessionId": session_id, "tokenCount": tokens, "enrichment": {"dueAt": at}})


class Gated(Extractor):
    """Waits after the first part of the first long text until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go_on = threading.Event(), threading.Event()
        self.parts = 0

    def extract_in_parts(self, text: str) -> Generator[None, None, list[ExtractedEntity] | ExtractionFailure]:
        parts = super().extract_in_parts(text)
        while True:
            try:
                next(parts)
            except StopIteration as end:
                found: list[ExtractedEntity] | ExtractionFailure = end.value
                return found
            self.parts += 1
            self.began.set()
            self.go_on.wait(60)
            yield


@pytest.mark.slow
async def test_a_short_message_is_done_while_long_ones_are_read(database: Database, settings: Settings) -> None:
    line = "Grace Hopper spoke of nothing else for the whole of the afternoon. "
    text = line * (PASS_CHARACTERS * 4 // len(line))
    await say(database, "long", *[f"{text} {n} Octavia Butler was there." for n in range(3)], tokens=LONG, user_id="a")
    extractor = Gated()
    stop = asyncio.Event()
    worker = Worker(database, extractor, settings)
    running = asyncio.create_task(worker.run(stop, drain=True))
    await asyncio.to_thread(extractor.began.wait, 60)
    await say(database, "short", "Ada Lovelace lives in Paris.", user_id="b")
    extractor.go_on.set()
    await running
    done = await database.messages.find({}, sort=[("enrichment.at", 1)])
    assert [message["enrichment"]["state"] for message in done] == ["DONE"] * 4
    assert [message["sessionId"] for message in done] == ["short", "long", "long", "long"]
    assert {message["enrichment"]["attempts"] for message in done} == {1}
    assert extractor.parts > 3 * 4
    for message in done[1:]:
        (whole,) = extractor.extract([message["content"]])
        assert isinstance(whole, list)
        assert [entity["name"] for entity in message["entities"]] == [entity.name for entity in whole]
        for entity, same in zip(message["entities"], whole, strict=True):
            assert [match["start"] for match in entity["matches"]] == [match.start for match in same.matches]


async def test_a_worker_that_is_stopped_in_a_long_message_gives_it_back(database: Database, settings: Settings) -> None:
    await say(database, "long", "Ada lives here. " * (PASS_CHARACTERS // 4), tokens=LONG)
    extractor = Gated()
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(database, extractor, settings).run(stop))
    await asyncio.to_thread(extractor.began.wait, 60)
    stop.set()
    extractor.go_on.set()
    await running
    message = await untyped(database, "messages").find_one({})
    assert message["enrichment"]["state"] == "PENDING"
    assert message["enrichment"]["attempts"] == 0
    assert "lease" not in message["enrichment"]
    assert await claimed(database, long=True)
