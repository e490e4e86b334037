"""The wait for pending work, by a change stream and by polling, which finds the changes that the stream misses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from graph.errors import Unavailable
from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState
from graph.store.driver.availability import sleep, unless
from graph.store.driver.streams import change_stream
from graph.store.driver.types import PyMongoError

logger = logging.getLogger(__name__)

_LOOK_MILLISECONDS = 500  # how long the server holds one look at the stream open

_MADE_DUE: list[Document] = [
    {
        "$match": {
            "$or": [
                {"ns.coll": "messages", "operationType": "insert"},
                {
                    "ns.coll": "messages",
                    "operationType": "update",
                    "$or": [
                        {"updateDescription.updatedFields.enrichment.state": EnrichmentState.PENDING.value},
                        {"updateDescription.removedFields": "enrichment.importedDueAt"},  # a large import is through
                    ],
                },
                # A lease of a session that is due sets paths within the map, and not the map.
                {
                    "ns.coll": "sessions",
                    "operationType": "update",
                    "updateDescription.updatedFields.summarising.dueAt": {"$exists": True},
                },
            ]
        }
    },
    {"$project": {"_id": 1}},
]


async def wait_for_work(
    database: Database, due_in: Callable[[], Awaitable[float]], *, poll_seconds: float, stop: asyncio.Event
) -> None:
    """Wait until a message becomes pending, a session becomes due for a summary, or the time is over.

    The time is over after `due_in` seconds, at the next poll, or when `stop` is set.

    Args:
        database: the open database.
        due_in: returns the seconds until known work is due; called with the stream open, so that no change is missed.
        poll_seconds: the maximum wait.
        stop: ends the wait.
    """
    until = time.monotonic() + poll_seconds
    try:
        await unless(stop, _hint(database, due_in, until))
    except (Unavailable, PyMongoError) as error:
        # Without the stream, as during an election, polling suffices.
        logger.debug("no change stream: %s", error)
        await sleep(max(0.0, until - time.monotonic()), stop)


async def _hint(database: Database, due_in: Callable[[], Awaitable[float]], until: float) -> None:
    """Wait for an event, or for the time; when cancelled, MongoDB ends its look, too."""
    opened = database.client.get_database(database.name)
    async with change_stream(opened, _MADE_DUE, max_await_time_ms=_LOOK_MILLISECONDS, batch_size=1) as stream:
        until = min(until, time.monotonic() + await due_in())
        while time.monotonic() < until and await stream.try_next() is None:
            pass
