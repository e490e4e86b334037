"""The errors of the API, one class for each code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class RecallQLError(Exception):
    """The API answered with errors.

    Attributes:
        errors: the errors of the GraphQL response.
    """

    code: ClassVar[str] = ""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("; ".join(str(error.get("message")) for error in errors))
        self.errors = list(errors)

    @property
    def extensions(self) -> Mapping[str, Any]:
        """The `extensions` of the first error."""
        extensions: Mapping[str, Any] = self.errors[0].get("extensions") or {}
        return extensions


class BadUserInput(RecallQLError):
    """An argument is not accepted."""

    code = "BAD_USER_INPUT"


class NotFound(RecallQLError):
    """The object does not exist, or the caller may not see it."""

    code = "NOT_FOUND"


class Conflict(RecallQLError):
    """The write contradicts what is stored."""

    code = "CONFLICT"


class Unauthenticated(RecallQLError):
    """The credentials are missing or wrong."""

    code = "UNAUTHENTICATED"


class Forbidden(RecallQLError):
    """The caller lacks the right."""

    code = "FORBIDDEN"


class TooCostly(RecallQLError):
    """The operation costs more than the caller may spend; `extensions` may name the seconds to wait."""

    code = "TOO_COSTLY"


class Unavailable(RecallQLError):
    """The service can't answer now; `extensions` says whether the outcome of a write is unknown."""

    code = "UNAVAILABLE"


class Internal(RecallQLError):
    """The service failed in a way that was not foreseen."""

    code = "INTERNAL"


_BY_CODE = {error.code: error for error in RecallQLError.__subclasses__()}


def error_of(errors: Sequence[Mapping[str, Any]]) -> RecallQLError:
    """Return the exception for the errors of a response, of the class for the first error's code."""
    code = (errors[0].get("extensions") or {}).get("code")
    return _BY_CODE.get(str(code), RecallQLError)(errors)
