"""Search in the summaries of one session, which have no stored vectors: the best by words are embedded."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from graph.enrichment.models import use_one_thread
from graph.errors import StartupError, Unavailable
from graph.operations.backend import Backend
from graph.operations.concurrency import run_on_thread
from graph.operations.recall import Results, SearchMode, search_columns
from graph.operations.search_cache import MAX_READ
from graph.operations.search_scope import columns_from
from graph.store.documents import SummaryDocument
from graph.store.reading.search import texts_of_summaries
from graph.store.visible import Visible

if TYPE_CHECKING:
    from graph.recall.embedding import Embedder
    from graph.recall.entries import Entry

logger = logging.getLogger(__name__)

MAX_SUMMARIES = 1_000
"""Summaries of one session that a search compares: the newest ones."""
_EMBEDDED = 16
"""Summaries whose meaning is compared: the model takes 10 to 30 ms for each."""


async def search_summaries(
    backend: Backend,
    visible: Visible,
    text: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    mode: SearchMode = SearchMode.HYBRID,
    charge: Callable[[int], Awaitable[None]] | None = None,
) -> Results:
    """Search the summaries of a visible part of a session, best first.

    Args:
        backend: the open parts of this process.
        visible: the part of the session.
        text: the query.
        since: only summaries made at this time or later.
        until: only summaries made before this time.
        mode: the signals to compare.
        charge: charges the caller for the number of summaries that are embedded.
    """
    summaries = await _read(backend, visible, since, until)
    if not summaries:
        return Results()
    entries = await run_on_thread(_entries_of, visible.session_id, summaries)
    columns = await run_on_thread(columns_from, entries)
    by_words = await search_columns(backend, columns, text, mode=SearchMode.LEXICAL, by_session=False)
    if mode is SearchMode.LEXICAL or backend.embedder is None:
        return by_words
    found = (one.message_id for one in by_words.part(0, _EMBEDDED))
    best = dict.fromkeys([*found, *(summary["_id"] for summary in summaries)])
    chosen = list(best)[:_EMBEDDED]
    if charge is not None:
        await charge(len(chosen))
    contents = {summary["_id"]: summary["content"] for summary in summaries}
    embedded = await _embedded(backend.embedder, entries, {uuid: contents[uuid] for uuid in chosen})
    return await search_columns(backend, await run_on_thread(columns_from, embedded), text, mode=mode, by_session=False)


async def _read(
    backend: Backend, visible: Visible, since: datetime | None, until: datetime | None
) -> list[SummaryDocument]:
    """Return the newest summaries; those beyond the maximum characters of a search are left out."""
    summaries: list[SummaryDocument] = []
    size = 0
    async for read in texts_of_summaries(backend.database, visible, since=since, until=until, limit=MAX_SUMMARIES):
        summaries += read
        size += sum(len(summary["content"]) for summary in read)
        if size > MAX_READ:
            break
    return summaries


def _entries_of(session_id: str, summaries: Sequence[SummaryDocument]) -> list[Entry]:
    use_one_thread()
    from graph.recall.entries import entry_of, words_of  # noqa: PLC0415 - not loaded without a search

    return [
        entry_of(
            summary["_id"],
            session_id,
            summary["lastSeq"],
            role="",
            words=words_of(summary["content"]),
            at=summary["createdAt"],
            labels=[entity["label"] for entity in summary.get("entities", ())],
        )
        for summary in summaries
    ]


async def _embedded(embedder: Embedder, entries: Sequence[Entry], texts: Mapping[str, str]) -> Sequence[Entry]:
    """Return the entries, of which those with a text have vectors; none has one while the model does not answer."""
    use_one_thread()
    try:
        vectors = dict(zip(texts, await embedder.embed(list(texts.values())), strict=True))
    except (Unavailable, StartupError, ValueError) as error:
        logger.warning("a search compares words alone: %s", error)
        return entries
    return [
        replace(entry, vector=vector[0], scale=vector[1]) if (vector := vectors.get(entry.message_id)) else entry
        for entry in entries
    ]
