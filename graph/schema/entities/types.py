"""Entities: names in texts, with their places."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graph.execution.fields import as_source, computed, resolved, stored
from graph.execution.selection import Selection
from graph.operations.entities import count_mentions, list_messages_that_mention, list_sessions_that_mention
from graph.operations.messages import list_messages_with
from graph.operations.sessions import one_session
from graph.operations.validation import DEFAULT_MATCHES, check_first
from graph.schema.context import Info
from graph.schema.node import DocumentType, Node, entity_id
from graph.schema.offsets import end_field, start_field
from graph.schema.relay import (
    CONNECTION,
    MATCHES,
    After,
    Before,
    Connection,
    Cursors,
    First,
    FirstOfMatches,
    Last,
    connect,
    window_of,
)
from graph.store.documents import Document, MessageDocument, SummaryDocument

if TYPE_CHECKING:
    from graph.schema.messages.types import Message
    from graph.schema.sessions.types import Session


@strawberry.type(description="One mention of an entity in a message's content.")
class Match(DocumentType):
    """A mention: the source is a match with `messageId`."""

    start = start_field("Offset of the first character, from 0.")
    end = end_field("Offset after the last character.")
    text: str = stored("text", description="The characters from start to end.")

    @resolved("messageId", description="The message that contains the match.")
    async def message(
        root: strawberry.Parent[Any], info: Info
    ) -> Annotated[Message, strawberry.lazy("graph.schema.messages.types")]:
        found = await info.context.message(root["messageId"], {"_id", *Selection.of(info).reads()})
        return as_source(found)


def _matches(entity: Document, first: int | None = None) -> list[Match]:
    """Return the matches in the source; the source of a session's, a user's or a summary's entity has no matches.

    The matches of a message's entity lack the message, see `_with_message`.
    """
    found: list[Match] = entity["matches"]
    return found[: check_first(first, DEFAULT_MATCHES)]


def _with_message(entity: Document, matches: list[Any]) -> list[Any]:
    """Return the matches with their message, which a message's entity has once for all matches."""
    if "messageId" not in entity:
        return matches
    uuid = entity["messageId"]
    return [{**match, "messageId": uuid} for match in matches]


def _message_ids(entity: Document) -> list[str]:
    """Return the ids of the messages that mention an entity of a message or a memory, in ascending order."""
    return [entity["messageId"]] if "messageId" in entity else sorted(entity["messageIds"])


_WITHIN = (
    "scope",
    "key",
    "keys",
    "sessionId",
    "firstSeq",
    "lastSeq",
    "matches",
)  # the fields that identify the scope of its mentions
_IN_A_SESSION = Cursors("message that mentions", (int,))
_OF_A_USER = Cursors("message of a user that mentions", (datetime, str))
_SESSIONS = Cursors("session that mentions", (datetime, str))
_ONE_SESSION = Cursors("the session that mentions", (str,))


