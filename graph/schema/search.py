"""Searching messages."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any

import strawberry

from graph.errors import BadUserInput
from graph.execution.fields import as_source, resolved, stored
from graph.execution.selection import Selection
from graph.execution.size import PAGE, Size
from graph.operations import recall
from graph.operations.filters import FilterBounds
from graph.operations.messages import find_messages
from graph.operations.recall import Place, Results, ScoredMessage, SearchMode
from graph.operations.times import cut, rounded_up
from graph.schema.context import Info
from graph.schema.enums import described_enum
from graph.schema.messages.types import Message
from graph.schema.metadata_filter import MetadataFilter, checked_conditions
from graph.schema.node import DocumentType
from graph.schema.offsets import end_field, start_field
from graph.schema.relay import After, Before, Cursors, PageInfo, Paging, cut_range, page_info_of, window_of
from graph.store.documents import Document
from graph.store.messages import ANY_MESSAGE
from graph.store.messages import MessageFilter as StoredFilter
from graph.store.reading.keyset import Key, Window

RESULTS = Size(recall.MAX_RESULTS, recall.DEFAULT_RESULTS, ("first", "last"))
_MATCHES = Size(20, 20)


described_enum(
    SearchMode,
    description="The signals that a search compares.",
    values={
        "HYBRID": "Words and embeddings in one score; words alone without an embedding model, or while it is"
        " unavailable.",
        "LEXICAL": "Words, speakers and dates.",
        "VECTOR": "Embeddings alone. UNAVAILABLE without an embedding model.",
    },
)
Mode = Annotated[SearchMode, strawberry.argument(description="The signals to compare.")]


@strawberry.input(description="The messages to find or list: each meets all given conditions.")
class MessageFilter:
    """The argument `filter`."""

    roles: list[str] | None = strawberry.field(default=None, description="Only messages of one of these roles.")
    session_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Only messages of one of these sessions; for searches alone."
    )
    since: datetime | None = strawberry.field(
        default=None, description="Only messages that were created at this time or later."
    )
    until: datetime | None = strawberry.field(
        default=None, description="Only messages that were created before this time."
    )

    metadata: list[MetadataFilter] | None = strawberry.field(
        default=None,
        description="Only messages whose metadata meets all these conditions, with the bounds of `SessionFilter`.",
    )
    has_entity: str | None = strawberry.field(
        default=None,
        description="Only messages with an entity of this name, in upper or lower case, once their entities are there."
        " In a session where a short name stands for a full one, each finds the messages with either, as in"
        " `Session.entities`.",
    )
    names: list[str] | None = strawberry.field(
        default=None, description="Only messages of one of these speakers; for `Session.messages` alone."
    )

    def for_search(self, bounds: FilterBounds) -> StoredFilter:
        """Return the filter for a search.

        Args:
            bounds: the counts of all filters of the operation.

        Raises:
            BadUserInput: a condition on metadata is refused, or a condition is for lists alone.
        """
        if self.names is not None:
            raise BadUserInput("filter.names is for Session.messages: leave it out of a search")
        return self._stored(bounds)

    def for_list(self, bounds: FilterBounds) -> StoredFilter:
        """Return the filter for the list of a session's messages.

        Args:
            bounds: the counts of all filters of the operation.

        Raises:
            BadUserInput: a condition on metadata is refused, or a condition is for searches alone.
        """
        if self.session_ids is not None:
            raise BadUserInput("filter.sessionIds is for searches: leave it out of the messages of one session")
        return self._stored(bounds)

    def _stored(self, bounds: FilterBounds) -> StoredFilter:
        return StoredFilter(
            roles=self.roles,
            names=self.names,
            since=None if self.since is None else cut(self.since),
            until=None if self.until is None else rounded_up(self.until),
            entity=self.has_entity,
            metadata=checked_conditions(self.metadata, bounds),
            session_ids=self.session_ids,
        )


@strawberry.type(description="A place of a word of the query in the content of a message.")
class SearchMatch(DocumentType):
    """Built by `_edges`."""

    start = start_field("Offset of its first character, from 0.")
    end = end_field("Offset after its last character.")


@strawberry.type(
    description="The parts of a score. The score is their sum, cut to 0 to 1; a part that the search does not compare"
    " is 0."
)
class ScoreParts(DocumentType):
    """Built by `_edges`."""

    words: float = stored("words", description="For words of the query in the message.")
    session: float = stored("session", description="For words of the query in the session of the message.")
    meaning: float = stored("meaning", description="For a meaning like the query's.")
    neighbors: float = stored("neighbors", description="For the meaning of the messages before and after it.")
    speaker: float = stored("speaker", description="For its speaker, if the query names the speaker.")
    date: float = stored("date", description="For its date, if the query names a date.")
    answer: float = stored(
        "answer", description="For an entity of the class that the query asks for, such as a person."
    )
    length: float = stored("length", description="For the number of its words: a longer message says more.")
    question: float = stored("question", description="Below 0 for a question, since a question seldom has the answer.")


@strawberry.type(description="A message that was found.")
class MessageSearchEdge(DocumentType):
    """Built by `_edges`."""

    cursor: str = stored("cursor", description="An opaque cursor of the message among the results, for `after`.")
    score: float = stored("score", description="The relevance to the query, from 0 to 1; comparable within one answer.")
    score_parts: ScoreParts = stored("scoreParts", description="Why the message was found: the parts of its score.")
    matches: list[SearchMatch] = stored(
        "matches", size=_MATCHES, description="Places of the words of the query in the content: the first 20."
    )
    node: Message = stored("node", description="The message.")


@strawberry.type(description="A page of the found messages, best first.")
class MessageSearchConnection(DocumentType):
    """Built by `found_page`."""

    edges: list[MessageSearchEdge] = stored("edges", size=PAGE, description="The messages of the page.")
    page_info: PageInfo = stored(
        "pageInfo", description="Whether more messages follow, and the cursors for further pages."
    )
    total_count: int | None = stored(
        "totalCount",
        description="How many messages are found in all, where the number is exact; null where not every message of"
        " the scope was compared.",
    )


Query = Annotated[
    str,
    strawberry.argument(description="The words to look for, up to 8 KiB. Text in double quotes must occur verbatim."),
]
First = Annotated[int | None, strawberry.argument(description="Return the first N messages, 0 to 100; 20 by default.")]
Last = Annotated[
    int | None,
    strawberry.argument(description="Return the last N messages, 0 to 100. Not together with first."),
]
Filter = Annotated[MessageFilter | None, strawberry.argument(description="Only messages that meet all its conditions.")]


@dataclass(frozen=True, slots=True)
class SearchArguments:
    """The arguments of a search, of any field.

    Attributes:
        query: the text.
        user_id: only messages of this user's sessions.
        session_id: only messages of this session.
        filter_: only messages that meet its conditions.
        mode: the signals to compare.
    """

    query: str
    user_id: str | None = None
    session_id: str | None = None
    filter_: MessageFilter | None = None
    mode: SearchMode = SearchMode.HYBRID


async def found_page(info: Info, arguments: SearchArguments, window_by: Paging) -> Document:
    """Return a page of the found messages, as the source of a connection."""
    cursors = _cursors_of(arguments.query, arguments.user_id, arguments.session_id, arguments.mode.value)
    window = window_of(cursors, *window_by, most=recall.MAX_RESULTS)
    results = await recall.search(
        info.context.backend,
        info.context.scope,
        arguments.query,
        user_id=arguments.user_id,
        session_id=arguments.session_id,
        filter_=arguments.filter_.for_search(info.context.filter_bounds) if arguments.filter_ else ANY_MESSAGE,
        mode=arguments.mode,
    )
    return await _page(info, cursors, results, window)


@strawberry.type
class SearchQueries:
    """Queries that search."""

    @resolved(
        size=RESULTS,
        description="Messages similar to a query in words (in any inflection), meaning, and the speakers and dates"
        " that the query names; the session of a message counts, too. Without userId and sessionId, all sessions that"
        " the caller may see are searched. Empty for a query of function words alone. At most 200,000 messages are"
        " searched; a new message is found by words at once, and by meaning soon after its entities.",
    )
    async def search(
        self,
        info: Info,
        *,
        query: Query,
        user_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only messages of this user's sessions.")
        ] = None,
        session_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only messages of this session.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Filter = None,  # noqa: A002
        mode: Mode = SearchMode.HYBRID,
    ) -> MessageSearchConnection:
        arguments = SearchArguments(query, user_id, session_id, filter, mode)
        return as_source(await found_page(info, arguments, (first, after, last, before)))


def _cursors_of(*named_by: str | None) -> Cursors:
    """Return the encoding of one query's cursors, which are refused with another query."""
    named = repr(named_by).encode("utf-8", "surrogatepass")
    return Cursors(f"search {zlib.crc32(named)}", (int, str))


