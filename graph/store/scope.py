"""Which sessions and users a caller may see, as a MongoDB filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from graph.errors import Forbidden, shown
from graph.store.documents import SessionDocument

_CHOSEN_BY_USERS = UUID("6f0c6f0e-0d0e-4d43-9d2c-7a1f2f8f5b61")
"""The namespace of the message uuids that end users choose."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What every read and write of the store takes, so that no caller can forget it.

    Attributes:
        user_id: only this user and the sessions that belong to it; None sees everything.
        session_prefix: how ids of sessions that this caller makes must begin.
        roles: of the messages that this caller adds, edits and deletes one by one; None for all.
    """

    user_id: str | None = None
    session_prefix: str = ""
    roles: frozenset[str] | None = None

    def sessions(self) -> dict[str, Any]:
        """The filter to add to a query on `sessions`."""
        return {} if self.user_id is None else {"userId": self.user_id}

    def users(self) -> dict[str, Any]:
        """The filter to add to a query on `users`."""
        return {} if self.user_id is None else {"_id": self.user_id}

    def own_uuid(self, chosen: str) -> str:
        """The uuid of the message for which this caller chose a uuid.

        The choice of an end user counts among that user's messages alone: so it never meets somebody else's message,
        and does not reveal it.

        Args:
            chosen: in canonical form.
        """
        return chosen if self.user_id is None else str(uuid5(_CHOSEN_BY_USERS, f"{chosen}{self.user_id}"))

    def possible_uuids(self, given: str) -> tuple[str, ...]:
        """The uuids of the messages that this caller may mean by a uuid: the one it was chosen for, or that it is."""
        return (given,) if self.user_id is None else (self.own_uuid(given), given)

    def refuse_role(self, role: str, name: str) -> None:
        """Refuse to write a message of a role that is not the caller's.

        Args:
            role: the message's, as it is or as it is to be.
            name: what the caller calls it.

        Raises:
            Forbidden: other callers write messages of that role.
        """
        if self.roles is not None and role not in self.roles:
            allowed = ", ".join(sorted(self.roles))
            message = f"{name} is {shown(role)}, and your credentials write messages of these roles alone: {allowed}"
            raise Forbidden(message)

    def sees_session(self, session: SessionDocument) -> bool:
        """Whether a session document, read with `userId`, is within the scope."""
        return self.user_id is None or session.get("userId") == self.user_id


EVERYTHING = Scope()
