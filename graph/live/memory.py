"""The memory of the subscriptions of a process: results that are kept for followers, or being sent to clients.

A kept result can be made again from the store, so the least recently used ones are dropped at the limit. A result that
is being sent can't be dropped, so a large one waits until there is capacity for it.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from sys import getsizeof
from typing import Any

from cachetools import LRUCache

from graph.store.documents import Document

SMALL = 16_384
"""Bytes of a result that is sent without waiting: a connection buffers as much anyway."""

_MAKERS = 16
"""Results of live events that are made at once. Most are made without waiting for anything."""
_READERS = 8
"""Results of stored events that are read and made at once."""
_SHARE = 4
"""One caller may have a quarter of the bytes in flight, so that its slow clients do not delay other callers."""


@dataclass(slots=True)
class Outlet:
    """The output of one connection, which sends one result after the other.

    Attributes:
        caller: who has the connection.
        lock: held while a result is on its way to the client.
    """

    caller: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, eq=False)
class Event:
    """A live event, shared by all groups of followers; its bytes count until the last reference is gone.

    Attributes:
        document: the event.
        size: approximate bytes in memory.
        committed: the time of the commit of its change, where deliveries are observed.
    """

    document: Document
    size: int
    _memory: Memory
    committed: datetime | None = None

    def __del__(self) -> None:
        self._memory.waiting -= self.size


@dataclass(frozen=True, slots=True)
class _Held:
    value: Any
    size: int


class Memory:
    """The bounds of one process."""

    def __init__(self, most: int = 0) -> None:
        """Bound the memory that subscriptions take.

        Args:
            most: bytes; 0 disables the limit. One half is for kept results, one half for results that are being sent.
        """
        self._half = most / 2 or math.inf
        self._held: LRUCache[Hashable, _Held] = LRUCache(self._half, getsizeof=lambda held: held.size)
        self._sending: Counter[str] = Counter()
        self.sending = 0
        self.waiting = 0
        """Bytes of events that wait to become results."""
        self._changed = asyncio.Event()
        self._reading = asyncio.Semaphore(_READERS)
        self.making = asyncio.Semaphore(_MAKERS)

    @property
    def kept(self) -> int:
        """Bytes that are kept for followers."""
        return int(self._held.currsize)

    @property
    def is_full(self) -> bool:
        """Whether more events wait than may be kept."""
        return self.waiting > self._half

    def event(self, document: Document, committed: datetime | None = None) -> Event:
        """Return a live event."""
        size = memory_of(document)
        self.waiting += size
        return Event(document, size, self, committed)

    def keep(self, key: Hashable, value: object, size: int) -> None:
        """Keep a value until `drop` or until newer values fill the memory; the newest value is always kept."""
        self._held[key] = _Held(value, min(size, int(self._half)) if self._half < math.inf else size)

    def find(self, key: Hashable) -> Any:
        """The value that is kept, or None."""
        held = self._held.get(key)
        return None if held is None else held.value

    def take(self, key: Hashable) -> Any:
        """The next item of a kept queue, or None where the queue is gone."""
        queue: deque[Any] | None = self.find(key)
        return queue.popleft() if queue else None

    def drop(self, key: Hashable) -> None:
        """Keep a value no longer."""
        self._held.pop(key, None)

    def has_capacity(self, caller: str) -> bool:
        """Whether another large result may be sent."""
        return self.sending < self._half and self._sending[caller] < self._half / _SHARE

    @asynccontextmanager
    async def sent(self, caller: str, size: int) -> AsyncIterator[None]:
        """Wait for capacity for a result of this size, and hold the capacity within the block."""
        while not self.has_capacity(caller):
            await self._less_is_sent()
        self._count(caller, size)
        try:
            yield
        finally:
            self._count(caller, -size)

    @asynccontextmanager
    async def made(self, caller: str, make: Callable[[], Awaitable[str | None]]) -> AsyncIterator[str | None]:
        """Wait for capacity, make a result of unknown size, and hold the capacity within the block.

        Args:
            caller: who gets it.
            make: creates it; None where it does not exist.
        """
        size = -1
        while size < 0:
            while not self.has_capacity(caller):
                await self._less_is_sent()
            async with self._reading:
                if self.has_capacity(caller):  # as another may have taken it while this one waited
                    result = await make()
                    size = getsizeof(result)
                    self._count(caller, size)
        try:
            only_reference = [result]
            del result
            yield only_reference.pop()
        finally:
            self._count(caller, -size)

    def _count(self, caller: str, size: int) -> None:
        self.sending += size
        self._sending[caller] += size
        if not self._sending[caller]:
            del self._sending[caller]
        if size < 0:
            self._changed.set()
            self._changed = asyncio.Event()

    async def _less_is_sent(self) -> None:
        await self._changed.wait()


def memory_of(value: object) -> int:
    """Return the approximate bytes of an event in memory."""
    if isinstance(value, dict):
        size = 64 * len(value) + 64
        for item in value.values():
            size += memory_of(item) if isinstance(item, dict | list) else getsizeof(item)
        return size
    if isinstance(value, list):
        return sum(map(memory_of, value)) + 64
    return getsizeof(value)
