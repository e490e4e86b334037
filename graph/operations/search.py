"""Search in a session's messages or summaries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.concurrency import run_on_thread
from graph.operations.recall import MOST_MILLIONTHS, Results, SearchMode, diversified, plain_query, search
from graph.operations.summary_search import search_summaries
from graph.store.documents import Document
from graph.store.messages import MessageFilter
from graph.store.reading import search as store
from graph.store.reading.search import Keep, SearchedKind
from graph.store.scope import Scope
from graph.store.sessions import find_session
from graph.store.visible import Visible

_CANDIDATES = 2
"""Results for each of the `limit`, of which different ones are chosen."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query.

    Attributes:
        text: the text to search for; None finds by the other conditions, newest first.
        mode: the signals to compare.
        relevance: weight of the score, from 0 to 1, against the difference from better results; None ranks by the
            score alone.
        since: only documents created at this time or later.
        until: only documents created before this time.
        keep: only documents for which this function is true; it is called on a thread.
        charge: charges the caller for documents that are read for `keep`, and for summaries that are embedded.
        limit: maximum number of results.
    """

    text: str | None = None
    mode: SearchMode = SearchMode.HYBRID
    relevance: float | None = None
    since: datetime | None = None
    until: datetime | None = None
    keep: Callable[[Document], bool] | None = None
    charge: Callable[[int], Awaitable[None]] | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A result.

    Attributes:
        document: the whole message or summary.
        nearness: the score, from 0 to 1, higher is nearer; 0 for a query without text.
    """

    document: Document
    nearness: float


async def search_session(
    backend: Backend, scope: Scope, session_id: str, kind: SearchedKind, query: Query
) -> list[Hit]:
    """Search the messages or summaries of a session, nearest first; an unknown session has no results.

    Raises:
        BadUserInput: the text or the limit is refused.
        TooCostly: the caller's budget is spent, the session is too large, or `keep` raises the error.
    """
    limit = validation.check_limit(query.limit)
    if query.text is not None:
        validation.check_text(query.text, "text", most_bytes=validation.MAX_CONTENT_BYTES, empty=True, nul=True)
    session = await find_session(backend.database, scope, session_id, Visible.HEAD_FIELDS)
    if session is None or not limit:
        return []
    visible = Visible.of_head(session)
    keep = None if query.keep is None else partial(_kept, query.keep, query.charge)
    if query.text is None:
        found = await store.newest(
            backend.database, visible, kind, since=query.since, until=query.until, keep=keep, limit=limit
        )
        return [Hit(document, 0.0) for document in found]
    text = plain_query(query.text)
    if text is None:
        return []
    if kind is SearchedKind.MESSAGES:
        times = MessageFilter(since=query.since, until=query.until)
        results = await search(
            backend, scope, text, session_id=session_id, filter_=times, mode=query.mode, by_session=False
        )
    else:
        results = await search_summaries(
            backend, visible, text, since=query.since, until=query.until, mode=query.mode, charge=query.charge
        )
    return await _read(backend, visible, results, query, kind=kind, keep=keep)


async def _read(
    backend: Backend, visible: Visible, results: Results, query: Query, *, kind: SearchedKind, keep: Keep | None
) -> list[Hit]:
    """Read the documents of the results, in the order that the query asks for."""
    most = query.limit if query.relevance is None else _CANDIDATES * query.limit
    scored = {one.message_id: one for one in await run_on_thread(list, results.part(0, len(results)))}
    read = await store.documents_with(backend.database, visible, kind, list(scored), keep=keep, limit=most)
    found = {document["_id"]: document for document in read}
    chosen = [scored[uuid] for uuid in found]
    if query.relevance is not None:
        chosen = await diversified(results, chosen, query.relevance, query.limit)
    return [Hit(found[one.message_id], one.millionths / MOST_MILLIONTHS) for one in chosen]


async def _kept(
    keep: Callable[[Document], bool], charge: Callable[[int], Awaitable[None]] | None, read: list[Document]
) -> list[Document]:
    if charge is not None:
        await charge(len(read))
    return await run_on_thread(lambda: [document for document in read if keep(document)])
