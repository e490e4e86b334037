"""LlamaIndex: the memory of a chat engine or agent (`pip install recallql-client[llama-index]`)."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.memory import BaseMemory
from pydantic import ConfigDict, Field

from recallql import whole
from recallql.client import Message
from recallql.generated.input_types import MessageInput
from recallql.sync import RecallQL

_TYPE = "llama-index"
_ROLES = {"human": "user", "ai": "assistant"}


class RecallQLMemory(BaseMemory):
    """The messages of one session; each message comes back equal to the added one.

    Attributes:
        client: the client.
        session_id: the session.
        user_id: the user to whom a new session belongs.
        last: the maximum number of messages that `get` returns; by default, all messages of the session.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: RecallQL = Field(exclude=True)
    session_id: str
    user_id: str | None = None
    last: int | None = None

    @classmethod
    def class_name(cls) -> str:
        """Return the name of this class in serialised components."""
        return "RecallQLMemory"

    @classmethod
    def from_defaults(cls, **kwargs: Any) -> RecallQLMemory:
        """Return a memory with these attributes."""
        return cls(**kwargs)

    def get(self, input: str | None = None, **_: Any) -> list[ChatMessage]:  # noqa: A002, ARG002 - names of LlamaIndex
        """Return the last messages of the session, oldest first."""
        return [from_message(message) for message in self.client.messages(self.session_id, last=self.last)]

    def get_all(self) -> list[ChatMessage]:
        """Return all messages of the session, oldest first."""
        return [from_message(message) for message in self.client.messages(self.session_id)]

    def put(self, message: ChatMessage) -> None:
        """Add a message."""
        self.put_messages([message])

    def put_messages(self, messages: list[ChatMessage]) -> None:
        """Add messages, all or none of them."""
        if messages:
            self.client.add(self.session_id, *map(to_input, messages), user_id=self.user_id)

    def set(self, messages: list[ChatMessage]) -> None:
        """Delete all messages of the session, and then add others."""
        self.reset()
        self.put_messages(messages)

    def reset(self) -> None:
        """Delete all messages of the session."""
        self.client.clear(self.session_id)


def to_input(message: ChatMessage) -> MessageInput:
    """Return the message to add for a message of LlamaIndex; `from_message` returns an equal one."""
    value = message.model_dump(mode="json")
    return whole.to_input(_TYPE, value, role=message.role.value, text=message.content or "")


def from_message(message: Message) -> ChatMessage:
    """Return the message of LlamaIndex for a stored message, also for one that another client added."""
    value = whole.value_of(_TYPE, message)
    if value is not None:
        return ChatMessage.model_validate(value)
    role = _ROLES.get(message.role, message.role)
    known = role in {one.value for one in MessageRole}
    return ChatMessage(role=MessageRole(role) if known else MessageRole.USER, content=message.content)
