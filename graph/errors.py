"""Every error that RecallQL raises on purpose.

* RecallQLError
  * StartupError                 the process can't start: one line, exit status 2
  * TransferError                an export or import ends here: one line, exit status 1
  * ErasureUnderWay              within the store: finish an erasure first; no caller sees it
  * OperationError               an operation was refused; has a `code` that clients see
    * BadUserInput               BAD_USER_INPUT
    * NotFound                   NOT_FOUND
    * Conflict                   CONFLICT
    * Unauthenticated            UNAUTHENTICATED
    * Forbidden                  FORBIDDEN
    * TooCostly                  TOO_COSTLY
    * Unavailable                UNAVAILABLE
      * OutcomeUnknown           UNAVAILABLE; `extensions.outcome` is UNKNOWN
      * StoredButUnfinished       UNAVAILABLE; `extensions.outcome` is STORED
    * PersistedQueryNotFound     PERSISTED_QUERY_NOT_FOUND
    * PersistedQueryNotSupported PERSISTED_QUERY_NOT_SUPPORTED

Any other exception is a defect: callers get `INTERNAL` with an id, and the log has the traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, ClassVar


class ErrorCode(StrEnum):
    """The values of `extensions.code` on a GraphQL error."""

    BAD_USER_INPUT = "BAD_USER_INPUT"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    TOO_COSTLY = "TOO_COSTLY"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"


class RecallQLError(Exception):
    """The base class of RecallQL's errors."""


class StartupError(RecallQLError):
    """The process can't start with its settings; the message is one line with the change to make."""


MORE_THREADS = (
    "raise the limit of processes and threads of this user (`ulimit -u`), of the systemd unit (TasksMax=) or of the"
    " container (pids)"
)
"""The advice when the system refuses a thread."""


@contextmanager
def named_thread_limit() -> Iterator[None]:
    """Raise an error that names the limit if the system refuses a thread within the block.

    Raises:
        StartupError: the system refused a thread.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) != "can't start new thread":
            raise
        raise StartupError(f"the system refused another thread: {MORE_THREADS}") from None


class TransferError(RecallQLError):
    """An export or import can't continue; the message is one line with the place and the change to make."""


class ErasureUnderWay(RecallQLError):
    """A write found data that is being erased: the store finishes the erasure and tries again.

    Attributes:
        job: the id of the erasure.
    """

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job


class OperationError(RecallQLError):
    """An operation was refused and changed nothing, except with the subclasses of `Unavailable`.

    Attributes:
        code: the value of `extensions.code`.
        extensions: further entries of the GraphQL error's `extensions`. `setting` names the setting of the limit; end
            users do not get it.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(self, message: str, **extensions: object) -> None:
        super().__init__(message)
        self.extensions: dict[str, Any] = {"code": self.code.value, **extensions}

    def extensions_for(self, *, names_settings: bool) -> dict[str, Any]:
        """Return the extensions for a caller, with or without `setting`."""
        return {name: value for name, value in self.extensions.items() if names_settings or name != "setting"}


class BadUserInput(OperationError):
    """A value is refused; the message names the value and the allowed ones."""

    code = ErrorCode.BAD_USER_INPUT


class NotFound(OperationError):
    """The object does not exist, or is outside the caller's scope."""

    code = ErrorCode.NOT_FOUND


class Conflict(OperationError):
    """The change contradicts the stored data."""

    code = ErrorCode.CONFLICT


class Unauthenticated(OperationError):
    """No valid credentials came with the request."""

    code = ErrorCode.UNAUTHENTICATED


class Forbidden(OperationError):
    """The credentials are valid, but their right is too low for the operation."""

    code = ErrorCode.FORBIDDEN


class TooCostly(OperationError):
    """The operation exceeds a limit."""

    code = ErrorCode.TOO_COSTLY


class Unavailable(OperationError):
    """The database can't answer now; the same request may succeed later."""

    code = ErrorCode.UNAVAILABLE


class PersistedQueryNotFound(OperationError):
    """The hash of an automatic persisted query is unknown. Clients depend on the message and the code."""

    code = ErrorCode.PERSISTED_QUERY_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class PersistedQueryNotSupported(OperationError):
    """Automatic persisted queries are disabled. Clients depend on the message and the code."""

    code = ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


class StoredButUnfinished(Unavailable):
    """A change is stored, but the work after it has not ended: the work continues without the caller."""

    def __init__(self, message: str) -> None:
        super().__init__(message, outcome="STORED")


class OutcomeUnknown(Unavailable):
    """A change was sent, and MongoDB did not confirm it: the change may be stored or not."""

    def __init__(self, message: str) -> None:
        super().__init__(message, outcome="UNKNOWN")


MOST_SHOWN = 100
"""Maximum characters of one input that an error shows; two inputs have at most 200."""


def shown(value: object) -> str:
    """Return a caller's value for an error message, cut if it is long."""
    if isinstance(value, str | bytes):
        value = value[: MOST_SHOWN + 1]  # without the cut, `repr` would process megabytes
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"
