"""One subscriber: the transition from stored events to live ones without a gap or a repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext, suppress
from functools import partial
from typing import Any, Protocol

from graph.errors import OperationError
from graph.live.group import DELETION, Group, KeptPayload
from graph.live.memory import SMALL, Memory, Outlet
from graph.live.source import Gone, Place, Source, Topic
from graph.store.documents import Document, now
from graph.store.driver.availability import attempts, until_available
from graph.store.feed.changes import Moment
from graph.telemetry.steps import Kind, record


class Changes(Protocol):
    """The changes of a process, as its hub follows them.

    Attributes:
        memory: bounds the results that are held for subscribers.
        at: the moment up to which changes were taken in; None before the first.
        is_closing: followers end because the service stops, and not because of a deletion.
    """

    memory: Memory
    at: Moment | None
    is_closing: bool

    async def opened(self) -> None:
        """Wait until the stream has a beginning, from which on nothing is missed."""

    def leave(self, topic: Topic, group: Group) -> None:
        """Take one follower off a group."""


class Follower:
    """One subscriber: a place in its source, and the number of the payload that it takes next from its group."""

    def __init__(self, changes: Changes, group: Group, source: Source, outlet: Outlet) -> None:
        self._changes = changes
        self._group = group
        self._source = source
        self._outlet = outlet
        self._number = group.incoming
        group.place_follower(None, self._number)
        self._refusal: OperationError | None = None
        self._closed = False

    async def payloads(self) -> AsyncGenerator[Any, None]:
        """The stored events after the follower's place, then the live ones, each once and in order.

        Waits while the database does not answer. Ends when the source is gone or over.

        Raises:
            OperationError: that of `refuse`.
        """
        await self._changes.opened()
        with suppress(Gone):
            if self._source.reads_store_first and not self._changes.is_closing:
                async for payload in self._stored():
                    yield payload
                    del payload
            async for payload in self._live():
                yield payload
                del payload  # it may be large, and the next one may be long in coming; so everywhere

    def refuse(self, error: OperationError) -> None:
        """End the follower: the reader of the payloads gets the error, and no further payload."""
        self._refusal = error
        self._group.wake()

    def _check(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _take_next(self, number: int) -> None:
        self._group.place_follower(self._number, number)
        self._number = number

    async def _live(self) -> AsyncGenerator[Any, None]:
        group, source = self._group, self._source
        while not self._changes.is_closing and not source.is_over:
            self._check()
            entry = group.kept(self._number) if group.reaches_back_to(self._number) else None
            if entry is None and group.reaches_back_to(self._number):
                if group.ended:
                    return
                await group.changed()
                continue
            comes_next = None if entry is None else await self._comes_next(entry.place)
            if entry is not None and comes_next is False:
                self._take_next(self._number + 1)
                continue
            is_gone = entry is None or comes_next is None
            if entry is not None and comes_next:
                # The payload is taken once the connection has sent the one before, so that none waits in each follower.
                async with self._outlet.lock, self._capacity_for(entry.size):
                    self._check()
                    payload = group.payload(self._number)
                    if payload is not None:
                        self._take_next(self._number + 1)
                        source.place = entry.place
                        yield payload
                        del payload
                        _note_delivery(entry)
                        continue
                is_gone = True
            if is_gone:
                async for payload in self._stored():
                    yield payload
                    del payload

    def _capacity_for(self, size: int) -> AbstractAsyncContextManager[None]:
        return nullcontext() if size <= SMALL else self._changes.memory.sent(self._outlet.caller, size)

    async def _comes_next(self, place: Place) -> bool | None:
        """As `Source.is_next`, after a check of the source where the check is due."""
        source = self._source
        if place is DELETION:
            await self._persistently(source.check_life)
            return False
        if not source.is_visible:
            await self._persistently(source.check)
            if not source.is_visible:
                return False
        return source.is_next(place)

    async def _stored(self) -> AsyncGenerator[Any, None]:
        """The stored events after the follower's place. Later events have a later number in the group."""
        memory, outlet = self._changes.memory, self._outlet
        async for attempt in attempts():
            with attempt:
                self._take_next(self._group.incoming)
                async with aclosing(self._source.stored(memory, self._changes.at)) as events:
                    more = True
                    while more:
                        async with outlet.lock, memory.made(outlet.caller, partial(self._next_of, events)) as payload:
                            self._check()
                            more = payload is not None
                            if more:
                                yield payload
                            del payload
                        await asyncio.sleep(0)  # neither reading a page nor sending it need have waited for anything

    async def _next_of(self, events: AsyncGenerator[Document, None]) -> Any:
        """The payload of the next event, or None after the last one."""
        async for event in events:
            return await self._group.execute(event)
        return None

    async def _persistently(self, look: Callable[[Moment | None], Awaitable[None]]) -> None:
        async def attempt() -> None:
            self._check()
            await look(self._changes.at)

        await until_available(attempt)

    def close(self) -> None:
        """Leave the group."""
        if not self._closed:
            self._closed = True
            self._group.place_follower(self._number, None)
            self._changes.leave(self._source.topic, self._group)


def _note_delivery(entry: KeptPayload) -> None:
    """Observe the time from the commit of a change until its payload was taken, by two clocks if there are two."""
    if entry.committed is not None:
        lag = (now() - entry.committed).total_seconds()
        record(Kind.DELIVERY, "event", max(0.0, lag))
