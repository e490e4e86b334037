"""Conversion of exceptions to errors of the response, without internal details."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from graphql import GraphQLError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from graph.access.caller import Caller
from graph.errors import ErrorCode, OperationError
from graph.telemetry.steps import fail

logger = logging.getLogger(__name__)


_SHORT = 200  # maximum characters of a message that is not shortened
_PIECE = 40  # maximum characters of each value that a shortened message repeats, at most four
_END = 100
_REPEATED = (
    re.compile(r"( got invalid value )(.*?)(?=; | at ')", re.DOTALL),
    re.compile(r"(, found )(.*?)(?=; |$)", re.DOTALL),
    re.compile(r"( cannot represent [\w -]+ value: )(.*)", re.DOTALL),
    re.compile(r"((?<!\w))('[^']*'|\"[^\"]*\")"),
    re.compile(r"()(\S{41,})"),
)
"""Places where graphql-core repeats values and names of a request: its phrases, quoted texts, and long words."""


def shortened(message: str) -> str:
    """Shorten a message of graphql-core, so that it repeats at most 200 characters of the request."""
    if len(message) <= _SHORT:
        return message
    for repeated in _REPEATED:
        message = repeated.sub(_beginning, message)
    return message if len(message) <= 2 * _SHORT else f"{message[:_END]} … {message[-_END:]}"


def _beginning(found: re.Match[str]) -> str:
    before, value = found.groups()
    if len(value) <= _PIECE:
        return found[0]
    quote = value[0] if value[0] in "'\"" and value[-1] == value[0] else ""
    return f"{before}{value[: _PIECE - 2]}…{quote}"


@dataclass(frozen=True, slots=True)
class InternalError:
    """The error that stands for an unforeseen failure in a response.

    Attributes:
        error_id: the identifier of the failure in the log.
    """

    error_id: str

    @classmethod
    def logged(cls, failure: BaseException, place: object) -> Self:
        """Log a failure with the place where it happened, and return the error for its caller."""
        error_id = uuid4().hex
        logger.error("error %s at %s", error_id, place, exc_info=failure)
        return cls(error_id)

    @property
    def message(self) -> str:
        return f"an internal error occurred: find its cause in the service's log under {self.error_id}"

    @property
    def extensions(self) -> dict[str, str]:
        return {"code": ErrorCode.INTERNAL.value, "id": self.error_id}


class PublicError(GraphQLError):
    """An error without internal details."""


def public_error(error: GraphQLError, *, names_settings: bool = False) -> GraphQLError:
    """Return the error with its code and without internal details; write the details to the log.

    Args:
        error: the error of the executor.
        names_settings: whether `extensions.setting` is kept.
    """
    if isinstance(error, PublicError):
        return error
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, OperationError):
        return _with(error, str(cause), cause.extensions_for(names_settings=names_settings))
    if isinstance(cause, RecursionError) and error.path is None:
        return _with(
            error, "the operation is nested too deep: select fewer levels", {"code": ErrorCode.TOO_COSTLY.value}
        )
    if error.path is None and error.message.endswith("aborted."):  # by graphql-core, at its own limits
        return _with(error, error.message, {"code": ErrorCode.TOO_COSTLY.value})
    if cause is None or isinstance(cause, GraphQLError | CannotGetOperationTypeError | InvalidOperationTypeError):
        # graphql-core and Strawberry raise it: the document, a variable or a value does not match the schema.
        extensions = {"code": ErrorCode.BAD_USER_INPUT.value, **(error.extensions or {})}
        return _with(error, shortened(error.message), extensions)
    internal = InternalError.logged(cause, error.path)
    return _with(error, internal.message, internal.extensions)


def public_failure(failure: Exception, caller: Caller) -> GraphQLError:
    """Return the public error of an operation that did not start, or that ended with this failure."""
    raised = GraphQLError(str(failure), original_error=failure)
    found = public_error(raised, names_settings=caller.may_know_settings)
    fail(_code_of(found))
    return found


def public_errors(
    errors: Iterable[GraphQLError], *, suggestions: bool, changes: bool = False, names_settings: bool = False
) -> list[GraphQLError]:
    """Return the errors of a result without internal details.

    Args:
        errors: the errors of the executor.
        suggestions: whether an error suggests names similar to an unknown one.
        changes: whether the operation is a mutation.
        names_settings: whether `extensions.setting` is kept.
    """
    found = [public_error(error, names_settings=names_settings) for error in errors]
    if found:
        fail(_code_of(found[0]))
    if changes:
        found = [_after_commit(error) for error in found]
    return found if suggestions else [_without_suggestion(error) for error in found]


def _code_of(error: GraphQLError) -> str:
    return str((error.extensions or {}).get("code", ErrorCode.INTERNAL.value))


def _after_commit(error: GraphQLError) -> GraphQLError:
    """Add to an error below a root field of a mutation that the change is stored.

    Without the addition, the client would take the change for refused, and send it again.
    """
    if error.path is None or len(error.path) < 2:
        return error
    extensions = {**(error.extensions or {}), "outcome": "STORED"}
    return _with(error, f"{error.message} (this field failed; the change itself is stored)", extensions)


def _without_suggestion(error: GraphQLError) -> GraphQLError:
    """Return the error without graphql-core's suggestions, which reveal names of the schema."""
    message, found, _ = error.message.partition(" Did you mean ")
    return _with(error, message, error.extensions or {}) if found else error


def _with(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return PublicError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        original_error=error.original_error,
        extensions=extensions,
    )
