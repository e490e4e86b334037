"""Look-ups by global id: one function for each type, from the key in the id to the source of the type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias

from graph.errors import BadUserInput
from graph.operations.entities import entities_of_memory, find_user_entity
from graph.operations.memory_window import find_session_memory
from graph.operations.validation import MAX_PAGE, check_uuid, is_id
from graph.schema.context import Context
from graph.schema.entities.types import SUMMARY_READS, message_entities, summary_entities
from graph.schema.node import parse_entity_key
from graph.store.documents import AnyDocument, Document, MessageDocument, SessionDocument, SummaryDocument, UserDocument
from graph.store.item_documents import ItemDocument
from graph.store.visible import Visible

Lookup: TypeAlias = Callable[[Context, str, Collection[str]], Awaitable[AnyDocument | None]]


def _is_uuid(key: str) -> bool:
    try:
        return check_uuid(key, "id") == key
    except BadUserInput:
        return False


async def _session(context: Context, key: str, fields: Collection[str]) -> SessionDocument | None:
    return await context.session(key, fields) if is_id(key) else None


async def _user(context: Context, key: str, fields: Collection[str]) -> UserDocument | None:
    return await context.user(key, fields) if is_id(key) else None


async def _item(context: Context, key: str, fields: Collection[str]) -> ItemDocument | None:
    return await context.item(key, fields) if _is_uuid(key) else None


async def _item_namespace(context: Context, key: str, fields: Collection[str]) -> Document | None:  # noqa: ARG001
    parsed = parse_entity_key(key)  # the path comes after the user, with the user's length before both
    return None if parsed is None else await context.item_namespace(parsed[1], parsed[0])


async def _message(context: Context, key: str, fields: Collection[str]) -> MessageDocument | None:
    return await context.message(key, fields) if _is_uuid(key) else None


async def _summary(context: Context, key: str, fields: Collection[str]) -> SummaryDocument | None:
    return await context.summary(key, fields) if _is_uuid(key) else None


async def _memory(context: Context, key: str, fields: Collection[str]) -> Document | None:
    kind, _, name = key.partition(":")
    if kind == "m" and _is_uuid(name):
        return await context.memory(name, fields)
    if kind == "s" and is_id(name):
        return await find_session_memory(context.backend, context.scope, name, fields)
    return None


async def _entity(context: Context, key: str, fields: Collection[str]) -> Document | None:  # noqa: ARG001
    parsed = parse_entity_key(key)
    if parsed is None:
        return None
    scope, entity_key = parsed
    kind, _, name = scope.partition(":")
    if kind == "s" and (session := await _session(context, name, Visible.HEAD_FIELDS)):
        return await context.session_entity(Visible.of_head(session), entity_key)
    if kind == "u" and await _user(context, name, {"_id"}):
        return await find_user_entity(context.backend, name, entity_key)
    for entity in await _entities_of(context, scope):
        if entity["key"] == entity_key:
            return entity
    return None


async def _entities_of(context: Context, scope: str) -> list[Document]:
    kind, _, name = scope.partition(":")
    of_text = set(SUMMARY_READS)
    if kind == "m" and (message := await _message(context, name, of_text)):
        return message_entities(message, MAX_PAGE)
    if kind == "y" and (summary := await _summary(context, name, of_text)):
        return summary_entities(summary, MAX_PAGE)
    if kind == "e" and (memory := await _memory(context, f"m:{name}", {"uuid", "sessionId", "firstSeq", "lastSeq"})):
        return await entities_of_memory(context.backend, memory)
    return []


LOOKUPS: dict[str, Lookup] = {
    "Session": _session,
    "Message": _message,
    "Memory": _memory,
    "Summary": _summary,
    "User": _user,
    "Item": _item,
    "ItemNamespace": _item_namespace,
    "Entity": _entity,
}
"""The look-ups by the name of the type."""
