"""Taking up the jobs that a process left behind."""

from __future__ import annotations

from functools import partial

from graph.store.database import Database
from graph.store.driver.availability import repeatedly
from graph.store.jobs import erasure, handover

PAUSE = 5.0
"""Seconds between looks for jobs that a process left."""


async def keep_running(database: Database, *, pause: float = PAUSE) -> None:
    """Take up, until cancelled, the jobs that a process left: at once, and then every `pause` seconds.

    One kind after the other: a look needs a connection, the driver makes at most two at once, and where MongoDB is
    silent two looks would keep all others from a new connection until the driver gives theirs up.
    """
    await repeatedly(
        ("erasures", partial(erasure.run_pending, database)),
        ("handovers of entities", partial(handover.run_pending, database)),
        pause=pause,
    )
