"""Refuses reads early while no member of MongoDB answers.

A read may take long, and its time limit is long. But while MongoDB does not even answer a ping, the wait is useless.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context

from pymongo.errors import ConnectionFailure, OperationFailure, WaitQueueTimeoutError
from tenacity import AsyncRetrying, retry_if_exception, wait_fixed

from graph.errors import Unavailable
from graph.store.driver.client import ping
from graph.store.driver.types import Client, is_motor

logger = logging.getLogger(__name__)

_PAUSE = 0.1
"""Seconds between two pings: the first may take a connection that MongoDB closed at its end."""
_TURNS = 20
"""Minimum turns of the loop that a ping gets before it counts as unanswered: on a new connection, it needs half."""


class Presence:
    """Whether MongoDB answers, as all requests of a process see it.

    A block that takes half of the time causes a ping, which is one for all blocks that wait then. After a ping without
    an answer, the next block causes a ping at its start.

    Args:
        client: the MongoDB client.
        seconds: how long MongoDB may answer nothing; 0 disables the limit.
    """

    def __init__(self, client: Client, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._is_silent = False
        self._look: asyncio.Task[bool] | None = None

    @asynccontextmanager
    async def needed(self) -> AsyncIterator[None]:
        """Cancel the block if MongoDB answers nothing: a block that changes nothing.

        Within a block of `time_limit`, this block leaves the commands to their time limit: while MongoDB does not
        answer, it can't end them.

        Raises:
            Unavailable: the block was cancelled.
        """
        if not self._seconds:
            yield
            return
        try:
            async with asyncio.timeout(None) as limit:
                wait = _Wait(self, limit)
                wait.begin(0.0 if self._is_silent else self._seconds / 2)
                try:
                    yield
                finally:
                    wait.end()
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable("MongoDB does not answer at the moment: try again") from None

    @property
    def ping_seconds(self) -> float:
        """The time-out of a ping, in seconds; longer while the event loop is late."""
        return self._seconds / 2

    def look(self) -> asyncio.Task[bool]:
        """Return the running ping or a new one; the result is whether MongoDB answers."""
        if self._look is None or self._look.done():
            # In a new context, so that the time limit of a request does not bound the ping.
            self._look = asyncio.create_task(self._answers(), context=Context())
        return self._look

    async def _answers(self) -> bool:
        answers = await self._any_answers()
        if answers is self._is_silent:
            self._is_silent = not answers
            logger.warning("MongoDB answers again" if answers else "MongoDB does not answer: reads are refused")
        return answers

    async def _any_answers(self) -> bool:
        """Whether the primary or another member answers: the other ones are about to elect a primary."""
        pings = [asyncio.create_task(self._answers_as(secondary=secondary)) for secondary in (False, True)]
        try:
            for ended in asyncio.as_completed(pings):
                if await ended:
                    return True
        finally:
            for unanswered in pings:
                unanswered.cancel()
        return False

    async def _answers_as(self, *, secondary: bool) -> bool:
        attempts = AsyncRetrying(retry=retry_if_exception(_has_no_answer), wait=wait_fixed(_PAUSE))
        # PyMongo reads the answer on the event loop, and would take a late loop for a silent MongoDB: the turns count.
        # Motor's ping holds a thread until its end; above 1, for an error of the driver's limit is no answer.
        seconds = self.ping_seconds * (2 if is_motor(self._client) else _TURNS)
        began = time.monotonic()
        pinging: asyncio.Task[None] = asyncio.create_task(attempts(ping, self._client, seconds, secondary=secondary))
        try:
            for _ in range(_TURNS):
                # A share counts once, however late the loop is at its end.
                if (await asyncio.wait((pinging,), timeout=self.ping_seconds / _TURNS))[0]:
                    break
            else:
                return False
            await pinging
        except WaitQueueTimeoutError:
            # All connections of the process may be in use by long reads; at the limit, by a silent MongoDB.
            return time.monotonic() - began < seconds
        except OperationFailure:
            return True  # a refusal is an answer
        finally:
            pinging.cancel()
        return True


def _has_no_answer(error: BaseException) -> bool:
    return isinstance(error, ConnectionFailure) and not isinstance(error, WaitQueueTimeoutError)


class _Wait:
    """The wait of one block.

    Args:
        presence: of the process.
        limit: cancels the block.
    """

    __slots__ = ("_has_ended", "_limit", "_presence", "_timer")

    def __init__(self, presence: Presence, limit: asyncio.Timeout) -> None:
        self._presence = presence
        self._limit = limit
        self._has_ended = False

    def begin(self, seconds: float) -> None:
        """Ping MongoDB after a time."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ask)

    def end(self) -> None:
        self._timer.cancel()
        self._has_ended = True

    def _ask(self) -> None:
        self._presence.look().add_done_callback(self._hear)

    def _hear(self, look: asyncio.Task[bool]) -> None:
        if self._has_ended or look.cancelled():
            return
        if look.result():
            self.begin(self._presence.ping_seconds)
        else:
            self._limit.reschedule(asyncio.get_running_loop().time())
