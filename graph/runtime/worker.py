"""A worker as a process of its own: the only one that imports spaCy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from graph.enrichment.entities import Extractor
from graph.enrichment.progress import Report, progress_bar
from graph.enrichment.summaries import open_summariser
from graph.enrichment.worker import Worker
from graph.operations.opening import opened
from graph.recall.embedding import Embedder, embedder_of
from graph.runtime.deployment import mongodb
from graph.runtime.logs import configure_logging, warn_of_unknown_settings
from graph.runtime.metrics import Collected, collected
from graph.runtime.tracing import traced
from graph.store.database import Database
from graph.store.driver.availability import repeatedly
from graph.store.jobs import progress
from graph.store.jobs.pending import keep_running
from graph.store.scope import EVERYTHING
from graph.store.sessions import find_visible
from graph.store.visible import Visible

if TYPE_CHECKING:
    from graph.settings import Settings

_COUNT_SECONDS = 2.0  # between counts of pending messages, for the progress bar


def run(settings: Settings, *, quiet: bool, end_with_input: bool = False) -> None:
    """Work until SIGINT or SIGTERM.

    Args:
        settings: how it is set.
        quiet: show no progress bar.
        end_with_input: end, too, when standard input does: it is a pipe from the process that started this one.

    Raises:
        StartupError: MongoDB or the spaCy model can't be used.
    """
    configure_logging(settings)
    if not end_with_input:  # the process that started this one has warned
        warn_of_unknown_settings()
    metrics = collected(settings, "worker", child=end_with_input)
    with metrics as found, traced(settings, "worker"), mongodb(settings, attach=True) as uri:
        asyncio.run(_run(settings, uri, found, quiet=quiet, end_with_input=end_with_input))


def drain(settings: Settings, *, failed: bool, session_id: str | None) -> int:
    """Work until nothing is pending, or SIGINT or SIGTERM.

    Args:
        settings: how it is set.
        failed: retry failed enrichment.
        session_id: only this session.

    Returns:
        how many messages are `FAILED` afterwards, or have no vector because the embedding model is away.

    Raises:
        StartupError: MongoDB or the spaCy model can't be used.
    """
    configure_logging(settings)
    with mongodb(settings, attach=True) as uri:
        return asyncio.run(_drain(settings, uri, failed=failed, session_id=session_id))


async def _run(settings: Settings, uri: str, metrics: Collected, *, quiet: bool, end_with_input: bool) -> None:
    stop = _stop_on_signals()
    if end_with_input:
        loop = asyncio.get_running_loop()
        threading.Thread(target=_end_with_stdin, args=(loop, stop), daemon=True).start()
    async with (
        _ready(settings, uri) as (database, extractor),
        open_summariser(settings) as summariser,
        _loaded_embedder(settings) as embedder,
    ):
        metrics.start(database)
        with progress_bar(Console(stderr=True, quiet=quiet)) as report:
            worker = Worker(database, extractor, settings, summariser=summariser, embedder=embedder, on_progress=report)
            async with _counting(database, worker, report, session_id=None, shown=not quiet and sys.stderr.isatty()):
                await worker.run(stop)


async def _drain(settings: Settings, uri: str, *, failed: bool, session_id: str | None) -> int:
    stop = _stop_on_signals()
    async with (
        _ready(settings, uri) as (database, extractor),
        open_summariser(settings) as summariser,
        _loaded_embedder(settings) as embedder,
    ):
        if failed:
            await progress.retry(database, await _part(database, session_id))
        console = Console(stderr=True)
        with progress_bar(console) as report:
            worker = Worker(
                database,
                extractor,
                settings,
                summariser=summariser,
                embedder=embedder,
                session_id=session_id,
                on_progress=report,
            )
            async with _counting(database, worker, report, session_id=session_id, shown=console.is_terminal):
                await worker.run(stop, drain=True)
        return await _report_left(database, worker, session_id)


async def _report_left(database: Database, worker: Worker, session_id: str | None) -> int:
    """Print the outcome of a drained worker; return the number of messages that it leaves."""
    model = None if worker.vectors is None else await worker.vectors.model()
    left = await progress.progress(database, await _part(database, session_id), model=model)
    sys.stdout.write(
        f"{worker.done.stored:,} messages enriched; now {left['done']:,} done, {left['pending']:,} pending,"
        f" {left['failed']:,} failed\n"
    )
    failed, unembedded = int(left["failed"]), int(left["unembedded"])
    if worker.vectors is None or worker.vectors.away is None:
        return failed
    sys.stdout.write(f"{unembedded:,} messages not embedded: {worker.vectors.away}\n")
    return failed + unembedded


async def _part(database: Database, session_id: str | None) -> Visible | None:
    return None if session_id is None else await find_visible(database, EVERYTHING, session_id)


@asynccontextmanager
async def _ready(settings: Settings, uri: str) -> AsyncIterator[tuple[Database, Extractor]]:
    async with opened(settings, uri) as database:
        database.run(keep_running(database))
        yield database, await asyncio.to_thread(Extractor, settings.spacy_model, settings.spacy_languages or None)


@asynccontextmanager
async def _loaded_embedder(settings: Settings) -> AsyncIterator[Embedder | None]:
    embedder = embedder_of(settings)
    if embedder is None:
        yield None
        return
    async with contextlib.aclosing(embedder):
        await embedder.load()
        yield embedder


@asynccontextmanager
async def _counting(
    database: Database, worker: Worker, report: Report, *, session_id: str | None, shown: bool
) -> AsyncIterator[None]:
    """Keep the bar's total right while it is shown."""

    async def count() -> None:
        model = None if worker.vectors is None else await worker.vectors.model()

        async def look() -> None:
            left = await progress.progress(database, await _part(database, session_id), model=model)
            report(worker.done, left["pending"], left["unembedded"])

        await repeatedly(("the count of the progress bar", look), pause=_COUNT_SECONDS)

    counting = asyncio.create_task(count()) if shown else None
    try:
        yield
    finally:
        if counting is not None:
            counting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await counting


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _end_with_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        continue
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)
