"""Pydantic AI: the message history of agent runs (`pip install recallql-client[pydantic-ai]`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserPromptPart,
)

from recallql import whole
from recallql.client import AsyncRecallQL, Message
from recallql.generated.input_types import MessageInput

_TYPE = "pydantic-ai"


class RecallQLHistory:
    """The history of one session; each message comes back equal to the added one.

    Args:
        client: the client.
        session_id: the session.
        user_id: the user to whom a new session belongs.
    """

    def __init__(self, client: AsyncRecallQL, session_id: str, *, user_id: str | None = None) -> None:
        self._client = client
        self._session_id = session_id
        self._user_id = user_id

    async def messages(self, *, last: int | None = None) -> list[ModelMessage]:
        """Return the messages, oldest first, for `message_history`: all of them, or the last ones."""
        return [from_message(message) for message in await self._client.messages(self._session_id, last=last)]

    async def add(self, messages: Sequence[ModelMessage]) -> None:
        """Add messages, such as the `new_messages()` of a run, all or none of them."""
        if messages:
            await self._client.add(self._session_id, *map(to_input, messages), user_id=self._user_id)


def to_input(message: ModelMessage) -> MessageInput:
    """Return the message to add for a message of Pydantic AI; `from_message` returns an equal one."""
    (value,) = ModelMessagesTypeAdapter.dump_python([message], mode="json")
    return whole.to_input(_TYPE, value, role=_role(message), text="\n".join(_texts(message)))


def from_message(message: Message) -> ModelMessage:
    """Return the message of Pydantic AI for a stored message, also for one that another client added."""
    value = whole.value_of(_TYPE, message)
    if value is not None:
        return ModelMessagesTypeAdapter.validate_python([value])[0]
    if message.role in {"assistant", "ai"}:
        return ModelResponse(parts=[TextPart(content=message.content)], timestamp=message.created_at)
    kind = SystemPromptPart if message.role == "system" else UserPromptPart
    return ModelRequest(parts=[kind(content=message.content, timestamp=message.created_at)])


def _role(message: ModelMessage) -> str:
    if isinstance(message, ModelResponse):
        return "assistant"
    kinds = {part.part_kind for part in message.parts}
    if "user-prompt" in kinds:
        return "user"
    return "system" if kinds == {"system-prompt"} else "tool"


def _texts(message: ModelMessage) -> Iterator[str]:
    for part in message.parts:
        content = getattr(part, "content", None)
        if isinstance(content, str):
            if part.part_kind != "thinking":
                yield content
        elif isinstance(part, UserPromptPart):
            yield from (item for item in part.content if isinstance(item, str))
