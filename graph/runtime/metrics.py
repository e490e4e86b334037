"""Metrics in the processes of a server: where they are collected, and where Prometheus reads them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from graph.settings import Settings
from graph.store.database import Database
from graph.store.driver.availability import once
from graph.store.jobs.depths import depths
from graph.telemetry import exposition
from graph.telemetry.steps import observe

if TYPE_CHECKING:
    from graph.telemetry.metrics import Metrics

QUEUE_SECONDS: Final = 10.0
"""Between two looks at the pending work, which one process of a server does."""

logger = logging.getLogger(__name__)


class Collected:
    """The metrics of this process, or none.

    Args:
        metrics: the metrics.
        queues: whether this process looks at the pending work.
    """

    def __init__(self, metrics: Metrics | None, *, queues: bool) -> None:
        self._metrics = metrics
        self._queues = queues

    def start(self, database: Database) -> None:
        """Keep the levels right until the database is closed."""
        if self._metrics is not None:
            database.run(self._metrics.keep_levels())
            if self._queues:
                database.run(self._keep_queues(self._metrics, database))

    async def _keep_queues(self, metrics: Metrics, database: Database) -> None:
        async def look() -> None:
            metrics.set_queues(await depths(database))

        while True:
            await once("the metrics of pending work", look)
            await asyncio.sleep(QUEUE_SECONDS)


OFF: Final = Collected(None, queues=False)


@contextmanager
def collected(settings: Settings, role: Literal["web", "worker"], *, child: bool = False) -> Iterator[Collected]:
    """Observe this process, and serve the metrics of it and its children where the settings say so.

    To be called before the database is opened: a client of MongoDB is observed from its start or not at all.

    Args:
        settings: say whether, and where.
        role: of the process.
        child: whether another process serves the metrics of this one.

    Raises:
        StartupError: the address of the metrics is taken.
    """
    if settings.metrics is None or (child and not exposition.is_shared()):
        yield OFF
    elif child:
        yield _observed(role, queues=False)
    elif role == "worker" and settings.metrics == exposition.BY_KEY:
        logger.warning("RECALLQL_METRICS=key: a worker has no API that serves metrics: give an address, 127.0.0.1:9464")
        yield OFF
    else:
        with exposition.shared_directory():
            metrics = _observed(role, queues=True)
            if settings.metrics == exposition.BY_KEY:
                yield metrics
                return
            with exposition.served(settings.metrics):
                yield metrics


def _observed(role: Literal["web", "worker"], *, queues: bool) -> Collected:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - only where metrics are on

    from graph.telemetry.metrics import Metrics  # noqa: PLC0415 - as above

    metrics = Metrics(CollectorRegistry(), role)
    observe(metrics)
    return Collected(metrics, queues=queues)
