"""A result that all who ask for it within some seconds share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The result of a look, which is one for all who ask while it runs, and holds for some seconds.

    Args:
        look: the work; its error is raised to those who wait for it, and not kept.
        seconds: the time for which a result holds.
    """

    def __init__(self, look: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._task: asyncio.Task[T] | None = None
        self._ended_at = float("-inf")

    async def get(self) -> T:
        """Return the result of the running look, of the last one, or of a new one."""
        if self._task is None or (self._task.done() and self._is_over(self._task)):
            # In a new context, and not cancelled with the request: others wait for it, too.
            self._task = asyncio.create_task(self._looked(), context=Context())
        return await asyncio.shield(self._task)

    def _is_over(self, task: asyncio.Task[T]) -> bool:
        if task.cancelled() or task.exception() is not None:
            return True
        return asyncio.get_running_loop().time() - self._ended_at > self._seconds

    async def _looked(self) -> T:
        result = await self._look()
        self._ended_at = asyncio.get_running_loop().time()
        return result

    async def close(self) -> None:
        """Cancel a running look."""
        if self._task is not None and self._task.cancel():
            await asyncio.gather(self._task, return_exceptions=True)
