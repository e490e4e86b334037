"""The value of `info.context` in resolvers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from graph.access.caller import ANYONE, Caller
from graph.operations import entities, items, memories, messages, relatives, sessions, summaries, users
from graph.operations.backend import Backend
from graph.operations.filters import FilterBounds
from graph.store.documents import (
    Document,
    MemoryDocument,
    MessageDocument,
    SessionDocument,
    SummaryDocument,
    UserDocument,
)
from graph.store.item_documents import ItemDocument
from graph.store.reading.keyset import Items, Listing
from graph.store.scope import Scope
from graph.store.visible import Visible

D = TypeVar("D", MemoryDocument, MessageDocument, SessionDocument, SummaryDocument, UserDocument, ItemDocument)
T = TypeVar("T")
_Find: TypeAlias = Callable[[Backend, Scope, Collection[str], Collection[str]], Awaitable[list[D]]]
_ReadOf: TypeAlias = Callable[[Backend, Sequence[SessionDocument], Collection[str]], Awaitable[dict[str, T]]]
_RelativesOf: TypeAlias = Callable[[Backend, Sequence[relatives.Asked]], Awaitable[dict[str, T]]]
_Key: TypeAlias = tuple[str, frozenset[str]]


async def charge_nothing(cost: int) -> None:
    """Take nothing: the caller has no budget."""
    del cost


@dataclass
class Context:
    """One request: the caller, and the loaders that combine the look-ups of one query into one read.

    A field that is cancelled, because another one failed, must not cancel a look-up that further fields wait for: the
    results of loaders are shielded.

    Attributes:
        backend: the open parts of the process.
        caller: the caller of the request.
        changes: whether the operation is a mutation.
        charge: takes a cost that is known only during the execution from the caller's budget.
        filter_bounds: counts the values of all filters of the operation.
    """

    backend: Backend
    caller: Caller = ANYONE
    changes: bool = False
    charge: Callable[[int], Awaitable[None]] = charge_nothing

    # Not arguments, so that `dataclasses.replace` makes a context with loaders of its own.
    filter_bounds: FilterBounds = field(init=False, default_factory=FilterBounds)
    _loaders: dict[object, DataLoader[Any, Any]] = field(init=False, default_factory=dict)
    _mentions: DataLoader[Any, list[Document]] | None = field(init=False, default=None)

    @property
    def scope(self) -> Scope:
        """The data that the caller may see."""
        return self.caller.scope

    async def session(self, session_id: str, fields: Collection[str]) -> SessionDocument | None:
        """A session within the scope."""
        return await self._find(sessions.find_sessions, session_id, fields)

    async def message(self, uuid: str, fields: Collection[str]) -> MessageDocument | None:
        """A message within the scope."""
        return await self._find(messages.find_messages, uuid, fields)

    async def message_meant(self, chosen: str, fields: Collection[str]) -> MessageDocument | None:
        """The message within the scope with a caller's uuid."""
        found = await asyncio.gather(*(self.message(uuid, fields) for uuid in self.scope.possible_uuids(chosen)))
        return next((message for message in found if message is not None), None)

    async def user(self, user_id: str, fields: Collection[str]) -> UserDocument | None:
        """A user within the scope."""
        return await self._find(users.find_users, user_id, fields)

    async def item(self, uuid: str, fields: Collection[str]) -> ItemDocument | None:
        """An item within the scope."""
        return await self._find(items.find_items, uuid, fields)

    async def item_namespace(self, user_id: str, path: str) -> Document | None:
        """A namespace of a user within the scope, or the beginning of some."""
        loader: DataLoader[Any, Document | None] | None = self._loaders.get(items.find_namespaces)
        if loader is None:
            loader = DataLoader(partial(self._load_namespaces), cache=not self.changes)
            self._loaders[items.find_namespaces] = loader
        return await asyncio.shield(loader.load((user_id, path)))

    async def _load_namespaces(self, keys: list[tuple[str, str]]) -> list[Document | None]:
        found = await items.find_namespaces(self.backend, self.scope, keys)
        return [found.get(key) for key in keys]

    async def summary(self, uuid: str, fields: Collection[str]) -> SummaryDocument | None:
        """A summary within the scope."""
        return await self._find(summaries.find_summaries, uuid, fields)

    async def memory(self, uuid: str, fields: Collection[str]) -> Document | None:
        """A persisted memory within the scope."""
        found = await self._find(memories.find_memories, uuid, fields)
        return None if found is None else memories.as_memory(found)

    async def session_entities(
        self, visible: Visible, *, labels: Collection[str] | None = None, search: str | None = None
    ) -> Listing | Items:
        """The entities of a session on its path, most mentioned first, see `entities.list_session_entities`."""
        if visible.path is None:
            return entities.list_session_entities(self.backend, visible, labels=labels, search=search)
        return entities.choose_entities(await self._on_path(visible), labels=labels, search=search)

    async def session_entity(self, visible: Visible, key: str) -> Document | None:
        """An entity of a session on its path, by its key or the key of a short name."""
        if visible.path is None:
            return await entities.find_session_entity(self.backend, visible, key)
        return next((entity for entity in await self._on_path(visible) if key in entity["keys"]), None)

    async def _on_path(self, visible: Visible) -> list[Document]:
        """The entities on a path, read once for all fields of a query."""
        loader: DataLoader[Any, list[Document]] | None = self._loaders.get(entities.entities_on_path)
        if loader is None:
            loader = DataLoader(partial(self._load_on_path), cache=not self.changes)
            self._loaders[entities.entities_on_path] = loader
        return await asyncio.shield(loader.load(visible))

    async def _load_on_path(self, parts: list[Visible]) -> list[list[Document]]:
        found = []
        for visible in parts:
            await self.charge(entities.cost_of_path(visible))
            found.append(await entities.entities_on_path(self.backend, visible))
        return found

    async def mentions(self, entity: Document, first: int | None) -> list[Document]:
        """The matches of an entity that was read within the scope."""
        if self._mentions is None:
            self._mentions = DataLoader(partial(self._load_mentions), cache=False)
        return await asyncio.shield(self._mentions.load((entity, first)))

    async def _load_mentions(self, asked: list[tuple[Document, int | None]]) -> list[list[Document]]:
        return await entities.mentions(self.backend, asked)

    async def of_message(self, read: _RelativesOf[T], message: MessageDocument) -> T | None:
        """Return the value of one message, read within the scope, from a read for several messages.

        Args:
            read: the read.
            message: with `relatives.MESSAGE_FIELDS`.
        """
        session = await self.session(message["sessionId"], relatives.SESSION_FIELDS)
        if session is None:
            return None
        loader: DataLoader[Any, T | None] | None = self._loaders.get(read)
        if loader is None:
            loader = self._loaders[read] = DataLoader(partial(self._load_relatives, read), cache=False)
        return await asyncio.shield(loader.load(relatives.Asked(message, session)))

    async def _load_relatives(self, read: _RelativesOf[T], asked: list[relatives.Asked]) -> list[T | None]:
        found = await read(self.backend, asked)
        return [found.get(one.message["_id"]) for one in asked]

    async def of_session(self, read: _ReadOf[T], session: SessionDocument, fields: Collection[str] = ()) -> T | None:
        """Return the value of one session, read within the scope, from a read for several sessions."""
        loader: DataLoader[Any, T | None] | None = self._loaders.get(read)
        if loader is None:
            loader = self._loaders[read] = DataLoader(partial(self._load_of, read), cache=False)
        return await asyncio.shield(loader.load((session, frozenset(fields))))

    async def _load_of(
        self, read: _ReadOf[T], keys: Sequence[tuple[SessionDocument, frozenset[str]]]
    ) -> list[T | None]:
        """Read with each set of fields once."""
        found: dict[_Key, T] = {}
        for fields in {fields for _, fields in keys}:
            sessions_ = {session["_id"]: session for session, selected in keys if selected == fields}
            of_each = await read(self.backend, list(sessions_.values()), fields)
            found |= {(session_id, fields): value for session_id, value in of_each.items()}
        return [found.get((session["_id"], fields)) for session, fields in keys]

    async def _find(self, find: _Find[D], key: str, fields: Collection[str]) -> D | None:
        loader: DataLoader[_Key, D | None] | None = self._loaders.get(find)
        if loader is None:
            loader = self._loaders[find] = DataLoader(partial(self._load, find), cache=not self.changes)
        return await asyncio.shield(loader.load((key, frozenset(fields))))

    async def _load(self, find: _Find[D], keys: Sequence[_Key]) -> list[D | None]:
        """Look up the keys, with one read for each set of fields."""
        found: dict[_Key, D] = {}
        for fields in {fields for _, fields in keys}:
            ids = [id_ for id_, selected in keys if selected == fields]
            for document in await find(self.backend, self.scope, ids, fields):
                found[document["_id"], fields] = document
        return [found.get(key) for key in keys]


Info: TypeAlias = strawberry.Info[Context, None]
