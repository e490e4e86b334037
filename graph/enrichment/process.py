"""A worker as a process of its own: the only one that imports spaCy."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from graph.deployment import mongodb
from graph.enrichment.entities import Extractor
from graph.enrichment.worker import work
from graph.logs import configure_logging
from graph.store.database import open_database

if TYPE_CHECKING:
    from graph.settings import Settings


def run(settings: Settings, *, quiet: bool) -> None:
    """Work until SIGINT or SIGTERM, or, when `quiet`, until standard input ends with the process at its other end.

    Raises:
        StartupError: MongoDB or the spaCy model can't be used.
    """
    configure_logging(settings)
    with mongodb(settings) as uri:
        asyncio.run(_run(settings, uri, watch_stdin=quiet))


async def _run(settings: Settings, uri: str, *, watch_stdin: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if watch_stdin:
        threading.Thread(target=_end_with_stdin, args=(loop, stop), daemon=True).start()
    database = await open_database(
        uri, name=settings.database, timeout=settings.mongodb_timeout, write_deadline=settings.write_deadline
    )
    try:
        extractor = await asyncio.to_thread(Extractor, settings.spacy_model)
        await work(database, extractor, settings, stop)
    finally:
        await database.close()


def _end_with_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        continue
    loop.call_soon_threadsafe(stop.set)
