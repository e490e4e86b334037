"""Searching the messages of a user or a session."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from graph.enrichment.models import use_one_thread
from graph.errors import BadUserInput, TooCostly
from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.beside import beside
from graph.store.documents import MessageDocument, now
from graph.store.recall import messages_of, searched_sessions
from graph.store.scope import Scope
from graph.store.visible import Visible

if TYPE_CHECKING:
    from graph.recall.entries import Entry

MAX_QUERY_BYTES = 8_192
MAX_RESULTS = 100
DEFAULT_RESULTS = 20
MAX_SEARCHED = 10_000
"""Messages of the scope of one search: their words are read for each search."""
MAX_SEARCHED_BYTES = 33_554_432
MAX_FILTER_ITEMS = 100


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages a search may find.

    Attributes:
        roles: only those of one of these roles.
        session_ids: only those of one of these sessions.
        since: only those that were created then or later.
        until: only those that were created before then.
    """

    roles: Collection[str] | None = None
    session_ids: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def check(self) -> None:
        """Refuse lists that are too long.

        Raises:
            BadUserInput: one is.
        """
        for name, items in (("roles", self.roles), ("sessionIds", self.session_ids)):
            if items is not None and len(items) > MAX_FILTER_ITEMS:
                raise BadUserInput(f"filter.{name} has {len(items)} items, and at most {MAX_FILTER_ITEMS} are accepted")

    def accepts(self, message: MessageDocument) -> bool:
        """Whether a message may be found."""
        at = message["createdAt"]
        return (
            (self.roles is None or message["role"] in self.roles)
            and (self.session_ids is None or message["sessionId"] in self.session_ids)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found.

    Attributes:
        message_id: the message.
        millionths: its score, from 0 to 1,000,000, as a whole number.
    """

    message_id: str
    millionths: int


@dataclass(frozen=True, slots=True)
class Results:
    """What a query finds.

    Attributes:
        words: of the query, each with the hashes that stand for it.
        found: the messages, the best first, those of equal score by their id.
    """

    words: Sequence[frozenset[int]] = ()
    found: Sequence[Found] = ()


@dataclass(slots=True)
class _Read:
    """What has been read of the searched messages."""

    entries: list[Entry] = field(default_factory=list)
    allowed: set[str] = field(default_factory=set)
    size: int = 0


async def search(
    backend: Backend,
    scope: Scope,
    text: str,
    *,
    user_id: str | None = None,
    session_id: str | None = None,
    filter_: MessageFilter | None = None,
) -> Results:
    """The messages that a query finds, the best first.

    The words of all messages of the scope are compared. A message that is found may have been deleted since it was
    read here: what is returned of it has to be read again.

    Args:
        backend: the open parts of this process.
        scope: what the caller may see.
        text: the query; parts in double quotes must occur as they stand.
        user_id: only messages of this user's sessions.
        session_id: only messages of this session.
        filter_: only messages that it accepts.

    Raises:
        BadUserInput: an argument is not accepted.
        TooCostly: the scope has more messages than a search reads.
    """
    validation.check_text(text, "query", most_bytes=MAX_QUERY_BYTES, nul=True)
    filter_ = filter_ or MessageFilter()
    filter_.check()
    if scope.user_id is None and user_id is None and session_id is None:
        raise BadUserInput("search needs userId or sessionId: this key sees the sessions of all users")
    if not all(validation.is_id(name) for name in (user_id, session_id) if name is not None):
        return Results()
    sessions = await searched_sessions(
        backend.database, scope, user_id=user_id, session_id=session_id, limit=MAX_SEARCHED + 1
    )
    if len(sessions) > MAX_SEARCHED or sum(session["messageCount"] for session in sessions) > MAX_SEARCHED:
        raise _too_many(f"{MAX_SEARCHED:,} messages")
    read = _Read()
    async for messages in messages_of(backend.database, list(map(Visible.of, sessions))):
        read.size += sum(len(message["content"]) for message in messages)
        if read.size > MAX_SEARCHED_BYTES:
            raise _too_many(f"{MAX_SEARCHED_BYTES:,} characters")
        await beside(_take, read, messages, filter_, text)
    return await beside(_rank, read, text)


def _too_many(bound: str) -> TooCostly:
    return TooCostly(f"the search would read more than {bound}, the maximum: search one session with sessionId")


def _take(read: _Read, messages: Sequence[MessageDocument], filter_: MessageFilter, text: str) -> None:
    """Take in messages. On a thread, where the libraries of the search are loaded with the first one."""
    use_one_thread()
    from graph.recall.entries import entry_of  # noqa: PLC0415 - a web process without a search does not load it
    from graph.recall.query import has_phrases, phrases_of  # noqa: PLC0415 - as above

    phrases = phrases_of(text)
    for message in messages:
        read.entries.append(
            entry_of(
                message["_id"],
                message["sessionId"],
                message["seq"],
                speaker=message["role"],
                content=message["content"],
                at=message["createdAt"],
                labels=[entity["label"] for entity in message["entities"]],
            )
        )
        if filter_.accepts(message) and has_phrases(message["content"], phrases):
            read.allowed.add(message["_id"])


def _rank(read: _Read, text: str) -> Results:
    use_one_thread()
    from graph.recall.ranking import rank  # noqa: PLC0415 - as above

    ranking = rank(read.entries, text, now(), read.allowed)
    return Results(ranking.query.words, list(map(Found, ranking.message_ids, ranking.millionths)))


async def matches_in(contents: Sequence[str], results: Results) -> list[list[tuple[int, int]]]:
    """Where the words of the query stand in each content."""
    return await beside(_matches_in, contents, results)


def _matches_in(contents: Sequence[str], results: Results) -> list[list[tuple[int, int]]]:
    from graph.recall.matches import find_matches  # noqa: PLC0415 - as above

    return [find_matches(content, results.words) for content in contents]
