"""Google ADK: a memory service (`pip install recallql-client[google-adk]`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from google.adk.events import Event
from google.adk.memory import BaseMemoryService
from google.adk.memory.base_memory_service import SearchMemoryResponse
from google.adk.memory.memory_entry import MemoryEntry
from google.adk.sessions import Session
from google.genai.types import Content, Part

from recallql import whole
from recallql.client import AsyncRecallQL, SearchHit
from recallql.generated.input_types import MessageFilter, MessageInput, MetadataFilter

_TYPE = "google-adk"
_SPACE = UUID("0f0c7a54-4c5e-4d0e-8a51-0d9c6a1f5b7e")
"""The namespace of the uuids that are derived from events."""
_AT_ONCE = 1_000
"""Maximum messages of one call."""


class RecallQLMemoryService(BaseMemoryService):
    """Stores the events that have a text, and finds them by words and by meaning.

    An event that is added again, with its session or alone, is stored once. A session of ADK becomes the session
    `{app_name}/{session_id}`, so that the sessions of two applications never meet.

    Args:
        client: the client.
        first: the maximum number of memories that a search returns, 1 to 100.
    """

    def __init__(self, client: AsyncRecallQL, *, first: int = 10) -> None:
        self._client = client
        self._first = first

    async def add_session_to_memory(self, session: Session) -> None:
        """Add the events of a session that are not stored yet."""
        await self.add_events_to_memory(
            app_name=session.app_name, user_id=session.user_id, session_id=session.id, events=session.events
        )

    async def add_events_to_memory(
        self,
        *,
        app_name: str,
        user_id: str,
        events: Sequence[Event],
        session_id: str | None = None,
        custom_metadata: Mapping[str, object] | None = None,  # noqa: ARG002 - the name is ADK's
    ) -> None:
        """Add events; without a session, to one of the user's own."""
        name = f"{app_name}/{session_id or user_id}"
        messages = [_to_input(app_name, name, event) for event in events if _text(event)]
        for place in range(0, len(messages), _AT_ONCE):
            await self._client.add(name, *messages[place : place + _AT_ONCE], user_id=user_id)

    async def search_memory(self, *, app_name: str, user_id: str, query: str) -> SearchMemoryResponse:
        """Return the memories of a user that fit a query best, of sessions of this application alone."""
        where = MessageFilter(metadata=[MetadataFilter(path=f"{_TYPE}.app", equals=app_name)])
        hits = await self._client.search(query, user_id=user_id, first=self._first, where=where)
        return SearchMemoryResponse(memories=[_entry(hit) for hit in hits])


def _to_input(app_name: str, session: str, event: Event) -> MessageInput:
    content = event.content or Content()
    value = content.model_dump(mode="json", exclude_none=True)
    message = whole.to_input(_TYPE, value, role="user" if event.author == "user" else "assistant", text=_text(event))
    message.uuid = uuid5(_SPACE, f"{session}\0{event.id}")
    message.name = event.author
    message.created_at = datetime.fromtimestamp(event.timestamp, UTC)
    message.metadata = {_TYPE: {"app": app_name}}
    return message


def _text(event: Event) -> str:
    parts = event.content.parts if event.content is not None else None
    return "\n".join(part.text for part in parts or () if part.text and not part.thought)


def _entry(hit: SearchHit) -> MemoryEntry:
    message = hit.node
    value = whole.value_of(_TYPE, message)
    content = Content(parts=[Part(text=message.content)]) if value is None else Content.model_validate(value)
    return MemoryEntry(
        content=content, id=str(message.uuid), author=message.name, timestamp=message.created_at.isoformat()
    )
