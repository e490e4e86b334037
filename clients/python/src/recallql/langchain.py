"""LangChain: a chat message history and a retriever (`pip install recallql-client[langchain]`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from recallql.client import AsyncRecallQL, Message, SearchHit
from recallql.generated.input_types import MessageFilter, MessageInput
from recallql.sync import RecallQL

_KEY = "langchain"
"""The key in a message's metadata of the fields that only LangChain knows."""
_ROLES = {"human": "user", "ai": "assistant"}
"""The roles of message types whose names differ."""
_TEXT = "plain"
"""The key that marks a part which was a string in a list of content blocks."""


def to_input(message: BaseMessage) -> MessageInput:
    """Return the message to add for a message of LangChain; `from_message` returns an equal message of LangChain.

    Content blocks and tool calls become parts. Fields without a counterpart are kept in `metadata`.
    """
    dumped = message_to_dict(message)
    kind, data = dumped["type"], dict(dumped["data"])
    content, calls = data.pop("content"), data.pop("tool_calls", None)
    parts = [] if isinstance(content, str) else [_block(block) for block in content]
    kept: dict[str, Any] = {"type": kind, "blocks": None if isinstance(content, str) else len(parts)}
    if calls is not None:
        kept["calls"] = len(calls)
        parts += [_call(call) for call in calls]
    name, call_id = data.pop("name", None), data.pop("tool_call_id", None)
    fields: dict[str, Any] = {
        "role": str(data.get("role") or _ROLES.get(kind, kind)),
        "content": content if isinstance(content, str) else None,
        "parts": parts or None,
        "name": name,
        "tool_call_id": call_id,
        "metadata": {_KEY: {**kept, "data": data}},
    }
    return MessageInput.model_validate({name: value for name, value in fields.items() if value is not None})


def from_message(message: Message) -> BaseMessage:
    """Return the message of LangChain for a stored message, also for one that another client added."""
    kept = message.metadata.get(_KEY)
    if not isinstance(kept, dict):
        return _foreign(message)
    data = dict(kept["data"])
    blocks = kept["blocks"]
    content: object = message.content
    if blocks is not None:
        content = [_unblock(part) for part in message.parts[:blocks]]
    if "calls" in kept:
        data["tool_calls"] = [_uncall(part) for part in message.parts[blocks or 0 :]]
    given = {"content": content, "name": message.name}
    if message.tool_call_id is not None:
        given["tool_call_id"] = message.tool_call_id
    return messages_from_dict([{"type": kept["type"], "data": {**data, **given}}])[0]


def _foreign(message: Message) -> BaseMessage:
    kinds = {"user": "human", "human": "human", "assistant": "ai", "ai": "ai", "system": "system"}
    kind = kinds.get(message.role)
    if message.role == "tool" and message.tool_call_id is not None:
        data = {"content": message.content, "tool_call_id": message.tool_call_id, "name": message.name}
        return messages_from_dict([{"type": "tool", "data": data}])[0]
    if kind is None:
        data = {"content": message.content, "role": message.role, "name": message.name}
        return messages_from_dict([{"type": "chat", "data": data}])[0]
    return messages_from_dict([{"type": kind, "data": {"content": message.content, "name": message.name}}])[0]


def _block(block: object) -> dict[str, Any]:
    return {"type": "text", "text": block, _TEXT: True} if isinstance(block, str) else dict(block)  # type: ignore[call-overload]


def _unblock(part: dict[str, Any]) -> object:
    return part["text"] if part.get(_TEXT) else part


def _call(call: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool-call", "toolCallId": call.get("id"), "toolName": call["name"], "args": call["args"]}


def _uncall(part: dict[str, Any]) -> dict[str, Any]:
    return {"id": part["toolCallId"], "name": part["toolName"], "args": part["args"], "type": "tool_call"}


class RecallQLChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session; each message comes back equal to the added one.

    Args:
        client: the client for calls without asyncio.
        session_id: the session.
        user_id: the user to whom a new session belongs.
        async_client: the client for calls with asyncio; without it, these run `client` in a thread.
    """

    def __init__(
        self,
        client: RecallQL,
        session_id: str,
        *,
        user_id: str | None = None,
        async_client: AsyncRecallQL | None = None,
    ) -> None:
        self._client = client
        self._async_client = async_client
        self._session_id = session_id
        self._user_id = user_id

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """All messages of the session, oldest first."""
        return [from_message(message) for message in self._client.messages(self._session_id)]

    async def aget_messages(self) -> list[BaseMessage]:
        """Return all messages of the session, oldest first."""
        if self._async_client is None:
            return await super().aget_messages()
        return [from_message(message) for message in await self._async_client.messages(self._session_id)]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages, all or none of them."""
        if messages:
            self._client.add(self._session_id, *map(to_input, messages), user_id=self._user_id)

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages, all or none of them."""
        if self._async_client is None:
            await super().aadd_messages(messages)
        elif messages:
            await self._async_client.add(self._session_id, *map(to_input, messages), user_id=self._user_id)

    def clear(self) -> None:
        """Delete all messages of the session."""
        self._client.clear(self._session_id)

    async def aclear(self) -> None:
        """Delete all messages of the session."""
        if self._async_client is None:
            await super().aclear()
        else:
            await self._async_client.clear(self._session_id)


class RecallQLRetriever(BaseRetriever):
    """Finds messages by words and by meaning, best first.

    Attributes:
        client: the client for calls without asyncio.
        async_client: the client for calls with asyncio; without it, these run `client` in a thread.
        user_id: only the sessions of this user.
        session_id: only this session.
        k: maximum number of messages, 1 to 100.
        where: further conditions.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: RecallQL
    async_client: AsyncRecallQL | None = None
    user_id: str | None = None
    session_id: str | None = None
    k: int = 4
    where: MessageFilter | None = None

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - the name is LangChain's
        k: int | None = None,
    ) -> list[Document]:
        return [_document(hit) for hit in self.client.search(query, **self._arguments(k))]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 - the name is LangChain's
        k: int | None = None,
    ) -> list[Document]:
        if self.async_client is None:
            hits = await asyncio.to_thread(self.client.search, query, **self._arguments(k))
        else:
            hits = await self.async_client.search(query, **self._arguments(k))
        return [_document(hit) for hit in hits]

    def _arguments(self, k: int | None) -> dict[str, Any]:
        chosen = {"user_id": self.user_id, "session_id": self.session_id, "where": self.where}
        return {"first": self.k if k is None else k, **chosen}


def _document(hit: SearchHit) -> Document:
    message = hit.node
    metadata = {
        "session_id": message.session.session_id,
        "seq": message.seq,
        "role": message.role,
        "name": message.name,
        "created_at": message.created_at.isoformat(),
        "score": hit.score,
    }
    return Document(page_content=message.content, metadata=metadata, id=str(message.uuid))
