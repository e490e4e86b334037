"""Fair order of due messages: no user waits behind the many or long texts of another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from cachetools import LRUCache

from graph.store.documents import MessageDocument, SessionDocument

_REMEMBERED = 10_000  # maximum users and sessions; a forgotten one counts as new
_FORGOTTEN = 0.5  # factor of the remembered tokens with each claim, so that old claims do not count
_EACH = 16  # tokens charged for each message in addition to its text
_SHORT = 512  # tokens; texts that differ by less are taken in the order in which they became due


class Turns:
    """The tokens that a worker has lately taken of each user, and of each session without a user.

    This is start-time fair queueing (Goyal, Vin and Cheng, 1996), for users and, within one user, for sessions:
    a message starts at the tokens that were taken of its owner before it, and the one that starts first is next.
    """

    def __init__(self) -> None:
        self._taken: LRUCache[str, float] = LRUCache(_REMEMBERED)

    def ordered(
        self, messages: Iterable[MessageDocument], sessions: Mapping[str, SessionDocument]
    ) -> list[MessageDocument]:
        """Return the messages in the order in which they should be taken.

        Args:
            messages: with `sessionId`, `tokenCount` and `enrichment.dueAt`.
            sessions: their sessions by id, with `userId`.
        """
        waiting: defaultdict[str, defaultdict[str, list[MessageDocument]]] = defaultdict(lambda: defaultdict(list))
        for message in messages:
            waiting[_owner(message, sessions)][message["sessionId"]].append(message)
        started: list[tuple[float, MessageDocument]] = []
        for owner, by_session in waiting.items():
            start = self._taken.get(owner, 0.0)
            for message in _interleaved(by_session.values()):
                started.append((start, message))
                start += _cost(message)
        return [message for _, message in sorted(started, key=_start)]

    def note(self, messages: Iterable[MessageDocument], sessions: Mapping[str, SessionDocument]) -> None:
        """Add the tokens of one claim."""
        for owner, taken in list(self._taken.items()):
            if taken < _EACH:
                del self._taken[owner]
            else:
                self._taken[owner] = taken * _FORGOTTEN
        for message in messages:
            owner = _owner(message, sessions)
            self._taken[owner] = self._taken.get(owner, 0.0) + _cost(message)


def _interleaved(sessions: Iterable[list[MessageDocument]]) -> list[MessageDocument]:
    """Return the messages of one owner, by turns of the sessions, short texts first."""
    started: list[tuple[float, MessageDocument]] = []
    for messages in sessions:
        start = 0.0
        for message in sorted(messages, key=lambda message: (message["tokenCount"] // _SHORT, _due_at(message))):
            started.append((start, message))
            start += _cost(message)
    return [message for _, message in sorted(started, key=_start)]


def _start(item: tuple[float, MessageDocument]) -> tuple[float, object]:
    start, message = item
    return start, _due_at(message)


def _due_at(message: MessageDocument) -> object:
    return message["enrichment"]["dueAt"]


def _cost(message: MessageDocument) -> float:
    return float(message["tokenCount"] + _EACH)


def _owner(message: MessageDocument, sessions: Mapping[str, SessionDocument]) -> str:
    session_id = message["sessionId"]
    session = sessions.get(session_id)
    user_id = None if session is None else session.get("userId")
    return f"s:{session_id}" if user_id is None else f"u:{user_id}"
