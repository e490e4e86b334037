"""Change streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from graph.store.documents import Document
from graph.store.driver.types import ChangeStream, RawDatabase, awaited, is_motor


@asynccontextmanager
async def change_stream(
    source: RawDatabase, pipeline: Sequence[Mapping[str, object]], **options: Any
) -> AsyncIterator[ChangeStream]:
    """A change stream, from now on by default: `await stream.try_next()` gives an event or None."""
    async with await awaited(source.watch(pipeline, **options)) as stream:
        yield stream


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one read of a change stream.

    Attributes:
        events: the events in order, possibly none.
        token: the resume token after the events and those that the pipeline filters out: MongoDB advances it
            (`postBatchResumeToken`) even if no event passes the filter.
    """

    events: list[Document]
    token: Mapping[str, object] | None


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


def has_more(stream: Any) -> bool:
    """Whether a driver's change stream holds events that it was sent already: the driver has no public way to ask."""
    more: bool = stream._cursor._has_next()  # noqa: SLF001
    return more
