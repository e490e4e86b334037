"""Followers with the same request: each event is executed and encoded once for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from sys import getsizeof
from typing import TYPE_CHECKING, Any, TypeAlias

from graph.errors import Unavailable
from graph.live.source import Gone, Place, Source
from graph.store.documents import Document
from graph.store.feed.changes import Moment

if TYPE_CHECKING:
    from graph.live.hub import Hub

log = logging.getLogger("recallql")

Execute: TypeAlias = Callable[[Document], Awaitable[Any]]
"""Makes a payload from an event."""

DELETION: Place = object()
"""The place of an event that tells of a deletion of what is followed, and is for no client."""

MOST_WAITING = 1_000
"""Events of a group that may wait to be executed."""
MOST_WAITING_BYTES = 16_777_216
"""Memory that they may take, about, unless a single one takes more."""
MOST_KEPT = 256
MOST_KEPT_BYTES = 1_048_576
"""Payloads that a group keeps for followers that have not taken them. One that is further behind reads the store."""

_PAUSE = 0.2  # seconds between reads while the database does not answer


@dataclass(frozen=True, slots=True)
class _Kept:
    place: Place
    payload: Any
    size: int


def _memory_of(value: Any) -> int:
    """About how many bytes an event takes in memory."""
    if isinstance(value, dict):
        return sum(_memory_of(item) for item in value.values()) + 64 * len(value) + 64
    if isinstance(value, list):
        return sum(map(_memory_of, value)) + 64
    return getsizeof(value)


class Group:
    """The followers of one topic that share a request.

    Events are numbered as they come in. Payloads are kept in that order, a bounded number of them; what a follower
    misses it reads from the store.
    """

    def __init__(self, execute: Execute) -> None:
        self.execute = execute
        self.followers = 0
        self.incoming = 0
        """Number of the next event to come in."""
        self._waiting: deque[tuple[Place, Document, int]] = deque()
        self._waiting_bytes = 0
        self._kept: deque[_Kept] = deque()
        self._kept_bytes = 0
        self._first = 0  # number of the first payload kept
        self.ended = False
        """Whether the followers are to end."""
        self._worker: asyncio.Task[None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    def publish(self, place: Place, event: Document) -> None:
        """Take in an event."""
        size = _memory_of(event)
        if len(self._waiting) >= MOST_WAITING or (self._waiting and self._waiting_bytes + size > MOST_WAITING_BYTES):
            self.overrun()
        self._waiting.append((place, event, size))
        self._waiting_bytes += size
        self.incoming += 1
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    def overrun(self) -> None:
        """Forget all events that came in: every follower has to read the store."""
        # One number is left out, so that even a follower that was up to date is behind.
        self.incoming += 1
        self._waiting.clear()
        self._waiting_bytes = 0
        self._kept.clear()
        self._kept_bytes = 0
        self._first = self.incoming
        self._wake()

    def end(self) -> None:
        """Let the followers end, since the service stops."""
        self.ended = True
        self._wake()

    def close(self) -> None:
        """Stop working; nobody follows any more."""
        if self._worker is not None:
            self._worker.cancel()

    async def _work(self) -> None:
        while self._waiting:
            place, event, size = self._waiting[0]
            number = self.incoming - len(self._waiting)
            try:
                payload = None if place is DELETION else await self.execute(event)
            except Exception:
                log.exception("an event could not be executed")
                self.overrun()  # each follower meets the same when it reads the store, and tells its client
                return
            if not self._waiting or self.incoming - len(self._waiting) != number:
                continue  # overrun meanwhile
            self._waiting.popleft()
            self._waiting_bytes -= size
            self._keep(_Kept(place, payload, getsizeof(payload)))
            self._wake()
            await asyncio.sleep(0)  # to the followers: of many events at once, no more are kept than they have room for

    def _keep(self, kept: _Kept) -> None:
        self._kept.append(kept)
        self._kept_bytes += kept.size
        while len(self._kept) > 1 and (len(self._kept) > MOST_KEPT or self._kept_bytes > MOST_KEPT_BYTES):
            self._kept_bytes -= self._kept.popleft().size
            self._first += 1

    def reaches_back_to(self, number: int) -> bool:
        """Whether the payload with this number is kept, or still to come."""
        return number >= self._first

    def kept(self, number: int) -> _Kept | None:
        """The payload with this number, or None while it is still to come."""
        index = number - self._first
        return self._kept[index] if index < len(self._kept) else None

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def changed(self) -> None:
        """Wait for the next payload."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)


class Follower:
    """One subscriber: a place in its source, and the number of the payload that it takes next from its group."""

    def __init__(self, hub: Hub, group: Group, source: Source) -> None:
        self._hub = hub
        self._group = group
        self._source = source
        self._number = group.incoming
        self._closed = False

    async def payloads(self) -> AsyncGenerator[Any, None]:
        """The stored events after the follower's place, then the live ones, each once and in order.

        Waits while the database does not answer. Ends when what is followed is gone.

        Raises:
            Forbidden: never by a session, whose followers see nothing of what is not theirs.
        """
        await self._hub.opened()
        with suppress(Gone):
            if self._source.reads_store_first and not self._hub.is_closing:
                async for payload in self._stored():
                    yield payload
            async for payload in self._live():
                yield payload

    async def _live(self) -> AsyncGenerator[Any, None]:
        group, source = self._group, self._source
        while not self._hub.is_closing:
            kept = group.kept(self._number) if group.reaches_back_to(self._number) else None
            if kept is None and group.reaches_back_to(self._number):
                if group.ended:
                    return
                await group.changed()
                continue
            comes_next = None if kept is None else await self._comes_next(kept.place)
            if kept is None or comes_next is None:
                async for payload in self._stored():
                    yield payload
                continue
            self._number += 1
            if comes_next:
                source.place = kept.place
                yield kept.payload

    async def _comes_next(self, place: Place) -> bool | None:
        """As `Source.is_next`; looks at what is followed where that is due."""
        source = self._source
        if place is DELETION:
            await self._persistently(source.check_life)
            return False
        if not source.known:
            await self._persistently(source.check)
            if not source.known:
                return False
        return source.is_next(place)

    async def _stored(self) -> AsyncGenerator[Any, None]:
        """What the store has after the follower's place. What it does not have yet comes in under a later number."""
        while True:
            self._number = self._group.incoming
            try:
                async for event in self._source.stored(self._hub.at):
                    yield await self._group.execute(event)
                    await asyncio.sleep(0)  # neither reading a page nor sending it need have waited for anything
            except Unavailable:
                await asyncio.sleep(_PAUSE)
            else:
                return

    async def _persistently(self, look: Callable[[Moment | None], Awaitable[None]]) -> None:
        while True:
            with suppress(Unavailable):
                await look(self._hub.at)
                return
            await asyncio.sleep(_PAUSE)

    def close(self) -> None:
        """Follow no more."""
        if not self._closed:
            self._closed = True
            self._hub.leave(self._source.topic, self._group)
