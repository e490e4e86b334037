"""Taking up the jobs that a process left behind."""

from __future__ import annotations

import asyncio
from functools import partial

from graph.store.database import Database
from graph.store.driver.availability import repeatedly
from graph.store.jobs import erasure, handover

PAUSE = 5.0
"""Seconds between looks for jobs that a process left."""


async def keep_running(database: Database, *, pause: float = PAUSE) -> None:
    """Take up, until cancelled, the jobs that a process left: at once, and then every `pause` seconds."""
    async with asyncio.TaskGroup() as kinds:
        kinds.create_task(repeatedly(partial(erasure.run_pending, database), pause=pause, name="erasures"))
        kinds.create_task(
            repeatedly(partial(handover.run_pending, database), pause=pause, name="handovers of entities")
        )
