"""The same calls without asyncio: an event loop of their own runs in a thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from anyio.from_thread import start_blocking_portal

from recallql.client import (
    AddedMemory,
    AsyncRecallQL,
    Change,
    Message,
    NewMessage,
    Piece,
    PoppedMessage,
    PromptContext,
    SearchHit,
)
from recallql.generated.enums import SearchMode
from recallql.generated.input_types import MessageFilter

Item = TypeVar("Item")


class RecallQL:
    """A client of one server, for code without asyncio. `close` it, or use it in a `with` block.

    Args:
        url: the address of the server.
        key: a service key or JWT, or a function that returns the current one; None for a server without credentials.
        attempts: the maximum number of requests for one call.
        timeout: the maximum seconds for one answer.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        key: str | Callable[[], str] | None = None,
        *,
        attempts: int = 5,
        timeout: float = 60.0,
    ) -> None:
        self._open = ExitStack()
        self._portal = self._open.enter_context(start_blocking_portal())
        self._client = AsyncRecallQL(url, key, attempts=attempts, timeout=timeout)
        self._open.callback(self._portal.call, self._client.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, and end the thread."""
        self._open.close()

    def run(self, call: Callable[[AsyncRecallQL], Awaitable[Item]]) -> Item:
        """Run calls of the client with asyncio; for adapters."""
        return self._portal.call(call, self._client)

    def add(
        self,
        session_id: str,
        *messages: NewMessage,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected_revision: int | None = None,
        expected_uuid: str | UUID | None = None,
        idempotency_key: str | None = None,
    ) -> AddedMemory:
        """Add messages at the end of a session, see `AsyncRecallQL.add`."""
        call = partial(
            self._client.add,
            session_id,
            *messages,
            user_id=user_id,
            metadata=metadata,
            expected_revision=expected_revision,
            expected_uuid=expected_uuid,
            idempotency_key=idempotency_key,
        )
        return self._portal.call(call)

    def messages(
        self, session_id: str, *, last: int | None = None, where: MessageFilter | None = None
    ) -> list[Message]:
        """Return the messages of a session, see `AsyncRecallQL.messages`."""
        return self._portal.call(partial(self._client.messages, session_id, last=last, where=where))

    def context(
        self,
        max_tokens: int,
        *,
        query: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        recent: int | None = None,
    ) -> PromptContext:
        """Return the context for a prompt, see `AsyncRecallQL.context`."""
        call = partial(
            self._client.context, max_tokens, query=query, session_id=session_id, user_id=user_id, recent=recent
        )
        return self._portal.call(call)

    def search(
        self,
        query: str,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        first: int = 20,
        where: MessageFilter | None = None,
        mode: SearchMode | None = None,
    ) -> list[SearchHit]:
        """Return the messages that fit a query best, see `AsyncRecallQL.search`."""
        call = partial(
            self._client.search,
            query,
            session_id=session_id,
            user_id=user_id,
            first=first,
            where=where,
            mode=mode,
        )
        return self._portal.call(call)

    def pop(self, session_id: str) -> PoppedMessage | None:
        """Delete the newest message of a session, and return it, see `AsyncRecallQL.pop`."""
        return self._portal.call(self._client.pop, session_id)

    def clear(self, session_id: str) -> None:
        """Delete all messages of a session; an unknown session has none."""
        self._portal.call(self._client.clear, session_id)

    def follow(self, session_id: str, *, after_seq: int | None = None) -> Generator[Message, None, None]:
        """Yield each new message of a session, see `AsyncRecallQL.follow`."""
        return self._given(self._client.follow(session_id, after_seq=after_seq))

    def changes(self, session_id: str, *, since_revision: int | None = None) -> Generator[Change, None, None]:
        """Yield edits, deletions and finished enrichments of messages, see `AsyncRecallQL.changes`."""
        return self._given(self._client.changes(session_id, since_revision=since_revision))

    def stream(self, uuid: str | UUID, *, after_index: int | None = None) -> Generator[Piece, None, None]:
        """Yield each piece of a message that is being written, see `AsyncRecallQL.stream`."""
        return self._given(self._client.stream(uuid, after_index=after_index))

    def _given(self, stream: AsyncGenerator[Item, None]) -> Generator[Item, None, None]:
        try:
            while (item := self._portal.call(_next, stream)) is not None:
                yield item
        finally:
            self._portal.call(stream.aclose)


async def _next(stream: AsyncGenerator[Item, None]) -> Item | None:
    return await anext(stream, None)
