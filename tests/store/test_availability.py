from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from graph.errors import Unavailable
from graph.store.driver.availability import attempts, repeatedly, unless, until_available, until_zero


class Away:
    """Work that MongoDB answers at its third attempt."""

    def __init__(self, failures: int = 2) -> None:
        self.attempts = 0
        self.failures = failures
        self.was_repeated = asyncio.Event()

    async def __call__(self) -> int:
        self.attempts += 1
        if self.attempts > 1:
            self.was_repeated.set()
        if self.attempts <= self.failures:
            raise Unavailable("MongoDB is away")
        return self.attempts


async def test_work_is_repeated_until_mongodb_answers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "graph"):
        assert await until_available(Away()) == 3
    assert [record.message for record in caplog.records] == ["waiting to try again: MongoDB is away"]


async def test_other_errors_end_the_repetition() -> None:
    calls = 0

    async def defect() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await until_available(defect)
    assert calls == 1


async def test_a_stop_ends_the_repetition_and_its_pause() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(until_available(Away(1_000_000), stop))
    await asyncio.sleep(0)
    stop.set()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(waiting, 10)


async def test_a_set_stop_leaves_one_attempt() -> None:
    stop = asyncio.Event()
    stop.set()
    assert await until_available(Away(0), stop) == 1
    away = Away(1)
    with pytest.raises(Unavailable):
        await until_available(away, stop)
    assert away.attempts == 1


async def _numbers(away: Away) -> AsyncGenerator[int, None]:
    number = 0
    async for attempt in attempts():
        with attempt:
            number += 1
            yield number
            await away()


async def test_work_gives_results_on_its_way() -> None:
    assert [number async for number in _numbers(Away())] == [1, 2, 3]


async def test_attempts_end_where_their_generator_is_closed_or_cancelled() -> None:
    away = Away(1_000_000)
    async with aclosing(_numbers(away)) as numbers:
        assert await anext(numbers) == 1
    assert away.attempts == 0

    async def consume() -> None:
        async for _ in _numbers(away):
            await asyncio.sleep(0)

    consuming = asyncio.create_task(consume())
    await asyncio.wait_for(away.was_repeated.wait(), 10)
    consuming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(consuming, 10)


async def test_a_count_is_repeated_until_it_is_zero_or_the_time_is_over() -> None:
    left = [3, 2, 1, 0]

    async def count() -> int:
        return left.pop(0)

    await until_zero(count, seconds=60)
    assert left == []

    async def never() -> int:
        return 1

    began = time.monotonic()
    await until_zero(never, seconds=0.3)
    assert time.monotonic() - began < 30


async def test_work_goes_on_after_any_error(caplog: pytest.LogCaptureFixture) -> None:
    done = 0
    often = asyncio.Event()

    async def work() -> None:
        nonlocal done
        done += 1
        if done == 1:
            raise Unavailable("MongoDB is away")
        if done == 2:
            raise ValueError("a defect")
        if done == 4:
            often.set()

    with caplog.at_level(logging.WARNING, "graph"):
        working = asyncio.create_task(repeatedly(("things", work), pause=0.01))
        await asyncio.wait_for(often.wait(), 10)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert [record.getMessage() for record in caplog.records] == [
        "things: put off: MongoDB is away",
        "things: put off",
    ]


async def test_a_stop_cancels_work_and_waits_for_its_end() -> None:
    stop, begun, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> int:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()
        return 1

    waiting = asyncio.create_task(unless(stop, work()))
    await begun.wait()
    stop.set()
    assert await asyncio.wait_for(waiting, 10) is None
    assert ended.is_set()


async def test_work_that_ends_before_a_stop_gives_its_result() -> None:
    assert await unless(asyncio.Event(), asyncio.sleep(0, 3)) == 3
    with pytest.raises(Unavailable):
        await unless(asyncio.Event(), Away(1)())
