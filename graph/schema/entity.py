"""Entities: names in the text, with where they stand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graph.execution.fields import computed, resolved, stored
from graph.execution.selection import Selection
from graph.operations.validation import check_last
from graph.schema.context import Info
from graph.schema.node import DocumentType, Node, entity_id
from graph.store.documents import Document

if TYPE_CHECKING:
    from graph.schema.message import Message


@strawberry.type(description="One mention of an entity in a message's content.")
class Match(DocumentType):
    """A mention: the source is a match with `messageId`."""

    start: int = stored("start", description="Offset of the first character, in Unicode code points from 0.")
    end: int = stored("end", description="Offset after the last character.")
    text: str = stored("text", description="The characters from start to end.")

    @resolved("messageId", description="The message that holds it.")
    async def message(
        root: strawberry.Parent[Any], info: Info
    ) -> Annotated[Message, strawberry.lazy("graph.schema.message")]:
        found = await info.context.message(root["messageId"], {"_id", *Selection.of(info).reads()})
        return found  # type: ignore[return-value]


def _matches(entity: Document, first: int | None = None) -> list[Match]:
    """Those that the source holds itself."""
    check_last(first, "first")
    found: list[Match] = entity["matches"][:first]
    return found


@strawberry.type(
    description="A person, place, organisation or the like that a text mentions. It lives in a scope, a message, a"
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
    name: str = stored("name", description="As it is written where it first appears in the scope.")
    label: str = stored("label", description="spaCy's label: PERSON, ORG, GPE, DATE, WORK_OF_ART, …")
    mention_count: int = stored("mentionCount", description="How often the scope mentions it.")
    first_seen_at: datetime = stored("firstSeenAt", description="When the first message that mentions it was added.")
    last_seen_at: datetime = stored("lastSeenAt", description="When the last message that mentions it was added.")

    @resolved("matches", description="Where it stands, in order of appearance within the scope.", read=_matches)
    async def matches(
        root: strawberry.Parent[Any],
        first: Annotated[int | None, strawberry.argument(description="Only so many, at most 1,000.")] = None,
    ) -> list[Match]:
        return _matches(root, first)


def message_entities(message: Document) -> list[Document]:
    """The entities of a message read with `_id`, `createdAt` and `entities`, as sources of `Entity`."""
    return _entities_of(message, f"m:{message['_id']}")


def summary_entities(summary: Document) -> list[Document]:
    """The entities of a summary, likewise. Their matches lie in the summary's content, so they have no message."""
    return _entities_of(summary, f"y:{summary['_id']}")


def _entities_of(document: Document, scope: str) -> list[Document]:
    at = document["createdAt"]
    return [
        {
            "scope": scope,
            "key": entity["key"],
            "name": entity["name"],
            "label": entity["label"],
            "mentionCount": len(entity["matches"]),
            "firstSeenAt": at,
            "lastSeenAt": at,
            "matches": [{**match, "messageId": document["_id"]} for match in entity["matches"]],
        }
        for entity in document["entities"]
    ]
