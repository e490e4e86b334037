"""Search in the messages of a user or a session."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.enrichment.models import use_one_thread
from graph.enrichment.parts import searched_text
from graph.errors import StartupError, TooCostly, Unavailable
from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.concurrency import run_on_thread
from graph.operations.filters import check_message_filter
from graph.operations.search_cache import MAX_READ
from graph.recall.mode import SearchMode as SearchMode  # noqa: PLC0414 - for the schema, which knows operations only
from graph.store.documents import MatchDocument, MessageDocument, SessionDocument, now
from graph.store.entities.offsets import wide_before
from graph.store.messages import ANY_MESSAGE, MessageFilter
from graph.store.recall import messages_meeting, messages_of, searched_sessions
from graph.store.scope import Scope
from graph.store.visible import Visible
from graph.telemetry.steps import Kind, Step, step

if TYPE_CHECKING:
    from graph.recall.columns import Columns
    from graph.recall.filtering import Rows
    from graph.recall.query import Query
    from graph.recall.ranking import Ranking
    from graph.recall.scoring import Floats

logger = logging.getLogger(__name__)

MAX_QUERY_BYTES = 8_192
MAX_RESULTS = 100
DEFAULT_RESULTS = 20
MOST_MILLIONTHS = 1_000_000
"""The maximum score of a message in millionths."""
Place = tuple[int, str]
"""The score in millionths and the id of a result, its place among the results."""
MAX_SEARCHED = 200_000
"""Maximum messages in the scope of one search."""


@dataclass(frozen=True, slots=True)
class ScoredMessage:
    """A found message.

    Attributes:
        row: its row in the searched messages.
        message_id: the message.
        millionths: its score, from 0 to 1,000,000, as a whole number.
    """

    row: int
    message_id: str
    millionths: int


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a query.

    Attributes:
        words: the words of the query, each as the hashes of its stems.
        ranking: the found messages, best first, and the searched ones; None if the scope has no session.
    """

    words: Sequence[frozenset[int]] = ()
    ranking: Ranking | None = None

    def __len__(self) -> int:
        """Return the number of found messages."""
        return 0 if self.ranking is None else len(self.ranking)

    def part(self, start: int, stop: int) -> Iterator[ScoredMessage]:
        """Yield the found messages of a part, best first, with equal scores by id."""
        if self.ranking is not None:
            ids = self.ranking.columns.message_ids
            for row, millionths in self.ranking.rows(slice(start, stop)):
                yield ScoredMessage(row, ids[row], millionths)

    def between(self, after: Place | None, before: Place | None) -> tuple[int, int]:
        """Return the part of the results between two of them, which may have been deleted since.

        Args:
            after: the score in millionths and the id of a result; the part begins after it.
            before: the same of the result after the part.
        """
        if self.ranking is None:
            return 0, 0
        start = 0 if after is None else self.ranking.bounds(*after)[1]
        stop = len(self) if before is None else self.ranking.bounds(*before)[0]
        return start, max(start, stop)


def check_query(text: str) -> None:
    """Refuse a query that is empty or too long.

    Raises:
        BadUserInput: it is.
    """
    validation.check_text(text, "query", most_bytes=MAX_QUERY_BYTES, nul=True)


def plain_query(text: str) -> str | None:
    """Return a text that nobody wrote as a query as one: without marks of phrases, cut to the maximum length."""
    plain = text.replace('"', " ").replace("\0", " ").strip()
    return plain.encode("utf-8", "replace")[:MAX_QUERY_BYTES].decode("utf-8", "ignore") or None


async def search(
    backend: Backend,
    scope: Scope,
    text: str,
    *,
    user_id: str | None = None,
    session_id: str | None = None,
    filter_: MessageFilter = ANY_MESSAGE,
    mode: SearchMode = SearchMode.HYBRID,
    by_session: bool = True,
) -> Results:
    """Search the messages of a scope, best first.

    The messages are compared by their words, and by their vectors once they are embedded. A found message may have been
    deleted meanwhile, so the caller of this function must read it from the store.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        text: the query; parts in double quotes must occur verbatim.
        user_id: only messages of this user's sessions.
        session_id: only messages of this session.
        filter_: only messages that meet this filter.
        mode: the signals to compare.
        by_session: whether the words of its session alone are enough for a message to be found.

    Raises:
        BadUserInput: an argument is not accepted.
        TooCostly: the scope has more messages than a search reads.
        Unavailable: the mode is VECTOR, and no embedding model answers.
    """
    check_query(text)
    check_message_filter(filter_)
    with step(Kind.SEARCH, mode.value) as seen:
        return await _search(backend, scope, text, user_id, session_id, filter_, mode, seen, by_session=by_session)


