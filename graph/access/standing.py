"""Expiry and revocation of credentials in use: a subscription or connection ends with its caller's credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from graph.access.caller import Caller
from graph.errors import OperationError, Unauthenticated
from graph.store import service_keys
from graph.store.database import Database
from graph.store.driver.availability import once

_LOOK_EVERY = 2.0
"""Seconds between checks of the service keys in use: a subscription must end within 5 seconds of a revocation."""
_LONGEST_TIMER = 86_400.0
"""Maximum seconds of one timer: event loops refuse distant times, so a later expiry takes several timers."""

End: TypeAlias = Callable[[OperationError], None]


def expired() -> Unauthenticated:
    """Return the error for credentials that have expired."""
    return Unauthenticated("the credentials have expired: connect again with new ones")


def revoked() -> Unauthenticated:
    """Return the error for a revoked service key."""
    return Unauthenticated("the service key was revoked: connect again with another one")


class Standing:
    """Watches the credentials in use by one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ends: dict[str, set[End]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def require_valid(self, caller: Caller) -> None:
        """Check the credentials of a known caller again.

        Raises:
            Unauthenticated: the credentials have expired or were revoked.
            Unavailable: MongoDB can't answer.
        """
        if caller.seconds_left() == 0:
            raise expired()
        if caller.key_id is not None and not await service_keys.existing(self._database, [caller.key_id]):
            raise revoked()

    @contextmanager
    def watched(self, caller: Caller, end: End) -> Iterator[None]:
        """Call `end` if the caller's credentials expire or are revoked within the block.

        Args:
            caller: the holder of the credentials.
            end: called with the error.
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
        while self._ends:  # not `repeatedly`, which does not end by itself
            await asyncio.sleep(_LOOK_EVERY)
            await once("the check of the service keys in use", self._end_revoked)

    async def _end_revoked(self) -> None:
        asked = list(self._ends)
        found = await service_keys.existing(self._database, asked)
        for key_id in set(asked) - found:
            for end in self._ends.pop(key_id, set()):
                end(revoked())


class _Timer:
    """Calls `end` when a caller's credentials expire."""

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
