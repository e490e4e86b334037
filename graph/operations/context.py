"""The context for a prompt: the newest summary, the latest messages, and recalled messages, within a budget."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.errors import BadUserInput
from graph.operations.backend import Backend
from graph.operations.concurrency import run_on_thread
from graph.operations.overviews import USERS
from graph.operations.packing import Packed, Packing, Recalled
from graph.operations.recall import Results, ScoredMessage, check_query, plain_query, search
from graph.operations.sessions import find_session
from graph.store.documents import Document, MessageDocument, SessionDocument, SummaryDocument
from graph.store.messages import count_between, find_messages, messages_in_range
from graph.store.scope import Scope
from graph.store.summaries import newest_summary
from graph.store.visible import Visible

if TYPE_CHECKING:
    from graph.recall.columns import Columns

MAX_TOKENS = 1_000_000
MAX_RECENT = 100
MAX_RECALLED = 100
_CANDIDATES = 50
"""Maximum found messages that are tried."""
_LOOKED_AT = 20
"""Number of latest messages in which the last one of the user role is searched."""
_READS = frozenset({"_id", "sessionId", "seq", "role", "name", "content", "createdAt"})


@dataclass(frozen=True, slots=True)
class ContextArguments:
    """The arguments of a context.

    Attributes:
        max_tokens: maximum tokens of the text.
        query: the text to search for; None for the last message of the user role.
        session_id: the session of the summary and the latest messages.
        user_id: the user whose sessions are searched.
        recent: the number of latest messages; None for the message window.
        summary_fields: the paths to read of the summary.
        message_fields: the paths to read of each message.
    """

    max_tokens: int
    query: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    recent: int | None = None
    summary_fields: Collection[str] = ()
    message_fields: Collection[str] = ()

    def check(self) -> None:
        """Refuse arguments that are out of range.

        Raises:
            BadUserInput: an argument is out of range, or both `query` and `session_id` are missing.
        """
        if not 1 <= self.max_tokens <= MAX_TOKENS:
            raise BadUserInput(f"maxTokens must be from 1 to {MAX_TOKENS:,}, not {self.max_tokens:,}")
        if self.recent is not None and not 0 <= self.recent <= MAX_RECENT:
            raise BadUserInput(f"recent must be from 0 to {MAX_RECENT}, not {self.recent:,}")
        if self.session_id is None and self.query is None:
            raise BadUserInput("query and sessionId are both missing: give one of them, or both")
        if self.query is not None:  # before any look for the session, of which the error must say nothing
            check_query(self.query)


async def context(backend: Backend, scope: Scope, arguments: ContextArguments) -> Document:
    """Build the context for a prompt.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        arguments: the arguments.

    Returns:
        `text`, `tokenCount`, `summary`, `messages`, `recalled` with `message` and `score`, `omittedMessages`. All are
        empty if the session is not in the caller's scope.

    Raises:
        BadUserInput: an argument is not accepted.
        TooCostly: the scope has more messages than a search reads.
    """
    arguments.check()
    packing = Packing(backend.tokens.count, arguments.max_tokens)
    session = None
    if arguments.session_id is not None:
        session = await find_session(backend, scope, arguments.session_id, {"_id", "userId", *Visible.HEAD_FIELDS})
        if session is None or arguments.user_id not in (None, session.get("userId")):
            return await _described(backend, packing, None)
        await _take_session(backend, packing, Visible.of_head(session), arguments)
    query = arguments.query
    if query is None and session is not None:
        query = await _last_said(backend, Visible.of_head(session))
    if query is not None:
        user_id = arguments.user_id if session is None else session.get("userId")
        alone = session["_id"] if session is not None and user_id is None else None
        results = await search(backend, scope, query, user_id=user_id, session_id=alone)
        await _take_recalled(backend, scope, packing, results, arguments)
    return await _described(backend, packing, session)


async def _take_session(backend: Backend, packing: Packing, visible: Visible, arguments: ContextArguments) -> None:
    """Take the newest summary and the latest messages of a session."""
    fields = {"content", "lastSeq", *arguments.summary_fields}
    await run_on_thread(packing.take_summary, await newest_summary(backend.database, visible, fields))
    recent = min(backend.settings.message_window, MAX_RECENT) if arguments.recent is None else arguments.recent
    sizes = await messages_in_range(backend.database, visible, {"_id", "seq", "tokenCount"}, last=recent)
    first = _first_that_may_fit(sizes, arguments.max_tokens)
    if first is None:
        return
    fields = {*_READS, *arguments.message_fields}
    latest = await messages_in_range(backend.database, visible.beyond(first - 1), fields, last=recent)
    await run_on_thread(packing.take_latest, latest[::-1])


def _first_that_may_fit(sizes: Sequence[MessageDocument], max_tokens: int) -> int | None:
    """Return the seq of the first latest message that may fit, so that the contents of earlier ones are not read."""
    first, tokens = None, 0
    for message in reversed(sizes):
        first = message["seq"]
        tokens += message["tokenCount"]
        if tokens > 2 * max_tokens:  # the stored count may be of another encoding
            break
    return first


async def _last_said(backend: Backend, visible: Visible) -> str | None:
    """Return the last message of the user role, or else the last one, as a query."""
    latest = await messages_in_range(backend.database, visible, {"_id", "seq", "role"}, last=_LOOKED_AT)
    last = next((message for message in reversed(latest) if message["role"] in USERS), latest[-1] if latest else None)
    if last is None:
        return None
    of_it = await messages_in_range(backend.database, visible.beyond(last["seq"] - 1), {"seq", "content"}, limit=1)
    return plain_query(of_it[0]["content"]) if of_it else None


async def _take_recalled(
    backend: Backend, scope: Scope, packing: Packing, results: Results, arguments: ContextArguments
) -> None:
    """Take the messages that a search finds in the user's sessions, or in this session if it belongs to no user."""
    if results.ranking is None:
        return
    taken = packing.packed.ids
    found, questions = await run_on_thread(_candidates, results, results.ranking.columns, taken, arguments.max_tokens)
    uuids = {*(one.message_id for one in found), *questions.values()}
    fields = {*_READS, *arguments.message_fields}
    messages = {one["_id"]: one for one in await find_messages(backend.database, scope, uuids, fields)}
    recalled = [
        Recalled(messages[one.message_id], one.millionths / 1_000_000, messages.get(questions.get(one.message_id, "")))
        for one in found
        if one.message_id in messages
    ]
    await run_on_thread(packing.take_recalled, recalled)


