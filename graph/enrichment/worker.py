"""The enrichment worker: takes pending messages, extracts their entities, stores them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from graph.enrichment.keys import entity_key
from graph.errors import Unavailable
from graph.store import enrichment
from graph.store.enrichment import Outcome

if TYPE_CHECKING:
    from graph.enrichment.entities import Extractor
    from graph.settings import Settings
    from graph.store.database import Database
    from graph.store.documents import Document

log = logging.getLogger("recallql")

_BATCH = 256  # messages
_RETRY_SECONDS = 1.0


async def work(database: Database, extractor: Extractor, settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set."""
    while not stop.is_set():
        try:
            busy = await work_once(database, extractor, settings)
        except Unavailable as error:
            log.warning("%s", error)
            busy = False
        if not busy:
            try:
                await asyncio.wait_for(stop.wait(), _POLL_SECONDS)
            except TimeoutError:
                continue


_POLL_SECONDS = 0.25


async def work_once(database: Database, extractor: Extractor, settings: Settings) -> bool:
    """Do one batch; False when there was none."""
    held = await enrichment.claim(database, size=_BATCH, lease_seconds=settings.enrichment_lease)
    if not held.messages:
        return False
    outcomes = await asyncio.to_thread(_extract, extractor, held.messages)
    await enrichment.complete(
        database,
        held.lease,
        outcomes,
        most_attempts=settings.enrichment_attempts,
        retry_seconds=_RETRY_SECONDS,
    )
    return True


def _extract(extractor: Extractor, messages: list[Document]) -> list[Outcome]:
    outcomes = []
    results = extractor.extract([message["content"] for message in messages])
    for message, result in zip(messages, results, strict=True):
        attempts = message["enrichment"]["attempts"]
        if isinstance(result, list):
            entities = [
                {
                    "key": entity_key(entity.label, entity.name),
                    "name": entity.name,
                    "label": entity.label,
                    "matches": [{"start": m.start, "end": m.end, "text": m.text} for m in entity.matches],
                }
                for entity in result
            ]
            outcomes.append(Outcome(message["_id"], attempts, entities))  # type: ignore[arg-type]
        else:
            outcomes.append(Outcome(message["_id"], attempts, failure=result.reason))
    return outcomes
