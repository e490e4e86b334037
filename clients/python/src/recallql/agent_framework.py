"""Microsoft Agent Framework: a history provider (`pip install recallql-client[agent-framework]`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_framework import HistoryProvider
from agent_framework import Message as AgentMessage

from recallql import whole
from recallql.client import AsyncRecallQL, Message
from recallql.generated.input_types import MessageInput

_TYPE = "agent-framework"
_ROLES = {"human": "user", "ai": "assistant"}


class RecallQLHistoryProvider(HistoryProvider):
    """The messages of each session of an agent; each message comes back with the same fields.

    Args:
        client: the client.
        user_id: the user to whom new sessions belong.
        source_id: the name of this provider among those of an agent.
        last: the maximum number of messages that a run begins with; by default, all messages of the session.
        options: `load_messages`, `store_inputs`, `store_outputs`, `store_context_messages` and `store_context_from`
            of the base class.
    """

    def __init__(
        self,
        client: AsyncRecallQL,
        *,
        user_id: str | None = None,
        source_id: str = "recallql",
        last: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(source_id, **options)
        self._client = client
        self._user_id = user_id
        self._last = last

    async def get_messages(
        self,
        session_id: str | None,
        *,
        state: dict[str, Any] | None = None,  # noqa: ARG002 - the name is the framework's
        **_: Any,
    ) -> list[AgentMessage]:
        """Return the messages of a session, oldest first."""
        return [from_message(message) for message in await self._client.messages(_checked(session_id), last=self._last)]

    async def save_messages(
        self,
        session_id: str | None,
        messages: Sequence[AgentMessage],
        *,
        state: dict[str, Any] | None = None,  # noqa: ARG002 - the name is the framework's
        **_: Any,
    ) -> None:
        """Add the messages of a run, all or none of them."""
        if messages:
            await self._client.add(_checked(session_id), *map(to_input, messages), user_id=self._user_id)


def to_input(message: AgentMessage) -> MessageInput:
    """Return the message to add for a message of the framework; `from_message` returns one with the same fields."""
    return whole.to_input(_TYPE, message.to_dict(), role=str(message.role), text=message.text)


def from_message(message: Message) -> AgentMessage:
    """Return the framework's message for a stored message, also for one that another client added."""
    value = whole.value_of(_TYPE, message)
    if value is not None:
        return AgentMessage.from_dict(value)
    return AgentMessage(_ROLES.get(message.role, message.role), [message.content], author_name=message.name)


def _checked(session_id: str | None) -> str:
    if session_id is None:
        raise ValueError("a session without an id has no history: create the session with a session_id")
    return session_id