async def _search(  # noqa: PLR0917 - as `search`
    backend: Backend,
    scope: Scope,
    text: str,
    user_id: str | None,
    session_id: str | None,
    filter_: MessageFilter,
    mode: SearchMode,
    seen: Step,
    *,
    by_session: bool,
) -> Results:
    if not all(validation.is_id(name) for name in (user_id, session_id) if name is not None):
        return Results()
    sessions = await searched_sessions(
        backend.database, scope, user_id=user_id, session_id=session_id, limit=MAX_SEARCHED + 1
    )
    if len(sessions) > MAX_SEARCHED or sum(session["messageCount"] for session in sessions) > MAX_SEARCHED:
        raise TooCostly(
            f"the search would read more than {MAX_SEARCHED:,} messages, the maximum: search one user with userId, or"
            " one session with sessionId"
        )
    if not sessions:
        return Results()
    key = (user_id if scope.user_id is None else scope.user_id, session_id)
    seen.note(cache="hit" if key in backend.search_cache else "miss")
    columns = await backend.search_cache.columns(key, sessions, await backend.embedding_model())
    query = await run_on_thread(_read_query, text, columns)
    vector = None if mode is SearchMode.LEXICAL else await _meaning_of(backend, query, mode)
    parts = [await _with_phrases(backend, query, sessions), await _meeting(backend, filter_, sessions)]
    allowed = await run_on_thread(_allowed, columns, filter_, [part for part in parts if part is not None])
    return await run_on_thread(_rank, columns, query, vector, mode, allowed, by_session=by_session)


async def search_columns(
    backend: Backend, columns: Columns, text: str, *, mode: SearchMode, by_session: bool, every: bool = False
) -> Results:
    """Search texts that are in no cache, as `search` does, but without phrases; with `every`, rank all of them."""
    query = await run_on_thread(_read_query, text, columns)
    vector = None if mode is SearchMode.LEXICAL else await _meaning_of(backend, query, mode)
    return await run_on_thread(_rank, columns, query, vector, mode, None, by_session=by_session, every=every)


async def _meaning_of(backend: Backend, query: Query, mode: SearchMode) -> Floats | None:
    """Return the vector of a query; None without a model, or while the model does not answer."""
    if backend.embedder is None:
        if mode is SearchMode.VECTOR:
            raise Unavailable("mode VECTOR needs an embedding model, and the service has none: use HYBRID or LEXICAL")
        return None
    use_one_thread()
    try:
        return await backend.embedder.meaning(query.embedded)
    except (Unavailable, StartupError, ValueError) as error:
        if mode is SearchMode.VECTOR:
            raise Unavailable("the embedding model does not answer: try again, or use mode LEXICAL") from error
        logger.warning("a search compares words alone: %s", error)
        return None


async def _with_phrases(backend: Backend, query: Query, sessions: Sequence[SessionDocument]) -> frozenset[str] | None:
    """Return the ids of messages that contain all phrases of a query; None for a query without phrases."""
    if not query.phrases:
        return None
    found: list[str] = []
    size = 0
    visible = [Visible.of(session) for session in sessions]
    async for messages in messages_of(backend.database, visible, parts=backend.settings.search_tools):
        texts = await run_on_thread(_texts_of, messages)
        size += sum(map(len, texts.values()))
        if size > MAX_READ:
            raise TooCostly(f"text in double quotes is searched in at most {MAX_READ:,} characters: search one session")
        found += await run_on_thread(_quoted_in, texts, query.phrases)
    return frozenset(found)