async def _page(info: Info, cursors: Cursors, results: Results, window: Window) -> Document:
    """Return a page of the results, without messages that were deleted meanwhile."""
    start, stop = results.between(_place(window.after), _place(window.before))
    start, stop, is_cut = cut_range(window, start, stop)
    shown = list(results.part(start, stop))
    ends = shown[:1] + shown[-1:]
    selected = Selection.of(info).below("edges")
    return {
        "edges": [] if selected is None else await _edges(info, cursors, results, shown, selected),
        "pageInfo": page_info_of(window, [_cursor(cursors, one) for one in ends], more=is_cut),
        "totalCount": len(results),
    }


def _cursor(cursors: Cursors, found: ScoredMessage) -> str:
    return cursors.write((recall.MOST_MILLIONTHS - found.millionths, found.message_id))


def _place(key: Key | None) -> Place | None:
    """Return the place of a result among the results, from its cursor."""
    return None if key is None else (recall.MOST_MILLIONTHS - key[0], key[1])


_NO_PARTS = {field.name: 0.0 for field in fields(ScoreParts)}


async def _edges(
    info: Info, cursors: Cursors, results: Results, shown: Sequence[ScoredMessage], selected: Selection
) -> list[Document]:
    node = selected.below("node")
    wants_matches = selected.selects("matches")
    fields = {*(node.reads() if node else ()), *(("content",) if wants_matches else ())}
    context = info.context
    uuids = [one.message_id for one in shown]
    documents: dict[str, Any] = {
        document["_id"]: document for document in await find_messages(context.backend, context.scope, uuids, fields)
    }
    left = [one for one in shown if one.message_id in documents]
    edges: list[Document] = [
        {
            "cursor": _cursor(cursors, one),
            "score": one.millionths / 1_000_000,
            "node": documents[one.message_id],
        }
        for one in left
    ]
    if selected.selects("scoreParts"):
        for edge, parts in zip(edges, await recall.score_parts(results, left), strict=True):
            edge["scoreParts"] = {**_NO_PARTS, **parts}
    if wants_matches:
        contents = [documents[one.message_id]["content"] for one in left]
        for edge, places in zip(edges, await recall.matches_in(contents, results), strict=True):
            edge["matches"] = places
    return edges
