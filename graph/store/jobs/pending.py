"""Taking up the jobs that a process left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from graph.errors import Unavailable
from graph.store.database import Database
from graph.store.jobs import erasure, handover

logger = logging.getLogger(__name__)

PAUSE = 5.0
"""Seconds between looks for jobs that a process left."""


async def keep_running(database: Database, *, pause: float = PAUSE) -> None:
    """Take up, until cancelled, the jobs that a process left: at once, and then every `pause` seconds."""
    async with asyncio.TaskGroup() as kinds:
        kinds.create_task(_keep_running(database, erasure.run_pending, "erasures", pause))
        kinds.create_task(_keep_running(database, handover.run_pending, "handovers of entities", pause))


async def _keep_running(
    database: Database, run_pending: Callable[[Database], Awaitable[int]], kind: str, pause: float
) -> None:
    while True:
        try:
            await run_pending(database)
        except Unavailable as error:
            logger.warning("%s are put off: %s", kind, error)
        except Exception:
            # An unforeseen error may pass, too, and a job has to be done whatever happened here.
            logger.exception("%s are put off", kind)
        await asyncio.sleep(pause)
