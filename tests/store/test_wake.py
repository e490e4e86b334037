"""Waiting for pending work by a change stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from graph.store.database import Database
from graph.store.feed import wake
from graph.store.feed.wake import wait_for_work
from tests.support.commands import Commands

FAR = 600.0  # seconds


def far(opened: asyncio.Event) -> Callable[[], asyncio.Future[float]]:
    """Says that nothing is due for long, and that the stream is open."""

    def due_in() -> asyncio.Future[float]:
        opened.set()
        due: asyncio.Future[float] = asyncio.Future()
        due.set_result(FAR)
        return due

    return due_in


async def test_a_stop_ends_the_wait_and_the_look_of_mongodb(
    database: Database, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "_LOOK_MILLISECONDS", 60_000)
    stop, opened = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(wait_for_work(database, far(opened), poll_seconds=FAR, stop=stop))
    await asyncio.wait_for(opened.wait(), 30)
    started = time.monotonic()
    with commands.recorded() as sent:
        stop.set()
        await asyncio.wait_for(waiting, 50)
    assert "killCursors" in [name for name, _ in sent]
    assert time.monotonic() - started < 30  # a look takes 60
