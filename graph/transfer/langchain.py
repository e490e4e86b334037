"""Chat histories of LangChain as records of an import.

A message has the form that the Python client's `recallql.langchain` gives it, so that the client's history returns each
imported message equal to the one that LangChain had stored. UUIDs come from the ids of the documents, so that a second
import stores nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias
from uuid import UUID, uuid5

import orjson

from graph.errors import TransferError, shown
from graph.store.documents import Document
from graph.store.transfer.langchain import HISTORY, SESSION, read_histories
from graph.transfer.records import FORMAT, VERSION

__all__ = ["Histories", "header", "read_histories"]

Record: TypeAlias = dict[str, Any]

_NAMESPACE = UUID("1b0a4f0e-7d0f-4c39-8b57-3f0d5e0e9a42")
"""The namespace of UUIDs that are made from the ids of documents."""
_KEY = "langchain"
_ROLES = {"human": "user", "ai": "assistant"}
"""The roles of message types whose names differ."""


def header(user_id: str | None) -> Iterator[Record]:
    """Yield the records before the first message.

    Args:
        user_id: the user to whom the sessions belong.
    """
    yield {"format": FORMAT, "version": VERSION}
    if user_id is not None:
        yield {"type": "user", "userId": user_id}


class Histories:
    """Converts documents to records, session after session.

    Args:
        user_id: the user to whom the sessions belong.
    """

    def __init__(self, user_id: str | None) -> None:
        self._user_id = user_id
        self._session: str | None = None

    def records_of(self, documents: Iterable[Document]) -> Iterator[Record]:
        """Yield the records of the next documents.

        Raises:
            TransferError: a document is not a message of LangChain.
        """
        for document in documents:
            try:
                session_id = str(document[SESSION])
                record = _message(session_id, document)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise TransferError(
                    f"document {shown(str(document.get('_id')))} is not as LangChain stores messages"
                    f" ({type(error).__name__}: {error})"
                ) from None
            if session_id != self._session:
                self._session = session_id
                yield self._owner(session_id)
            yield record

    def _owner(self, session_id: str) -> Record:
        owner = {} if self._user_id is None else {"userId": self._user_id}
        return {"type": "session", "sessionId": session_id, **owner}


def _message(session_id: str, document: Document) -> Record:
    dumped: Mapping[str, Any] = orjson.loads(document[HISTORY])
    kind, data = str(dumped["type"]), dict(dumped["data"])
    content, calls = data.pop("content"), data.pop("tool_calls", None)
    parts = [] if isinstance(content, str) else [_block(block) for block in content]
    kept: Record = {"type": kind, "blocks": None if isinstance(content, str) else len(parts)}
    if calls is not None:
        kept["calls"] = len(calls)
        parts += [_call(call) for call in calls]
    record: Record = {
        "type": "message",
        "sessionId": session_id,
        "uuid": str(uuid5(_NAMESPACE, str(document["_id"]))),
        "role": str(data.get("role") or _ROLES.get(kind, kind)),
        "content": content if isinstance(content, str) else "\n".join(_texts(parts)),
    }
    name, call_id = data.pop("name", None), data.pop("tool_call_id", None)
    given = {"parts": parts or None, "name": name, "toolCallId": call_id, "createdAt": _created(document)}
    record |= {name: value for name, value in given.items() if value is not None}
    record["metadata"] = {_KEY: {**kept, "data": data}}
    return record


def _created(document: Document) -> str | None:
    """Return the time of the document's id, to the second; None for an id of another type."""
    made = getattr(document["_id"], "generation_time", None)
    return None if made is None else str(made.isoformat())


def _block(block: Any) -> Record:
    return {"type": "text", "text": block, "plain": True} if isinstance(block, str) else {**block}


def _texts(parts: Iterable[Record]) -> Iterator[str]:
    yield from (part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str))


def _call(call: Record) -> Record:
    return {"type": "tool-call", "toolCallId": call.get("id"), "toolName": call["name"], "args": call["args"]}
