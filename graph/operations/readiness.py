"""Whether a process can serve requests, for load balancers and for those who replace processes."""

from __future__ import annotations

import asyncio
from typing import Final

from graph.errors import Unavailable
from graph.operations.backend import Backend
from graph.operations.kept import Kept
from graph.store.driver.types import PyMongoError

SECONDS: Final = 1.8
"""Maximum seconds of a look: clients of such checks wait for 2 seconds or more."""
_PING_SECONDS = 1.2
_KEPT = 1.0
"""Seconds for which a result holds: anyone may ask, any number of times."""
_INDEXES_KEPT = 60.0
"""Seconds for which complete indexes are taken for complete: a look at them takes twenty commands."""
_NAMED = 3  # missing indexes that are named


class Readiness:
    """The checks of one process; all who ask within a second get the result of one look.

    Args:
        backend: the open parts of the process.

    Attributes:
        is_draining: whether the process is about to end; set when it is asked to.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.is_draining = False
        self._kept = Kept(self._reasons, _KEPT)
        self._indexes_at = float("-inf")

    async def reasons(self) -> dict[str, str]:
        """Return why the process is not ready, by the name of the check; nothing where it is ready."""
        if self.is_draining or self._backend.hub.is_closing:
            return {"draining": "the process is about to end"}
        return await self._kept.get()

    async def _reasons(self) -> dict[str, str]:
        reasons = {}
        try:
            async with asyncio.timeout(SECONDS):
                if (reason := await self._of_mongodb()) is not None:
                    reasons["mongodb"] = reason
                elif (reason := await self._of_indexes()) is not None:
                    reasons["indexes"] = reason
        except TimeoutError:
            reasons["indexes"] = f"MongoDB did not list them within {SECONDS:g} seconds"
        if self._backend.hub.is_behind:
            reasons["changeStream"] = "MongoDB sends no answer of the change stream: subscribers get no events"
        return reasons

    async def _of_mongodb(self) -> str | None:
        try:
            await self._backend.database.ping(_PING_SECONDS)
        except (Unavailable, PyMongoError) as error:
            return _line(error)
        return None

    async def _of_indexes(self) -> str | None:
        now = asyncio.get_running_loop().time()
        if now - self._indexes_at < _INDEXES_KEPT:
            return None
        try:
            missing = await self._backend.database.missing_indexes(SECONDS)
        except (Unavailable, PyMongoError) as error:
            return _line(error)
        if not missing:
            self._indexes_at = now
            return None
        names = [f"{collection}.{name}" for collection, found in missing.items() for name in found]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"missing: {', '.join(names[:_NAMED])}{more}; a start of any process builds them"


def _line(error: Exception) -> str:
    """Return the text of an error; the driver's own may name hosts, and anyone may ask."""
    return str(error) if isinstance(error, Unavailable) else f"MongoDB refused: {type(error).__name__}"
