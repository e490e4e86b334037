"""GraphQL requests in HTTP requests, and their answers.

The rules come from the GraphQL over HTTP specification, https://graphql.github.io/graphql-over-http/draft/.
"""

from __future__ import annotations

import asyncio
import json
import json.scanner
import math
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from functools import lru_cache
from typing import Any, NoReturn, TypeAlias

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from graph.errors import (
    BadUserInput,
    ErrorCode,
    OperationError,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
    Unauthenticated,
)
from graph.operations.concurrency import run_on_thread
from graph.request.answer import Answer, encode_json
from graph.request.persisted import OperationTexts
from graph.request.pipeline import OperationRequest
from graph.telemetry.steps import fail

_Scan: TypeAlias = Callable[[str, int], tuple[Any, int]]

JSON_TYPE = "application/json"
LINES_TYPES = ("application/x-ndjson", "application/jsonl")
"""The media types of a body that has one JSON value in each line."""
GRAPHQL_TYPE = "application/graphql-response+json"
COST_HEADER = "x-recallql-cost"
"""The header of a request whose answer must report its cost."""

STATUS = {
    ErrorCode.BAD_USER_INPUT: 400,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.TOO_COSTLY: 429,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
    ErrorCode.PERSISTED_QUERY_NOT_FOUND: 400,
    ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED: 400,
}
"""The HTTP status of a request that is refused before its operation is validated, by the code of its error."""


