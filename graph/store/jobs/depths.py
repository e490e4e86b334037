"""The pending work of each kind, for metrics, by reads of indexes whose number of keys is bounded."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

from graph.errors import Unavailable
from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, now
from graph.store.driver.client import answering_within
from graph.store.driver.collection import AnyCollection
from graph.store.jobs.embedding import current_model
from graph.store.vectors import LAYOUT, without_vector

MOST: Final = 100_000
"""Maximum depth that is counted: a count reads a key of an index for each."""
MOST_VALUES: Final = 16
"""Maximum models, and layouts, whose oldest messages are looked for."""
_SECONDS = 2.0
"""For the reads of one kind."""
_EVER: Final = datetime(1, 1, 1, tzinfo=UTC)

Depth: TypeAlias = tuple[int, float]

logger = logging.getLogger(__name__)


async def depths(database: Database) -> dict[str, Depth]:
    """Return the number, at most `MOST`, and the age in seconds of the oldest of the pending work, by kind.

    The age of work that was tried is from the time of the next attempt on, so 0 while a worker holds it. A kind that
    can't be read in time is left out, and the log says so.

    Raises:
        Unavailable: MongoDB answers for no kind.
    """
    kinds: Mapping[str, tuple[AnyCollection, Document, str]] = {
        "entities": (database.messages, {"enrichment.state": EnrichmentState.PENDING.value}, "enrichment.dueAt"),
        # Not `$exists`, for which MongoDB would fetch each session.
        "summaries": (database.all_sessions, {"summarising.dueAt": {"$gt": _EVER}}, "summarising.dueAt"),
        "erasures": (database.erasures, {}, "dueAt"),
        "handovers": (database.handovers, {}, "dueAt"),
        "retentions": (database.retentions, {}, "dueAt"),
        "forks": (database.forks, {"failed": {"$exists": False}}, "dueAt"),
    }
    reads: dict[str, Callable[[], Awaitable[Depth | None]]] = {kind: partial(_depth, *of) for kind, of in kinds.items()}
    reads["embeddings"] = partial(_unembedded, database)
    found: dict[str, Depth] = {}
    missed: dict[str, Unavailable] = {}
    for kind, read in reads.items():
        try:
            with answering_within(_SECONDS):
                depth = await read()
        except Unavailable as error:
            missed[kind] = error
        except Exception:  # a fault of one kind costs no other its depth
            logger.exception("the metrics of pending work are without %s", kind)
        else:
            found |= {} if depth is None else {kind: depth}
    if missed:
        first = next(iter(missed.values()))
        if len(missed) == len(reads):
            raise first
        logger.warning("the metrics of pending work are without %s: %s", ", ".join(missed), first)
    return found


async def _depth(collection: AnyCollection, chosen: Document, path: str) -> Depth:
    oldest = await collection.find_one(chosen, {"_id": 0, path: 1}, sort=[(path, 1)])
    if oldest is None:
        return 0, 0.0
    since: Any = oldest
    for name in path.split("."):
        since = since.get(name) if isinstance(since, dict) else None
    return await collection.count_documents(chosen, limit=MOST), _age([since])


async def _unembedded(database: Database) -> Depth | None:
    """The messages without a vector or terms; None where no model was announced."""
    model = await current_model(database)
    if model is None:
        return None
    number = await database.recall.count_documents(without_vector(model), limit=MOST)
    if not number:
        return 0, 0.0
    # No index has the order of `dueAt` for all of them, but each has it for one value: a sort would read them all.
    oldest = [*await _oldest(database, "model", "", model), *await _oldest(database, "layout", -1, LAYOUT)]
    return number, _age(oldest)


async def _oldest(database: Database, path: str, lowest: str | int, current: str | int) -> list[object]:
    """Return the earliest `dueAt` for each value of an indexed field but the current one, of the first values."""
    found: list[object] = []
    chosen: Document = {}
    for _ in range(MOST_VALUES):
        one: Any = await database.recall.find_one(
            chosen, {"_id": 0, path: 1, "dueAt": 1}, sort=[(path, 1), ("dueAt", 1)]
        )
        if one is None:
            break
        value = one.get(path)
        if value != current:
            found.append(one.get("dueAt"))
        chosen = {path: {"$gt": lowest if value is None else value}}
    return found


def _age(times: list[object]) -> float:
    known = [time for time in times if isinstance(time, datetime)]
    return max(0.0, (now() - min(known)).total_seconds()) if known else 0.0