def _candidates(
    results: Results, columns: Columns, taken: set[str], max_tokens: int
) -> tuple[list[ScoredMessage], dict[str, str]]:
    """Return the best found messages that may fit, and the ids of the questions before answers.

    The best message is always included, since it may be cut.
    """
    found: list[ScoredMessage] = []
    questions: dict[str, str] = {}
    for one in results.part(0, len(results)):
        if one.message_id in taken or (found and columns.lengths[one.row] > max_tokens):
            continue
        found.append(one)
        if one.row and _asks(columns, one.row - 1, one.row, max_tokens):
            questions[one.message_id] = columns.message_ids[one.row - 1]
        if len(found) == _CANDIDATES:
            break
    return found, {answer: question for answer, question in questions.items() if question not in taken}


def _asks(columns: Columns, row: int, next_row: int, max_tokens: int) -> bool:
    """Return whether a message is a question in the session of the next one, and may fit."""
    from graph.recall.questions import Flag  # noqa: PLC0415 - a web process without a search does not load it

    is_question = bool(columns.flags[row] & Flag.QUESTION)
    return is_question and columns.session[row] == columns.session[next_row] and columns.lengths[row] <= max_tokens


async def _described(backend: Backend, packing: Packing, session: SessionDocument | None) -> Document:
    text, tokens = await run_on_thread(packing.finish)
    packed = packing.packed
    return {
        "text": text,
        "tokenCount": tokens,
        "summary": packed.summary,
        "messages": packed.messages,
        "recalled": [{"message": message, "score": score} for message, score in packed.recalled],
        "omittedMessages": 0 if session is None else await _omitted(backend, packed, Visible.of_head(session)),
    }


async def _omitted(backend: Backend, packed: Packed, visible: Visible) -> int:
    """Return the number of messages of the session that neither the summary nor the latest messages cover."""
    summary: SummaryDocument | None = packed.summary
    after = visible if summary is None else visible.beyond(summary["lastSeq"])
    until = packed.messages[0]["seq"] - 1 if packed.messages else None
    return await count_between(backend.database, after, until)
