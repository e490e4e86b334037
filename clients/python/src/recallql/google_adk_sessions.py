"""Google ADK: a session service (`pip install recallql-client[google-adk]`)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_OID, uuid4, uuid5
from weakref import WeakValueDictionary

from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event
from google.adk.sessions import BaseSessionService, Session, State
from google.adk.sessions.base_session_service import GetSessionConfig, ListSessionsResponse
from pydantic_core import to_jsonable_python

from recallql import whole
from recallql.client import AsyncRecallQL, Message
from recallql.errors import Conflict, NotFound
from recallql.generated.fragments import SessionFields
from recallql.generated.input_types import (
    CreateSessionInput,
    DeleteSessionInput,
    ItemInput,
    MessageInput,
    MetadataFilter,
    PutItemsInput,
    SessionFilter,
)

_TYPE = "google-adk"
_KEY = "googleAdk"
"""The key in a session's metadata under which its state is."""
_PAGE = 100
_ITEMS = 1_000
_AT_ONCE = 100
"""Maximum items of one mutation."""
_KEY_BYTES = 512
_VALUE_BYTES = 262_144


class RecallQLSessionService(BaseSessionService):
    """Sessions of ADK, with exact events and with the state of sessions, users and applications.

    A session is the session `google-adk/{app_name}/{user_id}/{session_id}` of the user, each name percent-encoded. An
    event is a message with the event as its part and its text as the content, which searches read. The state of a
    session is in the session's metadata. The state of a user (`user:`) is in items of the user, and the state of an
    application (`app:`) in items of the user `google-adk/{app_name}`, which end users can't write: the client needs a
    service key then. State with `temp:` is never stored.

    The name alone makes no session: one with such a name that belongs to another user, as an end user can create it, or
    whose metadata is not that of this service is as one that does not exist. It keeps the name from its user until it
    is deleted, which `delete_session` does.

    One append is one transaction for the event and the state of the session: both are stored or neither, and only
    while the session is as it was read, also by others than ADK. The states of the user and of the application follow,
    each in a transaction of its own for 100 keys: where one of them fails, the append raises its error, the event is
    stored, and the state lacks what the event says until the event is appended again. Of two appends to different
    sessions, each key has the later value. `create_session` stores the session first and these states then; what is
    missing after an error there stays missing.

    An event that the session has, with equal fields, is not appended again. A stale session is one of another
    revision, or one that was deleted, also where another one was made with its id.

    Args:
        client: the client.
    """

    def __init__(self, client: AsyncRecallQL) -> None:
        self._client = client
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        """Create a session.

        Raises:
            AlreadyExistsError: the session exists.
            ValueError: a key or value of the state is too long; nothing is stored.
        """
        session_id = (session_id or "").strip() or str(uuid4())
        name, delta, made = _name(app_name, user_id, session_id), _Delta.of(state or {}), str(uuid4())
        about = {"app": app_name, "user": user_id, "id": session_id, "made": made, "updated": time.time()}
        given = {"sessionId": name, "userId": user_id, "metadata": {_KEY: {**about, "state": delta.session}}}
        try:
            await self._client.operations.create_session(CreateSessionInput.model_validate(given))
        except Conflict:
            found = await self._stored(name, user_id)
            if found is None or found.metadata[_KEY]["made"] != made:  # else the answer of an attempt was lost
                message = f"Session with id {session_id} already exists."
                raise AlreadyExistsError(message) from None
        await self._put(app_name, user_id, delta)
        created = await self._stored(name, user_id)
        if created is None:
            message = f"Session {session_id} not found."
            raise SessionNotFoundError(message)
        return _session(created, [], await self._shared(app_name, user_id))

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        """Return a session with its events; None for an unknown session."""
        name = _name(app_name, user_id, session_id.strip())
        found = await self._stored(name, user_id)
        if found is None:
            return None
        # After the revision: an event that comes in between makes the session stale, and is never missed.
        events = await self._events(name, config or GetSessionConfig())
        return _session(found, events, await self._shared(app_name, user_id))

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """Return the sessions of a user, or of all users, without events, in the order of their last updates."""
        wanted = MetadataFilter(segments=[_KEY, "app"], equals=app_name)
        where = SessionFilter(metadata=[wanted])
        if user_id is not None:
            where.user_id = user_id
        after: str | None = None
        found: list[SessionFields] = []
        while True:
            page = (await self._client.operations.sessions(_PAGE, after, where)).sessions
            found += [edge.node for edge in page.edges if _is_own(edge.node, app_name)]
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                break
        of_app = await self._state(_owner(app_name), app_name, "app") if found else {}
        states: dict[str, dict[str, Any]] = {}
        for user in {one.metadata[_KEY]["user"] for one in found}:
            states[user] = _prefixed(of_app, await self._state(user, app_name, "user"))
        sessions = [_session(one, [], states[one.metadata[_KEY]["user"]]) for one in found]
        sessions.sort(key=lambda session: (session.last_update_time, session.user_id, session.id))
        return ListSessionsResponse(sessions=sessions)

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Delete a session with its events; the states of the user and of the application stay."""
        given = {"sessionId": _name(app_name, user_id, session_id.strip())}
        with suppress(NotFound):
            await self._client.operations.delete_session(DeleteSessionInput.model_validate(given))

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        """Return the state of a user in an application, without `user:` in the keys."""
        return await self._state(user_id, app_name, "user")

    async def append_event(self, session: Session, event: Event) -> Event:
        """Store an event and its changes of state, and apply them to the session; a partial event is ignored.

        Raises:
            SessionNotFoundError: the session does not exist.
            StaleSessionError: the session changed since it was read; nothing is stored.
            ValueError: a key or value of the state is too long; nothing is stored.
        """
        if event.partial or any(one.id == event.id and one == event for one in session.events):
            return event
        name = _name(session.app_name, session.user_id, session.id)
        async with self._locks.setdefault(name, asyncio.Lock()):  # branches of an invocation share the session
            delta = _Delta.of(event.actions.state_delta)
            marker = await self._add(session, name, event, delta)
            await self._put(session.app_name, session.user_id, delta)
            await super().append_event(session=session, event=event)
            session.last_update_time = event.timestamp
            session._storage_update_marker = marker  # noqa: SLF001 - where ADK's own services have it
        return event

    async def _add(self, session: Session, name: str, event: Event, delta: _Delta) -> str:
        """Store an event with the session's state; return the session's marker."""
        message, marker = _to_input(event), session._storage_update_marker  # noqa: SLF001
        marker = marker or await self._matching(session, name)
        uuid, revision = marker.split("/")
        key = str(uuid5(NAMESPACE_OID, json.dumps([name, marker, message.parts], sort_keys=True)))
        metadata = {_KEY: {"updated": event.timestamp, "state": delta.session, "last": key}}
        try:
            added = await self._client.add(
                name,
                message,
                user_id=session.user_id,
                metadata=metadata,
                expected_revision=int(revision),
                expected_uuid=uuid,
                idempotency_key=key,
            )
        except Conflict:
            if await self._stored(name, session.user_id) is None:
                raise _unknown(session) from None
            raise _stale() from None
        if not added.replayed:
            return f"{uuid}/{added.session.revision}"
        # The answer of an attempt was lost. Another append may have followed it, by which the session is stale.
        found = await self._stored(name, session.user_id)
        return _marker(found) if found is not None and found.metadata[_KEY].get("last") == key else marker

    async def _matching(self, session: Session, name: str) -> str:
        """Return the marker of a session that was made without this service, if its events are the stored ones."""
        found = await self._stored(name, session.user_id)
        if found is None:
            raise _unknown(session)
        if found.metadata[_KEY]["updated"] > session.last_update_time:
            last = [event.id for event in await self._events(name, GetSessionConfig(num_recent_events=1))]
            if last != [event.id for event in session.events[-1:]]:
                raise _stale()
        return _marker(found)

    async def _stored(self, name: str, user_id: str) -> SessionFields | None:
        """Return a session; None for an unknown one, one of another user, and one that this service did not make."""
        found = (await self._client.operations.session(name)).session
        return found if found is not None and _is_own(found) and found.metadata[_KEY]["user"] == user_id else None

    async def _events(self, name: str, config: GetSessionConfig) -> list[Event]:
        events: list[Event] = []
        if config.num_recent_events == 0:
            return events
        async for message in self._newest_first(name):
            value = whole.value_of(_TYPE, message)
            if value is None:  # of another client
                continue
            event = Event.model_validate(value)
            if config.after_timestamp is not None and event.timestamp < config.after_timestamp:
                break
            events.append(event)
            if len(events) == config.num_recent_events:
                break
        return events[::-1]

    async def _newest_first(self, name: str) -> AsyncIterator[Message]:
        before: str | None = None
        while True:
            session = (await self._client.operations.messages(name, last=_PAGE, before=before)).session
            if session is None:
                return
            for edge in reversed(session.messages.edges):
                yield edge.node
            before = session.messages.page_info.start_cursor
            if not session.messages.page_info.has_previous_page:
                return

    async def _shared(self, app_name: str, user_id: str) -> dict[str, Any]:
        """Return the states of an application and of a user, with their prefixes."""
        of_app = await self._state(_owner(app_name), app_name, "app")
        return _prefixed(of_app, await self._state(user_id, app_name, "user"))

    async def _state(self, owner: str, app_name: str, kind: str) -> dict[str, Any]:
        after: str | None = None
        found: dict[str, Any] = {}
        while True:
            page = (
                await self._client.operations.items(owner, _namespace(app_name, kind), first=_ITEMS, after=after)
            ).items
            nodes = [edge.node for edge in page.edges]
            found |= {node.key[1:]: node.value["value"] for node in nodes if "value" in node.value}
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                return found

    async def _put(self, app_name: str, user_id: str, delta: _Delta) -> None:
        for owner, kind, state in ((user_id, "user", delta.user), (_owner(app_name), "app", delta.app)):
            items = [
                ItemInput(namespace=_namespace(app_name, kind), key=_key(key), value={"value": value}, index=[])
                for key, value in state.items()
            ]
            for first in range(0, len(items), _AT_ONCE):
                given = {"user_id": owner, "items": items[first : first + _AT_ONCE]}
                await self._client.operations.put_items(PutItemsInput.model_validate(given))


@dataclass(frozen=True, slots=True)
class _Delta:
    """Changes of state, as JSON and without `temp:`.

    Attributes:
        session: the values of the session, each in a list, which an update of metadata replaces whole.
        user: the values of the user.
        app: the values of the application.
    """

    session: dict[str, list[Any]] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    app: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> _Delta:
        """Return the changes that a state says.

        Raises:
            ValueError: a key or value of the user or of the application is longer than an item may be.
        """
        delta = cls()
        for key, given in state.items():
            if key.startswith(State.TEMP_PREFIX):
                continue
            value = to_jsonable_python(given)
            for prefix, values in ((State.APP_PREFIX, delta.app), (State.USER_PREFIX, delta.user)):
                if key.startswith(prefix):
                    _check(key, value)
                    values[key.removeprefix(prefix)] = value
                    break
            else:
                delta.session[key] = [value]
        return delta


def _check(key: str, value: object) -> None:
    """Refuse what the store of items would refuse after the event is stored."""
    size = len(json.dumps({"value": value}, ensure_ascii=False).encode())
    if len(key.encode()) > _KEY_BYTES or size > _VALUE_BYTES:
        message = (
            f"state[{key[:100]!r}] has {size:,} bytes, and {_VALUE_BYTES:,} are accepted with a key of {_KEY_BYTES}"
        )
        raise ValueError(message)


def _prefixed(of_app: Mapping[str, Any], of_user: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{State.APP_PREFIX + key: value for key, value in of_app.items()},
        **{State.USER_PREFIX + key: value for key, value in of_user.items()},
    }


def _name(app_name: str, user_id: str, session_id: str) -> str:
    return "/".join((_TYPE, *(quote(one, safe="") for one in (app_name, user_id, session_id))))


def _owner(app_name: str) -> str:
    return f"{_TYPE}/{quote(app_name, safe='')}"


def _namespace(app_name: str, kind: str) -> list[str]:
    return [_TYPE, app_name, kind]


def _key(key: str) -> str:
    return f"={key}"  # a key of an item is never empty


def _to_input(event: Event) -> MessageInput:
    value = event.model_dump(mode="json", exclude_none=True)
    delta = value.get("actions", {}).get("state_delta", {})
    for key in [key for key in delta if key.startswith(State.TEMP_PREFIX)]:
        del delta[key]
    parts = event.content.parts if event.content is not None else None
    text = "\n".join(part.text for part in parts or () if part.text and not part.thought)
    message = whole.to_input(_TYPE, value, role="user" if event.author == "user" else "assistant", text=text)
    message.name = event.author or None
    if event.timestamp <= time.time():
        message.created_at = datetime.fromtimestamp(event.timestamp, UTC)
    return message


def _is_own(found: SessionFields, app_name: str | None = None) -> bool:
    """Whether a session is one of an application, and its metadata says its name and its user as they are."""
    about = found.metadata.get(_KEY)
    if found.user is None or not isinstance(about, dict):
        return False
    app, key, state = about.get("app"), about.get("id"), about.get("state")
    return (
        isinstance(app, str)
        and isinstance(key, str)
        and isinstance(about.get("made"), str)
        and about.get("user") == found.user.user_id
        and found.session_id == _name(app, found.user.user_id, key)
        and app_name in (None, app)
        and isinstance(about.get("updated"), int | float)
        and isinstance(state, dict)
        and all(isinstance(value, list) and len(value) == 1 for value in state.values())
    )


def _session(found: SessionFields, events: list[Event], shared: Mapping[str, Any]) -> Session:
    about = found.metadata[_KEY]
    own = {key: value for key, (value,) in about["state"].items()}
    session = Session(
        id=about["id"],
        app_name=about["app"],
        user_id=about["user"],
        state={**own, **shared},
        events=events,
        last_update_time=about["updated"],
    )
    session._storage_update_marker = _marker(found)  # noqa: SLF001
    return session


def _marker(found: SessionFields) -> str:
    """Return which session was read, and its revision: one that is made again has equal revisions."""
    return f"{found.uuid}/{found.revision}"


def _stale() -> StaleSessionError:
    return StaleSessionError("the session changed since it was read: read it again before you append")


def _unknown(session: Session) -> SessionNotFoundError:
    return SessionNotFoundError(f"Session {session.id} not found.")
