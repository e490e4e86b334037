"""Moving from a Zep v1 server: its users, sessions and messages, read over its API and written by the operations.

All items keep their uuids, so the same import can be run again: it leaves stored items unchanged, or updates them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from graph.errors import Conflict, OperationError, TransferError, shown
from graph.operations import sessions, users
from graph.operations.backend import Backend
from graph.operations.memory import MessageToAdd, add_memory
from graph.operations.times import cut
from graph.operations.validation import check_uuid
from graph.store.documents import Origin
from graph.store.scope import EVERYTHING
from graph.zep.shapes import own_metadata

PAGE = 100
"""Items asked for at once."""

_ATTEMPTS = 6
_BATCH_CHARACTERS = 1_000_000
"""Content that one transaction takes, unless one message has more."""

# The characters that Go does not encode in a path: Zep's router does not decode them where they are encoded.
_SAFE_IN_PATH = "$&+,:;=@"


@dataclass(slots=True)
class Report:
    """The progress of an import.

    Attributes:
        refused: the items that could not be imported, each with the reason.
    """

    users: int = 0
    sessions: int = 0
    messages: int = 0
    refused: list[str] = field(default_factory=list)


class Importer:
    """One import.

    Attributes:
        report: how far it is.
    """

    def __init__(
        self, backend: Backend, source: httpx.AsyncClient, progress: Callable[[Report], None], *, page: int = PAGE
    ) -> None:
        """Prepare.

        Args:
            backend: where to write.
            source: a client whose base is the Zep server.
            progress: called when the report has changed.
            page: how many items to ask for at once.
        """
        self._backend = backend
        self._source = source
        self._progress = progress
        self._page = page
        self.report = Report()

    async def run(self) -> Report:
        """Import all users, sessions and messages.

        Raises:
            TransferError: the server can't be read.
            Unavailable: the database does not answer.
        """
        async for user in self._listed("user"):
            await self._keep(f"user {shown(user.get('user_id'))}", self._user, user)
            self.report.users += 1
            self._progress(self.report)
        async for session in self._listed("sessions"):
            if await self._keep(f"session {shown(session.get('session_id'))}", self._session, session):
                await self._messages(session["session_id"])
            self.report.sessions += 1
            self._progress(self.report)
        return self.report

    async def _keep(self, name: str, write: Callable[[dict[str, Any]], Any], item: dict[str, Any]) -> bool:
        """Write one item; one that is refused is noted and the import goes on."""
        try:
            await write(item)
        except (OperationError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, OperationError) and error.code == "UNAVAILABLE":
                raise
            reason = str(error) if isinstance(error, OperationError) else f"it is not as Zep writes it ({error!r})"
            self.report.refused.append(f"{name}: {reason}")
            return False
        return True

    async def _user(self, user: dict[str, Any]) -> None:
        names = {name: user[name] for name in ("email", "first_name", "last_name") if user.get(name)}
        metadata = own_metadata(user.get("metadata"))
        try:
            await users.create_user(
                self._backend, EVERYTHING, user["user_id"], **names, metadata=metadata, origin=_origin(user)
            )
        except Conflict:
            await users.update_user(self._backend, EVERYTHING, user["user_id"], **names, metadata=metadata)

    async def _session(self, session: dict[str, Any]) -> None:
        options = {"user_id": session.get("user_id") or None, "metadata": own_metadata(session.get("metadata"))}
        session_id = session["session_id"]
        try:
            await sessions.create_session(self._backend, EVERYTHING, session_id, **options, origin=_origin(session))
        except Conflict:
            await sessions.update_session(self._backend, EVERYTHING, session_id, **options)

    async def _messages(self, session_id: str) -> None:
        path = f"sessions/{quote(session_id, safe=_SAFE_IN_PATH)}/messages"
        page = 1
        while True:
            answer = await self._get(path, {"limit": self._page, "cursor": page}, missing={"messages": []})
            found = (answer.get("messages") if isinstance(answer, dict) else None) or []
            for batch in _batches(found):
                await self._batch(session_id, batch)
                self.report.messages += len(batch)
                self._progress(self.report)
            if len(found) < self._page:
                return
            page += 1

    async def _batch(self, session_id: str, batch: list[dict[str, Any]]) -> None:
        async def add(messages: list[dict[str, Any]]) -> None:
            await add_memory(self._backend, EVERYTHING, session_id, [_message(message) for message in messages])

        try:
            await add(batch)
        except (OperationError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, OperationError) and error.code == "UNAVAILABLE":
                raise
            # One of them is refused: find out which.
            for message in batch:
                uuid = message.get("uuid") if isinstance(message, dict) else message
                await self._keep(f"session {shown(session_id)}, message {uuid}", lambda one: add([one]), message)

    async def _listed(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """All users or sessions, page by page, in the order of their integer ids."""
        cursor = 0
        while True:
            page = await self._get(path, {"limit": self._page, "cursor": cursor})
            if not page:
                return
            if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
                message = f"{self._source.base_url}{path} does not answer as Zep v1 does"
                raise TransferError(message)
            for item in page:
                if not item.get("deleted_at"):
                    yield item
            ids = [item["id"] for item in page if isinstance(item.get("id"), int)]
            cursor = max(ids) if ids and max(ids) > cursor else cursor + self._page

    async def _get(self, path: str, parameters: dict[str, int], *, missing: object = None) -> Any:
        """The answer to a request; `missing`, if given, where the server has nothing there any more.

        Raises:
            TransferError: no answer came, after several attempts.
        """
        where = f"{self._source.base_url}{path}"
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(_may_pass),
                stop=stop_after_attempt(_ATTEMPTS),
                wait=wait_random_exponential(multiplier=0.2, max=10),
                reraise=True,
            ):
                with attempt:
                    response = await self._source.get(path, params=parameters)
                    if response.status_code == 404 and missing is not None:
                        return missing
                    response.raise_for_status()
                    return response.json()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            reason = "set --api-key to a valid one" if status in (401, 403) else error.response.text.strip()[:200]
            message = f"{where} answered {status}: {reason}"
            raise TransferError(message) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"{where} can't be reached ({type(error).__name__}: {error}): run this again when it can"
            raise TransferError(message) from error
        except ValueError as error:
            message = f"{where} does not answer as Zep v1 does: {error}"
            raise TransferError(message) from error
        raise AssertionError  # the loop above returns or raises


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (429, 500, 502, 503, 504)
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _batches(messages: list[Any]) -> list[list[Any]]:
    """A page in parts that one transaction can take."""
    batches: list[list[Any]] = []
    size = 0
    for message in messages:
        length = len(str(message))
        if not batches or size + length > _BATCH_CHARACTERS:
            batches.append([])
            size = 0
        batches[-1].append(message)
        size += length
    return batches


def _message(message: dict[str, Any]) -> MessageToAdd:
    role, content = message["role"], message["content"]
    if not isinstance(role, str) or not isinstance(content, str):
        raise TypeError("role and content must be texts")
    time = _time(message.get("created_at"))
    return MessageToAdd(
        role,
        content,
        own_metadata(message.get("metadata")),
        check_uuid(message["uuid"], "uuid"),
        None if time is None else min(time, datetime.now(UTC)),  # a clock there may be ahead
    )


def _origin(item: dict[str, Any]) -> Origin:
    return Origin(check_uuid(item["uuid"], "uuid"), _time(item.get("created_at")) or cut(datetime.now(UTC)))


def _time(text: object) -> datetime | None:
    """A time as Go writes it, with up to nine digits of a second, in whole milliseconds; its zero time is None."""
    if not isinstance(text, str) or re.match(r"0001-", text):
        return None
    time = datetime.fromisoformat(text)
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return cut(time)
