"""The sessions and users that a caller may see, as a MongoDB filter."""

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
    """The part of the data that a caller may see; an argument of every read and write of the store.

    Attributes:
        user_id: only this user and the sessions that belong to it; None sees all users and sessions.
        session_prefix: the required prefix of the ids of sessions that this caller creates.
        roles: the roles of messages that this caller may add, edit and delete; None for all.
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
        """Return the stored uuid of a message for the uuid that this caller chose.

        The choice of an end user identifies one of that user's messages alone, so that it never collides with another
        user's message, nor reveals it.

        Args:
            chosen: the chosen uuid in canonical form.
        """
        return chosen if self.user_id is None else str(uuid5(_CHOSEN_BY_USERS, f"{chosen}{self.user_id}"))

    def possible_uuids(self, chosen: str) -> tuple[str, ...]:
        """Return the possible stored uuids for a caller's uuid: derived from it, or equal to it."""
        return (chosen,) if self.user_id is None else (self.own_uuid(chosen), chosen)

    def refuse_role(self, role: str, name: str) -> None:
        """Refuse to write a message of a role that the caller may not write.

        Args:
            role: the old or new role of the message.
            name: the caller's name of the value, for the error message.

        Raises:
            Forbidden: the caller may not write messages of the role.
        """
        if self.roles is not None and role not in self.roles:
            allowed = ", ".join(sorted(self.roles))
            message = f"{name} is {shown(role)}, and your credentials write messages of these roles alone: {allowed}"
            raise Forbidden(message)

    def sees_session(self, session: SessionDocument) -> bool:
        """Whether a session document, read with `userId`, is within the scope."""
        return self.user_id is None or session.get("userId") == self.user_id


EVERYTHING = Scope()