@strawberry.type(
    description="A person, place, organisation or the like that a text mentions. It belongs to a scope, a message, a"
    " session or a user, which is part of its id."
)
class Entity(Node, DocumentType):
    """The source is an entity view: see `message_entities`."""

    id: strawberry.ID = computed(
        lambda entity: entity_id(entity["scope"], entity["key"]),
        "scope",
        "key",
        description="Opaque global id, unique to the entity within its scope.",
    )
    name: str = stored("name", description="The name, spelled as at its first mention in the scope.")
    label: str = stored("label", description="spaCy's label: PERSON, ORG, GPE, DATE, WORK_OF_ART, …")
    mention_count: int = stored(
        "mentionCount",
        description="Number of mentions in the scope. A mention in the arguments or results of a tool, which"
        " `RECALLQL_ENTITY_TOOLS` adds, has no match.",
    )
    first_seen_at: datetime = stored(
        "firstSeenAt", description="`createdAt` of the first message that mentions the entity."
    )
    last_seen_at: datetime = stored(
        "lastSeenAt", description="`createdAt` of the last message that mentions the entity."
    )

    @resolved(
        *_WITHIN,
        description="The mentions in the contents of messages of the scope, in order of appearance; for a summary's"
        " entity, of the messages that the summary covers.",
        read=_matches,
        path="matches",
        size=MATCHES,
    )
    async def matches(root: strawberry.Parent[Any], info: Info, first: FirstOfMatches = None) -> list[Match]:
        if "matches" in root:
            return _with_message(root, _matches(root, first))
        return as_source(await info.context.mentions(root, check_first(first, DEFAULT_MATCHES)))

    @resolved(*_WITHIN, size=CONNECTION, description="The messages of the scope that mention the entity, oldest first.")
    async def messages(
        root: strawberry.Parent[Any],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Annotated[Message, strawberry.lazy("graph.schema.messages.types")]]:
        cursors = _OF_A_USER if root["scope"].startswith("u:") else _IN_A_SESSION
        window = window_of(cursors, first, after, last, before)
        if "matches" in root:
            listing = list_messages_with(info.context.backend, _message_ids(root))
        else:
            listing = await list_messages_that_mention(info.context.backend, root)
        return as_source(await connect(info, listing, cursors, window))

    @resolved(
        *_WITHIN,
        size=CONNECTION,
        description="The sessions of the scope that mention the entity, in the order of the first mention.",
    )
    async def sessions(
        root: strawberry.Parent[Any],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Annotated[Session, strawberry.lazy("graph.schema.sessions.types")]]:
        backend = info.context.backend
        if root["scope"].startswith("u:"):
            window = window_of(_SESSIONS, first, after, last, before)
            listing = list_sessions_that_mention(backend, root)
            source = await connect(info, listing, _SESSIONS, window)
            edges = Selection.of(info).below("edges")
            node = edges.below("node") if edges else None
            if node is not None:
                reads = {"_id", *node.reads()}
                sessions = await asyncio.gather(
                    *(info.context.session(edge["node"]["sessionId"], reads) for edge in source["edges"])
                )
                # A message that was deleted meanwhile is left out.
                pairs = zip(source["edges"], sessions, strict=True)
                source["edges"] = [{**edge, "node": session} for edge, session in pairs if session is not None]
            return as_source(source)
        window = window_of(_ONE_SESSION, first, after, last, before)
        session_id = root.get("sessionId")
        if session_id is None:
            message = await info.context.message(_message_ids(root)[0], {"sessionId"})
            session_id = message["sessionId"] if message else ""
        return as_source(await connect(info, one_session(backend, session_id), _ONE_SESSION, window))


def message_entities(message: MessageDocument, first: int | None = None) -> list[Document]:
    """Return the entities of a message read with `_id`, `createdAt` and `entities`, as sources of `Entity`."""
    uuid, at, found = message["_id"], message["createdAt"], message["entities"][: check_first(first)]
    view = {"scope": f"m:{uuid}", "firstSeenAt": at, "lastSeenAt": at, "messageId": uuid}
    return [{**entity, **view, "mentionCount": count_mentions(entity)} for entity in found]


def summary_entities(summary: SummaryDocument, first: int | None = None) -> list[Document]:
    """Return the entities of a summary read with `SUMMARY_READS`.

    `mentionCount` counts the mentions in the summary's text. The matches are in the messages that the summary
    covers, since a summary is not a message.
    """
    at = summary["createdAt"]
    view: Document = {"scope": f"y:{summary['_id']}", "firstSeenAt": at, "lastSeenAt": at}
    view |= {"sessionId": summary["sessionId"], "firstSeq": summary["firstSeq"], "lastSeq": summary["lastSeq"]}
    return [
        {
            "key": entity["key"],
            "keys": [entity["key"]],
            "name": entity["name"],
            "label": entity["label"],
            "mentionCount": len(entity["matches"]),
            **view,
        }
        for entity in summary["entities"][: check_first(first)]
    ]


SUMMARY_READS = ("entities", "_id", "createdAt", "sessionId", "firstSeq", "lastSeq")
