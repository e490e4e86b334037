"""Which sessions and users a caller may see, as a MongoDB filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graph.store.documents import SessionDocument


@dataclass(frozen=True, slots=True)
class Scope:
    """What every read and write of the store takes, so that no caller can forget it.

    Attributes:
        user_id: only this user and the sessions that belong to it; None sees everything.
        session_prefix: how ids of sessions that this caller makes must begin.
    """

    user_id: str | None = None
    session_prefix: str = ""

    def sessions(self) -> dict[str, Any]:
        """The filter to add to a query on `sessions`."""
        return {} if self.user_id is None else {"userId": self.user_id}

    def users(self) -> dict[str, Any]:
        """The filter to add to a query on `users`."""
        return {} if self.user_id is None else {"_id": self.user_id}

    def sees_session(self, session: SessionDocument) -> bool:
        """Whether a session document, read with `userId`, is within the scope."""
        return self.user_id is None or session.get("userId") == self.user_id


EVERYTHING = Scope()