async def _meeting(
    backend: Backend, filter_: MessageFilter, sessions: Sequence[SessionDocument]
) -> Collection[str] | None:
    """Return the messages that meet the conditions on metadata and entities; None without such conditions."""
    if not filter_.metadata and filter_.entity is None:
        return None
    session_ids = filter_.session_ids
    visible = [Visible.of(session) for session in sessions if session_ids is None or session["_id"] in session_ids]
    return await messages_meeting(backend.database, visible, filter_)


def _texts_of(messages: Sequence[MessageDocument]) -> dict[str, str]:
    return {message["_id"]: searched_text(message["content"], message.get("parts", ())) for message in messages}


def _quoted_in(texts: Mapping[str, str], phrases: Sequence[str]) -> list[str]:
    from graph.recall.query import has_phrases  # noqa: PLC0415 - a web process without a search does not load it

    return [uuid for uuid, text in texts.items() if has_phrases(text, phrases)]


def _read_query(text: str, columns: Columns) -> Query:
    from graph.recall.query import read_query  # noqa: PLC0415 - as above

    return read_query(text, columns.speakers, columns.languages, now())


def _allowed(columns: Columns, filter_: MessageFilter, parts: Sequence[Collection[str]]) -> Rows | None:
    """Return for each message of the scope whether it may be found; None if all may.

    Args:
        columns: the messages of the scope.
        filter_: the filter; `_meeting` reads its conditions on metadata and entities.
        parts: sets of messages; a message that may be found is in each of them.
    """
    if filter_ == ANY_MESSAGE and not parts:
        return None
    from graph.recall.filtering import allowed_rows  # noqa: PLC0415 - as above

    return allowed_rows(
        columns,
        roles=filter_.roles,
        session_ids=filter_.session_ids,
        since=filter_.since,
        until=filter_.until,
        parts=parts,
    )


def _rank(
    columns: Columns,
    query: Query,
    vector: Floats | None,
    mode: SearchMode,
    allowed: Rows | None,
    *,
    by_session: bool,
    every: bool = False,
) -> Results:
    from graph.recall.ranking import rank  # noqa: PLC0415 - as above

    ranking = rank(columns, query, vector, mode=mode, allowed=allowed, by_session=by_session, every=every)
    return Results(query.words, ranking)


async def diversified(
    results: Results, candidates: Sequence[ScoredMessage], relevance: float, limit: int
) -> list[ScoredMessage]:
    """Return some of the candidates, chosen one by one for their score and their difference from those before.

    Args:
        results: the results of a search.
        candidates: the results to choose from, best first.
        relevance: weight of the score, from 0 to 1; the rest is the weight of the difference.
        limit: maximum number of messages.
    """
    return await run_on_thread(_diversified, results, candidates, relevance, limit)


def _diversified(
    results: Results, candidates: Sequence[ScoredMessage], relevance: float, limit: int
) -> list[ScoredMessage]:
    if results.ranking is None:
        return []
    from graph.recall.diversity import diversify  # noqa: PLC0415 - as above

    rows, scores = [one.row for one in candidates], [float(one.millionths) for one in candidates]
    return [candidates[place] for place in diversify(results.ranking.columns, rows, scores, relevance, limit)]


async def score_parts(results: Results, shown: Sequence[ScoredMessage]) -> list[dict[str, float]]:
    """Return the parts of the score of each message, by the names of `graph.recall.scoring.Signals.weighted`."""
    if results.ranking is None:
        return []
    return await run_on_thread(results.ranking.score_parts, [one.row for one in shown])


async def matches_in(contents: Sequence[str], results: Results) -> list[list[MatchDocument]]:
    """Return the places of the query's words in each content."""
    return await run_on_thread(_matches_in, contents, results)


def _matches_in(contents: Sequence[str], results: Results) -> list[list[MatchDocument]]:
    from graph.recall.matches import find_matches  # noqa: PLC0415 - as above

    return [_as_matches(content, find_matches(content, results.words)) for content in contents]


def _as_matches(content: str, places: Sequence[tuple[int, int]]) -> list[MatchDocument]:
    wide = wide_before(content, [start for start, _ in places])
    return [
        {"start": start, "end": end, "text": content[start:end], "wide": before}
        for (start, end), before in zip(places, wide, strict=True)
    ]
