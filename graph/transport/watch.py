"""Cancels the work of a request that takes too long, or whose client has disconnected."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Protocol

from starlette.requests import ClientDisconnect, Request

from graph.errors import Unavailable

_PATIENCE = 0.05
"""Seconds after which the client is watched. A task for every request would add a tenth to the cost of a small one."""


class Watched(Protocol):
    """The work of a request."""

    @property
    def changes(self) -> bool:
        """Whether the work changes data, as far as known at the time of the call."""


class Watch:
    """Surrounds the work of a request whose body has been read.

    A change continues even if its client disconnects: a change is atomic, and has a deadline.

    Args:
        request: the request; its body has been read.
        context: the work.
        seconds: the maximum time of work that changes nothing; 0 disables the limit.
    """

    def __init__(self, request: Request, context: Watched, seconds: float) -> None:
        self._request = request
        self._context = context
        self._seconds = seconds
        self._watcher: asyncio.Task[None] | None = None
        self._reason: Exception | None = None

    async def __aenter__(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        self._task = task
        self._cancelled_before = task.cancelling()
        self._until = loop.time() + self._seconds if self._seconds else None
        self._timer = loop.call_later(min(_PATIENCE, self._seconds or _PATIENCE), self._begin)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop watching.

        Raises:
            ClientDisconnect: the client disconnected, and the work was cancelled.
            Unavailable: the work took too long, and was cancelled.
        """
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._reason is not None:
            cancelled_by_others = self._task.uncancel() > self._cancelled_before
            if kind is asyncio.CancelledError and not cancelled_by_others:
                raise self._reason from None

    def _begin(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        reason: Exception
        try:
            async with asyncio.timeout_at(self._until):
                while (await self._request.receive())["type"] != "http.disconnect":
                    pass
            reason = ClientDisconnect()
        except TimeoutError:
            reason = Unavailable(
                f"the operation took longer than {self._seconds:g} seconds: request less, or try again"
            )
        if not self._context.changes:
            self._reason = reason
            self._task.cancel()
