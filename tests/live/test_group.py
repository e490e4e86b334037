"""Groups make the payloads of several events in one turn of the event loop, up to a number and a size."""

from __future__ import annotations

import asyncio

import pytest

from graph.live.group import Group
from graph.live.memory import Memory
from graph.store.documents import Document

EVENTS = 40


@pytest.mark.parametrize(
    ("size", "turns"), [(100, [16, 32, 40]), (20_000, [*range(4, 41, 4)]), (100_000, [*range(1, 41)])]
)
async def test_small_payloads_are_made_together(size: int, turns: list[int]) -> None:
    made = 0

    async def execute(event: Document) -> str:
        nonlocal made
        made += 1
        return "x" * size

    memory = Memory()
    group = Group(execute, memory)
    group.place_follower(None, group.incoming)
    for number in range(EVENTS):
        group.publish(number, memory.event({"number": number}))
    seen = []
    async with asyncio.timeout(10):
        while made < EVENTS:
            await asyncio.sleep(0)
            seen.append(made)
    assert seen == turns
    assert memory.waiting == 0
    group.close()
