"""Whether the credentials of those who follow still hold: they end what goes on for longer than they do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from graph.access.caller import Caller
from graph.errors import OperationError, Unauthenticated, Unavailable
from graph.store import service_keys
from graph.store.database import Database

logger = logging.getLogger(__name__)

_LOOK_EVERY = 2.0
"""Seconds between looks at the service keys in use. A subscription is to end within 5 seconds of a revocation."""
_LONGEST_TIMER = 86_400.0
"""Seconds: what expires later is looked at again then. Event loops refuse times that are far off."""

End: TypeAlias = Callable[[OperationError], None]


def expired() -> Unauthenticated:
    """The error of credentials that were valid for a time."""
    return Unauthenticated("the credentials have expired: connect again with new ones")


def revoked() -> Unauthenticated:
    """The error for a revoked service key."""
    return Unauthenticated("the service key was revoked: connect again with another one")


class Standing:
    """Watches credentials, for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ends: dict[str, set[End]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def require_valid(self, caller: Caller) -> None:
        """Look again at the credentials of a caller who was known before.

        Raises:
            Unauthenticated: they are void by now.
            Unavailable: MongoDB can't answer.
        """
        if caller.seconds_left() == 0:
            raise expired()
        if caller.key_id is not None and not await service_keys.existing(self._database, [caller.key_id]):
            raise revoked()

    @contextmanager
    def watched(self, caller: Caller, end: End) -> Iterator[None]:
        """Surrounds what ends with the caller's credentials.

        Args:
            caller: whose credentials.
            end: called with the error once they are void.
        """
        timer = _Timer(caller, end)
        key_id = caller.key_id
        if key_id is not None:
            self._ends.setdefault(key_id, set()).add(end)
            if self._looking is None or self._looking.done():
                self._looking = self._database.run(self._look())
        try:
            yield
        finally:
            timer.stop()
            if key_id is not None:
                ends = self._ends.get(key_id, set())
                ends.discard(end)
                if not ends:
                    self._ends.pop(key_id, None)

    async def _look(self) -> None:
        while self._ends:
            await asyncio.sleep(_LOOK_EVERY)
            asked = list(self._ends)
            try:
                found = await service_keys.existing(self._database, asked)
            except Unavailable:
                continue
            except Exception:
                logger.exception("service keys in use could not be looked at")
                continue
            for key_id in set(asked) - found:
                for end in self._ends.pop(key_id, set()):
                    end(revoked())


class _Timer:
    """Ends what goes on when a caller's credentials expire."""

    def __init__(self, caller: Caller, end: End) -> None:
        self._caller = caller
        self._end = end
        self._handle: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        left = self._caller.seconds_left()
        if left is not None:
            self._handle = asyncio.get_running_loop().call_later(min(left, _LONGEST_TIMER), self._ring)

    def _ring(self) -> None:
        if self._caller.seconds_left():
            self._begin()
        else:
            self._end(expired())

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
