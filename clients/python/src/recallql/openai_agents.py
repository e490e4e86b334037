"""OpenAI Agents SDK: a session (`pip install recallql-client[openai-agents]`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from agents import SessionSettings, TResponseInputItem
from agents.memory import SessionABC

from recallql.client import AsyncRecallQL, Message, PoppedMessage
from recallql.generated.input_types import MessageInput

_KEY = "openaiAgents"
"""The key in a message's metadata that marks a message whose only part is the item."""
_ROLES = {"human": "user", "ai": "assistant"}
_OF_ASSISTANT = "assistant"


class RecallQLSession(SessionABC):
    """The items of one session; each item comes back equal to the added one.

    Attributes:
        session_id: the session.
        session_settings: the default limit of `get_items`.
    """

    def __init__(
        self,
        client: AsyncRecallQL,
        session_id: str,
        *,
        user_id: str | None = None,
        session_settings: SessionSettings | None = None,
    ) -> None:
        """Create the session's front; nothing is stored yet.

        Args:
            client: the client.
            session_id: the session.
            user_id: the user to whom a new session belongs.
            session_settings: the default limit of `get_items`.
        """
        self.session_id = session_id
        self.session_settings = session_settings
        self._client = client
        self._user_id = user_id

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the latest items, oldest first; all of them without a limit."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        return [to_item(message) for message in await self._client.messages(self.session_id, last=limit)]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add items, all or none of them."""
        if items:
            await self._client.add(self.session_id, *map(from_item, items), user_id=self._user_id)

    async def pop_item(self) -> TResponseInputItem | None:
        """Delete and return the newest item; two callers never get the same one."""
        popped = await self._client.pop(self.session_id)
        return None if popped is None else to_item(popped)

    async def clear_session(self) -> None:
        """Delete all items."""
        await self._client.clear(self.session_id)


def from_item(item: TResponseInputItem) -> MessageInput:
    """Return the message to add for an item; `to_item` returns an equal item.

    A plain text is a message with this content. Another item is the only part of its message, and its text is the
    content, which searches and entities read.
    """
    given = cast("Mapping[str, Any]", item)
    if given.keys() == {"role", "content"} and isinstance(given["content"], str) and given["role"] not in _ROLES:
        return MessageInput(role=given["role"], content=given["content"])
    part = {"type": "message", **given}
    return MessageInput(
        role=str(given.get("role") or ("tool" if str(part["type"]).endswith("_output") else _OF_ASSISTANT)),
        content="\n".join(_texts(given)),
        parts=[part],
        metadata={_KEY: {"typed": "type" in given}},
    )


def to_item(message: Message | PoppedMessage) -> TResponseInputItem:
    """Return the item for a stored message, also for one that another client added."""
    kept = message.metadata.get(_KEY)
    if isinstance(kept, dict) and len(message.parts) == 1:
        item = dict(message.parts[0])
        if not kept["typed"]:
            del item["type"]
    else:
        item = {"role": _ROLES.get(message.role, message.role), "content": message.content}
    return cast("TResponseInputItem", item)


def _texts(item: Mapping[str, Any]) -> Iterator[str]:
    for name in ("content", "summary", "output"):
        value = item.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (part["text"] for part in value if isinstance(part, dict) and isinstance(part.get("text"), str))
