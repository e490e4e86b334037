"""Search in a session's messages or summaries."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.concurrency import run_on_thread
from graph.store import search as store
from graph.store.documents import Document
from graph.store.scope import Scope
from graph.store.search import SearchedKind
from graph.store.sessions import find_session
from graph.store.visible import Visible

MAX_WORDS = 200
"""Maximum distinct words of a query; further words are ignored."""

_OPERATORS = re.compile(r'["\\]|(?<!\w)-')
"""Punctuation that MongoDB's text search would take for a phrase or a negation."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query.

    Attributes:
        text: words, of which at least one must occur, up to inflection; None finds by the other conditions, newest
            first.
        since: only documents created at this time or later.
        until: only documents created before this time.
        keep: only documents for which this function is true; it is called on a thread.
        charge: charges the caller for the number of documents that are read for `keep`.
        limit: maximum number of results.
    """

    text: str | None = None
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
        nearness: from 0 to 1, higher is nearer; 0 for a query without text.
    """

    document: Document
    nearness: float


async def search_session(
    backend: Backend, scope: Scope, session_id: str, searched: SearchedKind, query: Query
) -> list[Hit]:
    """Search the messages or summaries of a session by words, nearest first; an unknown session has no results.

    Raises:
        BadUserInput: the text or the limit is refused.
        TooCostly: the caller's budget is spent, or `keep` raises the error.
    """
    limit = validation.check_limit(query.limit)
    words = None
    if query.text is not None:
        text = validation.check_text(query.text, "text", most_bytes=validation.MAX_CONTENT_BYTES, empty=True, nul=True)
        words = await run_on_thread(_words, text)
    session = await find_session(backend.database, scope, session_id, Visible.FIELDS)
    if session is None or not limit:
        return []
    found = await store.search(
        backend.database,
        Visible.of(session),
        searched,
        words=words,
        since=query.since,
        until=query.until,
        keep=None if query.keep is None else partial(_kept, query.keep, query.charge),
        limit=limit,
    )
    # The score has no upper bound; the formula maps it to 0 to 1 and keeps the order.
    return [Hit(document, (score := document.pop("score", 0.0)) / (1 + score)) for document in found]


def _words(text: str) -> str:
    return " ".join(list(dict.fromkeys(_OPERATORS.sub(" ", text).split()))[:MAX_WORDS])


async def _kept(
    keep: Callable[[Document], bool], charge: Callable[[int], Awaitable[None]] | None, read: list[Document]
) -> list[Document]:
    if charge is not None:
        await charge(len(read))
    return await run_on_thread(lambda: [document for document in read if keep(document)])
