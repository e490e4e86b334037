"""The caller of a request, its scope and its right."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import IntEnum

from graph.errors import Forbidden
from graph.store.scope import EVERYTHING, Scope


class Right(IntEnum):
    """The right of a caller; each right includes those before it.

    NOTHING: a WebSocket before `connection_init`. READ: queries and subscriptions. WRITE: mutations. ADMIN: mutations
    that reach beyond a conversation: each mutation declares its right.
    """

    NOTHING = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request, or the other end of a WebSocket.

    Attributes:
        name: unique to the caller, for the log and for counts per caller; not a secret.
        scope: the data that the caller sees: a filter that reaches the database with every read and write.
        right: the operations that the caller may run.
        expires_at: Unix time after which the credentials are void; None for never.
        key_id: the service key's, which may be revoked; None for others.
    """

    name: str
    scope: Scope
    right: Right
    expires_at: float | None = None
    key_id: str | None = None

    def seconds_left(self) -> float | None:
        """Seconds until the credentials expire, not below 0; None for never. A subscription ends then."""
        return None if self.expires_at is None else max(0.0, self.expires_at - time.time())

    @property
    def kind(self) -> str:
        """The kind of caller for logs and metrics: user, service, anyone or nobody; never a name."""
        if self.key_id is not None:
            return "service"
        return self.name if self in (ANYONE, NOBODY) else "user"

    @property
    def may_know_settings(self) -> bool:
        """Whether errors name the settings that decide: for backends, and where no authentication is needed."""
        return self.scope.user_id is None

    def require(self, right: Right) -> None:
        """Refuse an operation that needs a higher right than the caller has.

        Raises:
            Forbidden: the caller has a lesser right.
        """
        if self.right < right:
            message = f"your credentials allow {self.right.name.lower()}, and this operation needs {right.name.lower()}"
            raise Forbidden(message)


ANYONE = Caller("anyone", EVERYTHING, Right.ADMIN)
"""The caller where authentication is off."""

NOBODY = Caller("nobody", Scope(user_id=""), Right.NOTHING)
"""The caller of a WebSocket before `connection_init`: no user has the empty id."""
