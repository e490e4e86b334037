"""Followers with the same request: each event is executed and encoded once for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from sys import getsizeof
from typing import Any, TypeAlias

from graph.live.memory import Event, Memory
from graph.live.source import Place
from graph.store.documents import Document

logger = logging.getLogger(__name__)

Execute: TypeAlias = Callable[[Document], Awaitable[Any]]
"""Makes a payload from an event."""

DELETION: Place = object()
"""The place of the event that the followed object was deleted; clients do not get it."""

MOST_WAITING = 1_000
"""Events of a group that may wait to be executed."""
MOST_WAITING_BYTES = 16_777_216
"""Approximate maximum bytes of waiting events; a single event may be larger."""
MOST_AT_ONCE = 16
MOST_BYTES_AT_ONCE = 65_536
"""Payloads that are made one after the other without a turn of anything else; a single payload may be larger."""
MOST_KEPT = 256
MOST_KEPT_BYTES = 1_048_576
"""Maximum payloads that a group keeps for followers. A follower that is further behind reads the store."""


@dataclass(frozen=True, slots=True)
class KeptPayload:
    """A payload that followers have yet to take; `Group.payload` has it, unless memory is short.

    Attributes:
        place: of its event.
        size: bytes of the payload.
        committed: the time of the commit of its change, where deliveries are observed.
    """

    place: Place
    size: int
    committed: datetime | None


class _Turn:
    """The payloads that are made until the followers take theirs: a follower sends several at once with less work."""

    def __init__(self) -> None:
        self._count = self._bytes = 0

    def is_over(self, size: int) -> bool:
        """Count a payload; return whether the followers come next, and begin with the next turn if so."""
        self._count += 1
        self._bytes += size
        over = self._count == MOST_AT_ONCE or self._bytes > MOST_BYTES_AT_ONCE
        if over:
            self._count = self._bytes = 0
        return over


class Group:
    """The followers of one topic that share a request.

    Events are numbered as they come in. Payloads are kept in that order, a bounded number of them, and each until the
    last follower has taken it; a follower reads missed events from the store.
    """

    def __init__(self, execute: Execute, memory: Memory) -> None:
        self.execute = execute
        self.followers = 0
        self.incoming = 0
        """Number of the next incoming event."""
        self._memory = memory
        self._waiting: deque[tuple[Place, Event]] = deque()
        self._waiting_bytes = 0
        self._entries: deque[KeptPayload] = deque()
        self._entries_bytes = 0
        self._first = 0  # number of the first payload kept
        self._next: Counter[int] = Counter()  # followers, by the number that each takes next
        self.ended = False
        """Whether the followers must end."""
        self._worker: asyncio.Task[None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    def publish(self, place: Place, event: Event) -> None:
        """Take in an event."""
        size = event.size
        if len(self._waiting) >= MOST_WAITING or (self._waiting and self._waiting_bytes + size > MOST_WAITING_BYTES):
            self.overrun()
        self._waiting.append((place, event))
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
        self._forget(len(self._entries))
        self._first = self.incoming
        self.wake()

    def end(self) -> None:
        """End the followers, since the service stops."""
        self.ended = True
        self.wake()

    def close(self) -> None:
        """Stop working, after the last follower has left."""
        if self._worker is not None:
            self._worker.cancel()
        self._forget(len(self._entries))

    async def _work(self) -> None:
        turn = _Turn()
        while self._waiting:
            place, event = self._waiting[0]
            number = self.incoming - len(self._waiting)
            try:
                async with self._memory.making:
                    payload = None if place is DELETION else await self.execute(event.document)
            except Exception:
                logger.exception("an event could not be executed")
                self.overrun()  # each follower meets the same when it reads the store, and its client gets the error
                return
            if not self._waiting or self.incoming - len(self._waiting) != number:
                continue  # overrun meanwhile
            self._waiting.popleft()
            self._waiting_bytes -= event.size
            size = self._keep(place, payload, event.committed)
            del event, payload
            self.wake()
            if turn.is_over(size):
                # The followers take their turn: of many events at once, only as many are kept as the bounds allow.
                await asyncio.sleep(0)

    def _keep(self, place: Place, payload: object, committed: datetime | None) -> int:
        """Keep a payload for the followers; return its size."""
        entry = KeptPayload(place, getsizeof(payload), committed)
        if payload is not None:
            self._memory.keep((self, self._first + len(self._entries)), payload, entry.size)
        self._entries.append(entry)
        self._entries_bytes += entry.size
        while len(self._entries) > 1 and (len(self._entries) > MOST_KEPT or self._entries_bytes > MOST_KEPT_BYTES):
            self._forget(1)
        self._forget_taken()
        return entry.size

    def _forget(self, count: int) -> None:
        """Drop the first payloads."""
        for _ in range(count):
            self._entries_bytes -= self._entries.popleft().size
            self._memory.drop((self, self._first))
            self._first += 1

    def _forget_taken(self) -> None:
        """Drop the payloads that no follower will take."""
        while self._entries and not self._next[self._first]:
            self._forget(1)

    def reaches_back_to(self, number: int) -> bool:
        """Whether the payload with this number is kept, or not yet made."""
        return number >= self._first

    def kept(self, number: int) -> KeptPayload | None:
        """Return the place and size of the payload with this number; None if the payload is not yet made."""
        index = number - self._first
        return self._entries[index] if index < len(self._entries) else None

    def payload(self, number: int) -> Any:
        """Return the payload with this number; None if the payload was dropped when memory was short."""
        return self._memory.find((self, number))

    def place_follower(self, before: int | None, after: int | None) -> None:
        """Record the number that a follower takes next.

        Args:
            before: the former number; None for a new follower.
            after: the new number; None for a follower that leaves.
        """
        if after is not None:
            self._next[after] += 1
        if before is not None:
            self._next[before] -= 1
            if not self._next[before]:
                del self._next[before]
                if before <= self._first:
                    self._forget_taken()

    def wake(self) -> None:
        """Wake the waiting followers."""
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
