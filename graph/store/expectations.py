"""The session that a caller has read before a change of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graph.errors import Conflict


@dataclass(frozen=True, slots=True)
class ExpectedSession:
    """The session that a change is meant for.

    The revision alone does not identify it: a session that was deleted and made again with its id counts its revisions
    from 1 again.

    Attributes:
        revision: the revision before the change, 0 for a new session; None for any.
        uuid: the session's UUID; None for any.
    """

    revision: int | None = None
    uuid: str | None = None

    def refuse_other(self, revision: int, uuid: str | None) -> None:
        """Refuse to change a session that is not the expected one.

        Args:
            revision: the revision of the session before the change; 0 for a new session.
            uuid: its UUID; None for a new session.

        Raises:
            Conflict: the session is another one, or was changed; `extensions.revision` is its revision.
        """
        if self.uuid not in (None, uuid):
            found = "there is no session with this id" if uuid is None else f"the session with this id has {uuid}"
            raise Conflict(f"expectedUuid is {self.uuid}, and {found}: read it again", revision=revision)
        if self.revision not in (None, revision):
            message = f"expectedRevision is {self.revision:,}, and the session has revision {revision:,}: read it again"
            raise Conflict(message, revision=revision)


NOTHING_EXPECTED: Final = ExpectedSession()
