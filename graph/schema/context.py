"""What resolvers find in `info.context`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import strawberry
from strawberry.dataloader import DataLoader

from graph.access.caller import ANYONE, Caller
from graph.live.source import Source
from graph.operations.backend import Backend
from graph.store import messages, sessions
from graph.store.documents import Document
from graph.store.scope import Scope

_Key: TypeAlias = tuple[str, frozenset[str]]


@dataclass
class Context:
    """One request: who asks, and the loaders that turn many look-ups of one query into one read.

    A field that is cancelled, because another one failed, must not cancel the look-up that others wait for too: what a
    loader gives is shielded.

    Attributes:
        backend: the open parts of the process.
        scope: what the caller may see.
        request: the HTTP request or WebSocket, for transports.
        caller: who asks; its scope is `scope`.
        connection_params: the payload of a WebSocket's `connection_init`.
        changes: whether the operation is a mutation.
        take_over: set by a transport that follows subscriptions itself: it is given graphql-core's executor and the
            source, and shares results among subscribers. Without it, each executes its events on its own.
    """

    backend: Backend
    scope: Scope
    request: Any = None
    response: Any = None
    caller: Caller = ANYONE
    connection_params: dict[str, Any] | None = None
    changes: bool = False
    extras: dict[str, Any] = field(default_factory=dict)
    take_over: Callable[[Any, Source], None] | None = None

    def identify(self, caller: Caller) -> None:
        """Go on as this caller."""
        self.caller = caller
        self.scope = caller.scope

    @cached_property
    def _sessions(self) -> DataLoader[_Key, Document | None]:
        return DataLoader(self._load_sessions)

    @cached_property
    def _messages(self) -> DataLoader[_Key, Document | None]:
        return DataLoader(self._load_messages)

    async def session(self, session_id: str, fields: Collection[str]) -> Document | None:
        """A session within the scope."""
        return await asyncio.shield(self._sessions.load((session_id, frozenset(fields))))

    async def message(self, uuid: str, fields: Collection[str]) -> Document | None:
        """A message within the scope."""
        return await asyncio.shield(self._messages.load((uuid, frozenset(fields))))

    async def _load_sessions(self, keys: Sequence[_Key]) -> list[Document | None]:
        return await _load(
            keys, lambda ids, fields: sessions.find_sessions(self.backend.database, self.scope, ids, fields)
        )

    async def _load_messages(self, keys: Sequence[_Key]) -> list[Document | None]:
        return await _load(
            keys, lambda ids, fields: messages.find_messages(self.backend.database, self.scope, ids, fields)
        )


async def _load(keys: Sequence[_Key], find: Any) -> list[Document | None]:
    """Look up the keys with one read for each set of fields."""
    found: dict[_Key, Document] = {}
    for fields in {fields for _, fields in keys}:
        ids = [id_ for id_, wanted in keys if wanted == fields]
        for document in await find(ids, fields):
            found[document["_id"], fields] = document
    return [found.get(key) for key in keys]


Info: TypeAlias = strawberry.Info[Context, None]
