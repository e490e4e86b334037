"""The connections of a process that have no end of their own, which a shutdown ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

_GOODBYE_SECONDS = 0.5  # for writing the last bytes: a client that reads nothing must not delay the end


class Connection(Protocol):
    """A connection whose client decides when it ends."""

    async def say_goodbye(self) -> None:
        """End the connection, since the service stops, and ask the client to connect again."""


class OpenConnections:
    """The open connections of a process."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()

    @contextmanager
    def holding(self, connection: Connection) -> Iterator[None]:
        """Keep a connection in the set for the length of a block."""
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)

    async def close(self) -> None:
        """End all connections."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await asyncio.gather(*(connection.say_goodbye() for connection in self._open))
