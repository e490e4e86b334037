"""The calls that an application needs, over asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar
from uuid import UUID, uuid4

import httpx

from recallql.errors import NotFound
from recallql.generated.add_memory import AddMemoryAddMemory
from recallql.generated.changes import Changes, ChangesMessageUpdated
from recallql.generated.context import ContextContext
from recallql.generated.enums import SearchMode
from recallql.generated.follow import Follow
from recallql.generated.follow_stream import FollowStream, FollowStreamMessageStream
from recallql.generated.fragments import MessageFields
from recallql.generated.input_types import (
    AddMemoryInput,
    DeleteMemoryInput,
    MessageFilter,
    MessageInput,
    PopMessageInput,
)
from recallql.generated.operations_client import Operations
from recallql.generated.pop_message import PopMessagePopMessagePoppedMessage
from recallql.generated.search import SearchSearchEdges

AddedMemory: TypeAlias = AddMemoryAddMemory
"""The stored messages, in `memory.messages`, and their session."""
Change: TypeAlias = ChangesMessageUpdated
"""An edit, deletion or finished enrichment: its `kind`, and the message, which is None after a deletion."""
Message: TypeAlias = MessageFields
"""A stored message."""
Piece: TypeAlias = FollowStreamMessageStream
"""A piece of a message that is being written, or its end."""
PoppedMessage: TypeAlias = PopMessagePopMessagePoppedMessage
"""A message that was deleted."""
PromptContext: TypeAlias = ContextContext
"""The context for a prompt."""
SearchHit: TypeAlias = SearchSearchEdges
"""A found message, in `node`, with its `score`."""
NewMessage: TypeAlias = MessageInput | Mapping[str, Any]
"""A message to add: a `MessageInput`, or its fields by the names of the API."""

_PAGE = 100

Result = TypeVar("Result")


class AsyncRecallQL:
    """A client of one server.

    Args:
        url: the address of the server.
        key: a service key or JWT, or a function that returns the current one; None for a server without credentials.
        attempts: the maximum number of requests for one call.
        timeout: the maximum seconds for one answer.
        http: an HTTP client of your own, whose base URL is the server; the caller closes it.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        key: str | Callable[[], str] | None = None,
        *,
        attempts: int = 5,
        timeout: float = 60.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self.operations = Operations(url, key, attempts=attempts, timeout=timeout, http=http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self.operations.close()

    async def add(
        self,
        session_id: str,
        *messages: NewMessage,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected_revision: int | None = None,
        expected_uuid: str | UUID | None = None,
        idempotency_key: str | None = None,
    ) -> AddedMemory:
        """Add messages at the end of a session, which is created if it is new.

        A repetition after a lost answer adds nothing twice: all attempts have the same idempotency key.

        Raises:
            Conflict: the session has another revision or UUID than the expected one.
            RecallQLError: the messages are refused.
        """
        given: dict[str, Any] = {
            "session_id": session_id,
            "messages": [_message(message) for message in messages],
            "idempotency_key": idempotency_key or str(uuid4()),
        }
        optional = {
            "user_id": user_id,
            "metadata": metadata,
            "expected_revision": expected_revision,
            "expected_uuid": expected_uuid,
        }
        given |= {name: value for name, value in optional.items() if value is not None}
        return (await self.operations.add_memory(AddMemoryInput.model_validate(given))).add_memory

    async def messages(
        self, session_id: str, *, last: int | None = None, where: MessageFilter | None = None
    ) -> list[Message]:
        """Return the messages of a session, oldest first: all of them, or the last ones.

        An unknown session has none.
        """
        pages: list[list[Message]] = []
        before: str | None = None
        left = last
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            session = (await self.operations.messages(session_id, last=size, before=before, filter_=where)).session
            if session is None:
                break
            page = session.messages
            pages.append([edge.node for edge in page.edges])
            before = page.page_info.start_cursor
            left = None if left is None else left - len(page.edges)
            if not page.page_info.has_previous_page:
                break
        return [message for page in reversed(pages) for message in page]

    async def context(
        self,
        max_tokens: int,
        *,
        query: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        recent: int | None = None,
    ) -> PromptContext:
        """Return the context for a prompt; `text` is ready to use and has at most `max_tokens` tokens."""
        found = await self.operations.context(
            max_tokens, query=query, user_id=user_id, session_id=session_id, recent=recent
        )
        return found.context

    async def search(
        self,
        query: str,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        first: int = 20,
        where: MessageFilter | None = None,
        mode: SearchMode | None = None,
    ) -> list[SearchHit]:
        """Return the messages that fit a query best; each has `node`, the message, and `score` from 0 to 1."""
        found = await self.operations.search(
            query, user_id=user_id, session_id=session_id, first=first, filter_=where, mode=mode
        )
        return found.search.edges

    async def pop(self, session_id: str) -> PoppedMessage | None:
        """Delete the newest message of a session, and return it; None if the session has none.

        Two callers never get the same message. The call is sent once: after a lost answer, a repetition would delete
        another message.

        Raises:
            httpx.TransportError: the connection is lost; the message may be deleted.
        """
        with suppress(NotFound):
            given = PopMessageInput.model_validate({"sessionId": session_id})
            return (await self.operations.pop_message(given, repeats=False)).pop_message.popped_message
        return None

    async def clear(self, session_id: str) -> None:
        """Delete all messages of a session; an unknown session has none."""
        with suppress(NotFound):
            await self.operations.delete_memory(DeleteMemoryInput.model_validate({"sessionId": session_id}))

    async def follow(self, session_id: str, *, after_seq: int | None = None) -> AsyncGenerator[Message, None]:
        """Yield each new message of a session once and in order, for as long as the caller iterates.

        The stream begins again after a lost connection, at the message after the last one. It ends when the session
        is deleted.

        Args:
            session_id: the session.
            after_seq: the `seq` of the last message that you have, or 0 for every message; by default, only new ones.

        Raises:
            RecallQLError: the subscription is refused.
        """
        if after_seq is None:
            latest = await self.messages(session_id, last=1)
            after_seq = latest[-1].seq if latest else 0
        begin = partial(self.operations.follow, session_id)
        following = _Following(self.operations, begin, _seq_of, after_seq)
        try:
            while (result := await following.next()) is not None:
                yield result.message_added
        finally:
            await following.close()

    async def changes(self, session_id: str, *, since_revision: int | None = None) -> AsyncGenerator[Change, None]:
        """Yield edits, deletions and finished enrichments of a session's messages, for as long as the caller iterates.

        The stream begins again after a lost connection, at the changes after the last one: none is missed. Edits and
        deletions come in order; an enrichment, and changes of one call, may come twice. The stream ends when the
        session is deleted.

        Args:
            session_id: the session.
            since_revision: the greatest `revision` of the changes that you have, or the session's `revision`, read
                before its messages; by default, only new changes come.

        Raises:
            RecallQLError: the subscription is refused, also where the revision is one of an earlier session with the
                id.
        """
        if since_revision is None:
            session = (await self.operations.session(session_id)).session
            since_revision = 0 if session is None else session.revision
        greatest = since_revision

        def place_of(result: Changes) -> int:
            nonlocal greatest
            greatest = max(greatest, result.message_updated.revision)
            return greatest

        following = _Following(self.operations, partial(self.operations.changes, session_id), place_of, greatest)
        try:
            while (result := await following.next()) is not None:
                yield result.message_updated
        finally:
            await following.close()

    async def stream(self, uuid: str | UUID, *, after_index: int | None = None) -> AsyncGenerator[Piece, None]:
        """Yield each piece of a message that is being written once and in order, and at last the message.

        The last piece has `done`, and in `message` the message, whose content replaces the pieces. The stream begins
        again after a lost connection, at the piece after the last one. It ends without a message when the message is
        deleted.

        Args:
            uuid: identifies the message.
            after_index: the `index` of the last piece that you have; by default, every piece comes.

        Raises:
            RecallQLError: the subscription is refused.
        """
        begin = partial(self.operations.follow_stream, UUID(str(uuid)))
        following = _Following(self.operations, begin, _index_of, after_index)
        try:
            while (result := await following.next()) is not None:
                piece = result.message_stream
                yield piece
                if piece.done:
                    return
        finally:
            await following.close()


class _Following(Generic[Result]):
    """A subscription that begins again after its last result when it is lost.

    Args:
        operations: give the attempts.
        begin: begins the subscription after a place.
        place_of: returns the place of a result.
        place: the place to begin after; None for the beginning.
    """

    def __init__(
        self,
        operations: Operations,
        begin: Callable[[int | None], AsyncIterator[Result]],
        place_of: Callable[[Result], int | None],
        place: int | None,
    ) -> None:
        self._operations = operations
        self._begin = begin
        self._place_of = place_of
        self._place = place
        self._stream: AsyncIterator[Result] | None = None

    async def next(self) -> Result | None:
        """Return the next result; None when the server has completed the subscription."""
        result: Result | None = None
        async for attempt in self._operations.attempts(None):
            with attempt:
                result = await self._received()
        if result is not None:
            self._place = self._place_of(result)
        return result

    async def _received(self) -> Result | None:
        if self._stream is None:
            self._stream = self._begin(self._place)
        try:
            return await anext(self._stream, None)
        except Exception:
            self._stream = None  # the generator has ended
            raise

    async def close(self) -> None:
        """Close the stream."""
        if isinstance(self._stream, AsyncGenerator):
            await self._stream.aclose()


def _seq_of(result: Follow) -> int:
    return result.message_added.seq


def _index_of(result: FollowStream) -> int | None:
    return result.message_stream.index


def _message(message: NewMessage) -> MessageInput:
    return message if isinstance(message, MessageInput) else MessageInput.model_validate(message)
