"""Change streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from graph.store.driver.batches import Batch, has_more
from graph.store.driver.types import ChangeStream, RawDatabase, awaited, is_motor


@asynccontextmanager
async def change_stream(
    source: RawDatabase, pipeline: Sequence[Mapping[str, object]], **options: Any
) -> AsyncIterator[ChangeStream]:
    """A change stream, from now on by default: `await stream.try_next()` gives an event or None."""
    async with await awaited(source.watch(pipeline, **options)) as stream:
        yield stream


async def next_batch(stream: ChangeStream) -> Batch:
    """All events that the next answer of MongoDB brings; waits for it as long as the stream's look takes."""
    if is_motor(stream):
        from graph.store.driver import motor  # noqa: PLC0415 - no import of Motor where it is not used

        return await motor.next_batch(stream)
    events = []
    event = await stream.try_next()
    while event is not None:
        events.append(event)
        event = await stream.try_next() if has_more(stream) else None
    return Batch(events, stream.resume_token)