class RequestRefused(Exception):
    """The HTTP request is refused before its operation runs.

    Attributes:
        error: the error that callers receive.
        status: the HTTP status.
        headers: further headers of the answer.
    """

    def __init__(self, error: OperationError, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.status = status
        self.headers = dict(headers or {})


def refused(error: OperationError) -> RequestRefused:
    """Return the refusal for an error, with the status of the error's code."""
    headers = {"WWW-Authenticate": 'Bearer realm="recallql"'} if isinstance(error, Unauthenticated) else {}
    if "retryAfter" in error.extensions:
        headers["Retry-After"] = str(error.extensions["retryAfter"])
    return RequestRefused(error, STATUS[error.code], headers)


def _refuse(message: str, status: int = 400, headers: Mapping[str, str] | None = None) -> NoReturn:
    raise RequestRefused(BadUserInput(message), status, headers)


def opens_page(request: Request) -> bool:
    """Whether a request is a browser's navigation to the explorer, without an operation."""
    return request.method == "GET" and {"query", "documentId"}.isdisjoint(request.query_params)


async def read_json_body(request: Request, *, limit: int, seconds: float, labelled: bool = True) -> Any:
    """Read the body of a POST as JSON.

    Args:
        request: the request, whose body has not been read.
        limit: maximum bytes of the body; 0 disables the limit.
        seconds: maximum time until the body has arrived; 0 disables the limit.
        labelled: whether the Content-Type must be JSON.

    Raises:
        RequestRefused: the body is not JSON in UTF-8, has another Content-Type, is compressed, late or too large.
    """
    body = await read_body(request, limit=limit, seconds=seconds, labelled=labelled)
    if not body:
        example = ' such as {"query": "{ __typename }"}' if labelled else ""
        _refuse(f"the request has no body: send a JSON object{example} and its Content-Length")
    return await decode_large_json(body, "The body")


async def read_body(request: Request, *, limit: int, seconds: float, labelled: bool = True) -> bytearray:
    """Read the body of a POST, with the arguments of `read_json_body`.

    Raises:
        RequestRefused: the body has another Content-Type than JSON, is compressed, late or too large.
    """
    _check_headers(request.headers, limit, labelled=labelled)
    try:
        async with asyncio.timeout(seconds or None):
            return await _read(request, limit)
    except TimeoutError:
        _refuse(f"the body did not arrive within {seconds:g} seconds", 408, {"Connection": "close"})


async def _read(request: Request, limit: int) -> bytearray:
    body = bytearray()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if limit and len(body) > limit:
            _too_big(limit)
        more = message.get("more_body", False)
    return body


def _check_headers(headers: Mapping[str, str], limit: int, *, labelled: bool) -> None:
    if labelled:
        declared = headers.get("content-type")
        if declared is None:
            _refuse(f"the request has no Content-Type: send {JSON_TYPE}", 415)
        if content_type_of(declared) != JSON_TYPE:
            _refuse(f"Content-Type must be {JSON_TYPE}, or {' or '.join(LINES_TYPES)} for a POST of mutations", 415)
        refuse_other_charset(declared)
    refuse_encoded(headers)
    length = headers.get("content-length", "")
    if limit and length.isdecimal() and int(length[:20]) > limit:
        _too_big(limit)


def refuse_encoded(headers: Mapping[str, str]) -> None:
    """Refuse a compressed body.

    Raises:
        RequestRefused: the body has a Content-Encoding.
    """
    if headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        _refuse("the body has a Content-Encoding: send the body without one", 415, {"Accept-Encoding": "identity"})


@lru_cache(maxsize=256)
def content_type_of(declared: str) -> str:
    """Return the media type in a Content-Type header, in lower case."""
    content_type = Message()
    content_type["content-type"] = declared
    return content_type.get_content_type()


@lru_cache(maxsize=256)
def refuse_other_charset(declared: str) -> None:
    """Refuse a body whose Content-Type names another charset than UTF-8.

    Raises:
        RequestRefused: the charset is another one.
    """
    content_type = Message()
    content_type["content-type"] = declared
    charset = content_type.get_param("charset", "utf-8")
    if not isinstance(charset, str) or charset.lower() not in {"utf-8", "utf8"}:
        _refuse("the charset in Content-Type must be utf-8", 415)


def _too_big(limit: int) -> NoReturn:
    _refuse(f"the body has more than {limit:,} bytes, the maximum", 413)


async def decode_large_json(body: bytes | bytearray | str, name: str) -> Any:
    """Decode JSON like `decode_json`, a large text on a thread, so that the event loop is not blocked.

    Raises:
        RequestRefused: the body is not JSON in UTF-8.
    """
    if len(body) <= _LARGE:
        return _decode(body, name)
    return await run_on_thread(_decode, body, name)


def _decode(body: bytes | bytearray | str, name: str) -> Any:
    try:
        text = body if isinstance(body, str) else body.decode()
    except UnicodeDecodeError as error:
        _refuse(f"{name} is not UTF-8: byte {error.start} is wrong")
    return decode_json(text, name)


_LARGE = 262_144
"""Minimum bytes of JSON that is decoded on a thread; this number of bytes takes up to 50 ms."""


def decode_json(text: str, name: str) -> Any:
    """Decode JSON (RFC 8259).

    The parser is the standard library's: orjson turns whole numbers above 64 bits into floats silently, and its error
    for a lone surrogate does not give the place, while the operations' own checks name the field.
    """
    try:
        text = text.removeprefix(_BYTE_ORDER_MARK)
        return (_YieldingDecoder() if _is_dense(text) else _DECODER).decode(text)
    except json.JSONDecodeError as error:
        _refuse(f"{name} is not JSON: {error}")
    except RecursionError:
        _refuse(f"{name} is nested too deep")
    except ValueError as error:  # a number of thousands of digits, NaN, or a number too large for a float
        _refuse(f"{name} has a number out of range: {error}")


_BYTE_ORDER_MARK = "\ufeff"  # RFC 8259 allows a parser to ignore the mark


def _no_number(text: str) -> NoReturn:
    message = f"{text} is not JSON"
    raise ValueError(message)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        message = f"{text[:20]} is too large for a float"
        raise ValueError(message)
    return value


def _is_dense(text: str) -> bool:
    """Whether the text may hold more values than the compiled decoder should read at once."""
    return len(text) > _LARGE and sum(map(text.count, "[{,")) > _MOST_VALUES


MAX_VALUES = 500_000
"""Maximum values of one body or message: no operation needs more, and freeing more would block the event loop."""
_MOST_VALUES = 50_000
"""Maximum values that the compiled decoder reads at once, within 20 ms: it holds the interpreter lock until its end."""

_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)


class _YieldingDecoder(json.JSONDecoder):
    """The same decoder in Python: ten times slower, but other threads run meanwhile; it counts the values."""

    def __init__(self) -> None:
        super().__init__(parse_constant=_no_number, parse_float=_finite)
        self._values = 0
        self.parse_array = self._array
        self.parse_object = self._object
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]

    def _array(self, place: object, scan: _Scan) -> Any:
        return json.decoder.JSONArray(place, self._counted(scan))  # type: ignore[attr-defined]

    def _object(self, place: object, strict: bool, scan: _Scan, *more: object) -> Any:
        return json.decoder.JSONObject(place, strict, self._counted(scan), *more)  # type: ignore[attr-defined]

    def _counted(self, scan: _Scan) -> _Scan:
        def counted(text: str, start: int) -> tuple[Any, int]:
            self._values += 1
            if self._values > MAX_VALUES:
                _refuse(f"the JSON has more than {MAX_VALUES:,} values, the maximum: send fewer", 413)
            return scan(text, start)

        return counted


