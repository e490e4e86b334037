"""The figures that web processes share: their subscribers, and the times of their slowest operations."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from graph.errors import Unavailable
from graph.live.hub import Hub
from graph.operations.kept import Kept
from graph.store import processes
from graph.store.database import Database
from graph.store.service_documents import OperationTimesDocument, ProcessDocument
from graph.telemetry.operations import Operations, Times, slowest

RENEWAL: Final = 15.0
"""Seconds after which a process stores its figures again; another number of subscribers, at the next look for jobs."""
_KEPT = 2.0  # seconds for which a look at the figures of the others holds
_SECONDS: Final = 8.0
"""Maximum seconds of a look."""
_END_SECONDS: Final = 1.0
"""Maximum seconds of the deletion at the end of a process, which must not wait for a MongoDB that is away."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of all web processes.

    Attributes:
        subscribers: the number of open subscriptions.
    """

    subscribers: int
    _own: Operations
    _others: list[ProcessDocument]

    @property
    def web_processes(self) -> int:
        """The number of processes."""
        return 1 + len(self._others)

    def slowest_operations(self) -> list[Times]:
        """Return the operations with the longest 99th percentiles, longest first."""
        rows = [_times_of(row) for process in self._others for row in process["operations"]]
        return slowest([*self._own.slowest(), *rows])


class Processes:
    """The figures of this process and of the others.

    Args:
        database: the open database, which all processes share.
        hub: the subscribers of this process.
        operations: the times of the operations of this process.
    """

    def __init__(self, database: Database, hub: Hub, operations: Operations) -> None:
        self._database = database
        self._hub = hub
        self._operations = operations
        self._id = token_hex(8)
        self._reported: int | None = None
        self._reported_at = time.monotonic()  # the first report comes after `RENEWAL`: many processes end before
        self._writing = asyncio.Lock()
        self._has_ended = False
        self._others = Kept(self._look, _KEPT)

    async def report(self) -> None:
        """Store the figures of this process for the others, where its subscribers changed or the figures are old.

        Raises:
            Unavailable: MongoDB does not answer.
        """
        subscribers = self._hub.followers
        if subscribers == (self._reported or 0) and time.monotonic() - self._reported_at < RENEWAL:
            return
        rows = [_row_of(times) for times in self._operations.slowest()]
        async with self._writing:
            if not self._has_ended:
                await processes.report(self._database, self._id, subscribers, rows)
                self._reported, self._reported_at = subscribers, time.monotonic()

    async def figures(self) -> Figures:
        """Return the figures of this process as they are, and of the others as they reported them last.

        Raises:
            Unavailable: MongoDB did not answer in time.
        """
        others = await self._others.get()
        subscribers = self._hub.followers + sum(process["subscribers"] for process in others)
        return Figures(subscribers, self._operations, others)

    async def close(self) -> None:
        """Let the others know that this process ends."""
        self._has_ended = True
        await self._others.close()
        with suppress(Unavailable, TimeoutError):  # its figures expire
            async with asyncio.timeout(_END_SECONDS), self._writing:
                if self._reported is not None:
                    await processes.forget(self._database, self._id, _END_SECONDS)

    async def _look(self) -> list[ProcessDocument]:
        return await processes.others(self._database, self._id, _SECONDS)


def _row_of(times: Times) -> OperationTimesDocument:
    return {
        "name": times.name,
        "kind": times.kind,
        "buckets": [[bucket, count] for bucket, count in sorted(times.buckets.items())],
        "longest": times.longest,
        "lastAt": times.last_at,
    }


def _times_of(row: OperationTimesDocument) -> Times:
    buckets = Counter({bucket: count for bucket, count in row["buckets"]})  # noqa: C416 - dict() takes no lists of int
    return Times(row["name"], row["kind"], buckets, row["longest"], row["lastAt"])
