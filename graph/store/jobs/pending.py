"""The resumption of jobs that a process left unfinished."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from graph.store.database import Database
from graph.store.driver.availability import observed, repeatedly
from graph.store.jobs import erasure, expiry, forking, handover, migrations, retention

Job: TypeAlias = tuple[str, Callable[[], Awaitable[object]]]
"""The name of a job in the log, and the function that runs it."""

PAUSE = 5.0
"""Seconds between looks for unfinished jobs."""


async def keep_running(database: Database, *more: Job, pause: float = PAUSE) -> None:
    """Resume unfinished jobs until cancelled: at once, and then every `pause` seconds; `more` jobs as well.

    One kind after the other: a look needs a connection, the driver opens at most two at once, and while MongoDB is
    silent, two looks would block all other new connections until the driver's timeout. Only forks and migrations run
    apart from the others, since one may take minutes.
    """
    await repeatedly(
        ("erasures of expired sessions", observed("expiries", partial(expiry.run_pending, database))),
        ("erasures", observed("erasures", partial(erasure.run_pending, database))),
        ("handovers of entities", observed("handovers", partial(handover.run_pending, database))),
        ("retentions of users", observed("retentions", partial(retention.run_pending, database))),
        ("forks", partial(forking.resume, database)),
        ("the migrations", partial(migrations.resume, database)),
        *more,
        pause=pause,
    )