def read_query_parameters(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the GraphQL request of a GET, whose parameters `variables` and `extensions` are JSON texts."""
    read: dict[str, Any] = dict(parameters)
    for name in ("variables", "extensions"):
        if name in read:
            read[name] = decode_json(read[name], name) if read[name] else None
    return read


def check_request(data: object) -> dict[str, Any]:
    """Return the parts of a GraphQL request, each of its type or None.

    Raises:
        RequestRefused: the data is not a JSON object, or a part has another type.
    """
    if isinstance(data, list):
        _refuse("the body is a JSON array, and batches are not supported: send each operation in its own request")
    if not isinstance(data, dict):
        _refuse('the body must be a JSON object such as {"query": "{ __typename }"}')
    kinds = {"query": str, "operationName": str, "documentId": str, "variables": dict, "extensions": dict}
    for name, kind in kinds.items():
        value = data.get(name)
        if value is not None and not isinstance(value, kind):
            _refuse(f"{name} must be {'a string' if kind is str else 'a JSON object'} or null")
    for name in ("query", "operationName", "documentId"):
        if isinstance(data.get(name), str) and not is_unicode(data[name]):
            _refuse(f"{name} has a lone surrogate: send whole Unicode characters")
    return data


def operation_request(
    data: Mapping[str, Any], texts: OperationTexts, *, reports_cost: bool = False
) -> OperationRequest:
    """Return the operation of a checked request.

    Args:
        data: the result of `check_request`.
        texts: finds the document for a hash in the request.
        reports_cost: whether the headers ask for the cost.

    Raises:
        OperationError: `OperationTexts.text_of` finds no document.
    """
    return OperationRequest(
        texts.text_of(data),
        data.get("variables") or {},
        data.get("operationName") or None,
        data.get("extensions") or {},
        reports_cost,
    )


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can encode the text, so that no surrogate in the text stands alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=256)
def response_type(accept: str) -> str:
    """Return the media type of the answer: the preferred one, or `application/json` if `Accept` names neither."""
    best, chosen = 0.0, JSON_TYPE
    for part in accept.split(","):
        item = Message()
        item["content-type"] = part.strip() or JSON_TYPE
        name = item.get_content_type()
        try:
            quality = float(str(item.get_param("q", "1")))
        except ValueError:
            quality = 0.0
        if name in (JSON_TYPE, GRAPHQL_TYPE) and quality > best:
            best, chosen = quality, name
    return chosen


def answer_response(answer: Answer, *, media_type: str) -> Response:
    """Return the HTTP response with the answer to an operation."""
    status, headers = 200, {}
    if answer.is_refusal:
        # With `application/json`, each well-formed request has the status 200, even if its operation failed.
        status = 400 if media_type == GRAPHQL_TYPE else 200
        if seconds := _retry_after(answer.errors):
            status, headers = STATUS[ErrorCode.TOO_COSTLY], {"Retry-After": str(seconds)}
    return json_response(answer.formatted(), media_type=media_type, status=status, headers=headers)


def _retry_after(errors: Iterable[GraphQLError]) -> int | None:
    """Return the seconds until the same request can succeed, if the caller's budget is spent."""
    waits = [(error.extensions or {}).get("retryAfter") for error in errors]
    return next((seconds for seconds in waits if isinstance(seconds, int)), None)


def json_response(
    payload: object, *, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON response in a media type from `response_type`."""
    said = {"content-type": f"{media_type}; charset=utf-8", "vary": "Accept", **(headers or {})}
    return Response(encode_json(payload), status_code=status, headers=said)


def refusal_response(refusal: RequestRefused, *, media_type: str) -> Response:
    """Return the response to a request that was refused before its operation ran."""
    # The errors name no settings: the caller of a refused request may be unknown.
    fail(refusal.error.code.value)
    error = {"message": str(refusal.error), "extensions": refusal.error.extensions_for(names_settings=False)}
    status = refusal.status
    if media_type == JSON_TYPE and isinstance(refusal.error, PersistedQueryNotFound | PersistedQueryNotSupported):
        status = 200  # the request is well formed, and clients of `application/json` expect 200
    return json_response({"errors": [error]}, media_type=media_type, status=status, headers=refusal.headers)
