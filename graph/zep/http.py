"""Reading a Zep request and writing the answer; errors are one line of text, as Zep's clients expect."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from graph.access.caller import Caller, Right
from graph.errors import BadUserInput, ErrorCode, OperationError
from graph.execution.size import MUTATION
from graph.operations.backend import Backend
from graph.operations.bounds import read_bounds
from graph.operations.validation import MAX_PAGE
from graph.request.guards import Guards
from graph.request.masking import InternalError
from graph.settings import Settings
from graph.store.scope import Scope
from graph.telemetry.steps import fail, note
from graph.transport.http import RequestRefused, read_json_body
from graph.transport.origins import Origins
from graph.transport.watch import Watch

STATUS = {
    ErrorCode.BAD_USER_INPUT: 400,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 400,  # Zep has no 409: a duplicate is a bad request
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.TOO_COSTLY: 429,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}

MOST = 2**31 - 1
"""Greater numbers in the address mean the same as this one."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,1000}")


class Call:
    """One request.

    Attributes:
        backend: the open parts of the process.
        settings: the limits of requests.
        scope: the sessions and users that the caller may see.
        changes: whether the request changes data.
    """

    def __init__(self, request: Request, caller: Caller, *, changes: bool) -> None:
        self._request = request
        self._caller = caller
        self._body: Any = None
        self.backend: Backend = request.app.state.backend
        self.settings: Settings = request.app.state.settings
        self._guards: Guards = request.app.state.guards
        self.scope: Scope = caller.scope
        self.changes = changes

    def path(self, name: str) -> str:
        """A part of the path, percent-decoded here so that an encoded `/` stays within its part."""
        try:
            part = unquote_to_bytes(self._request.path_params[name]).decode()
        except UnicodeDecodeError:
            raise BadUserInput("the address is not UTF-8") from None
        if not part:
            raise BadUserInput(f"{name} is empty in the address")
        return part

    def number(self, name: str, *, least: int = 0) -> int | None:
        """A whole number of the query string; absent or empty is None."""
        return number_of(self._request, name, least=least)

    def limit(self, default: int = MAX_PAGE) -> int:
        """The maximum number of items that the request asks for, 1,000 at most.

        Args:
            default: where the request does not say.
        """
        asked = self.number("limit")
        return default if asked is None else min(asked, MAX_PAGE)

    async def charge(self, items: int) -> None:
        """Take the cost of items that are read beyond the usual number from the caller's budget.

        Raises:
            TooCostly: the budget is spent.
        """
        await self._guards.budgets.spend(self._caller, items)

    async def body(self) -> dict[str, Any]:
        """The body, a JSON object with any Content-Type: the JavaScript client sends some as text/plain.

        Raises:
            BadUserInput: the body is not a JSON object.
            RequestRefused: the body is not JSON, is too large, or does not arrive.
        """
        if self._body is None:
            limit, seconds = self.settings.body_limit, self.settings.request_timeout
            value = await read_json_body(self._request, limit=limit, seconds=seconds, labelled=False)
            if not isinstance(value, dict):
                raise BadUserInput("the body must be a JSON object")
            self._body = value
        body: dict[str, Any] = self._body
        return body


def number_of(request: Request, name: str, *, least: int = 0) -> int | None:
    """A whole number of the query string; absent or empty is None."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not _WHOLE.fullmatch(text) or int(text) < least:
        message = f"{name} must be a whole number from {least}"
        raise BadUserInput(message)
    return min(int(text), MOST)


def text_of(body: dict[str, Any], name: str) -> str | None:
    """A text of a body; absent and null are None."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        message = f"{name} must be a string"
        raise BadUserInput(message)
    return value


def needed_text(body: dict[str, Any], name: str, prefix: str = "") -> str:
    """A text that a body must have."""
    value = text_of(body, name)
    if value is None:
        message = f"{prefix}{name} is missing: send a string"
        raise BadUserInput(message)
    return value


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


async def _caller_of(request: Request, right: Right, items: int) -> Caller:
    """Return the caller: the one place where a Zep request is authenticated, and charged like a GraphQL request.

    Raises:
        Unauthenticated: who asks is not known.
        Forbidden: the caller may not do this.
        TooCostly: the caller's budget is spent.
    """
    guards: Guards = request.app.state.guards
    if right > Right.READ:
        origins: Origins = request.app.state.origins
        origins.require_allowed(request.headers)
    caller = await guards.authenticate(request.headers.get("authorization"))
    caller.require(right)
    asked = number_of(request, "limit"), number_of(request, "lastn") or None
    items = min(max((number for number in asked if number is not None), default=items), MAX_PAGE)
    await guards.budgets.spend(caller, items + (MUTATION if right > Right.READ else 0))
    return caller


def endpoint(handler: Handler, right: Right, items: int) -> Endpoint:
    """The handler as Starlette calls it, with every error answered as Zep's clients expect.

    Args:
        handler: makes the response.
        right: the right that the caller needs.
        items: how many items the answer usually has, where the request does not say.
    """
    name = f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}"

    @wraps(handler)
    async def answer(request: Request) -> Response:
        note(protocol="zep", operation=name)
        try:
            call = Call(request, await _caller_of(request, right, items), changes=right != Right.READ)
            if call.changes:  # is carried through without its client, and has a deadline
                async with read_bounds(call.backend, changes=True):
                    return await handler(call)
            if request.method == "POST":
                await call.body()  # the rest of the body shows whether the client is still there
            watch = Watch(request, call, call.settings.operation_timeout)
            async with watch, read_bounds(call.backend, changes=False):
                return await handler(call)
        except OperationError as error:
            return refusal(str(error), STATUS[error.code], error)
        except RequestRefused as refused:
            return refusal(str(refused), refused.status)
        except ClientDisconnect:
            return refusal("the connection was closed", 400)
        except Exception as failure:  # noqa: BLE001 - it is logged
            return refusal(InternalError.logged(failure, request.url.path).message, 500)

    return answer


def refusal(message: str, status: int, error: OperationError | None = None) -> Response:
    """An error as one line of text."""
    fail(f"HTTP_{status}" if error is None else error.code.value)
    line = " ".join(message.split()).encode(errors="backslashreplace")
    headers = {"WWW-Authenticate": 'Bearer realm="recallql"'} if status == 401 else {}
    if error is not None and "retryAfter" in error.extensions:
        headers["Retry-After"] = str(error.extensions["retryAfter"])
    return PlainTextResponse(line, status, headers)


def json_answer(value: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")


def ok_answer() -> Response:
    """The answer of Zep to a change: a plain OK."""
    return PlainTextResponse("OK")
