"""A transport that sends the bytes of one turn of the event loop together.

uvloop sends each write at once, with a system call: most of the time that a WebSocket takes to send a short message.
"""

from __future__ import annotations

import asyncio
from typing import Any

MOST_JOINED = 65_536
"""Bytes that wait for the end of the turn; more are sent at once."""


class JoinedWrites(asyncio.Transport):
    """Joins the writes to another transport, which does all else."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes | bytearray | memoryview[Any]] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send bytes before the next turn begins."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > MOST_JOINED:
            self._send()

    def _send(self) -> None:
        if self._waiting:
            waiting, self._waiting, self._size = self._waiting, [], 0
            if not self._transport.is_closing():  # else the connection was lost since
                self._transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def close(self) -> None:
        """Close after the bytes that were written."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._waiting, self._size = [], 0
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether no more bytes are sent."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that are not sent."""
        return self._size + self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a fact of the connection, as the socket."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()
