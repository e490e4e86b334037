"""A body of JSON lines: a stream of mutations, which are executed in order, with one line of the answer for each.

A writer of a message's pieces needs neither a WebSocket nor a request for each piece. The answer begins at once. A
line, a silence and the number of open bodies have bounds, and the length of a body is not limited.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from itertools import count
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send
from strawberry.types.graphql import OperationType

from graph.access.caller import Caller
from graph.errors import BadUserInput, OperationError, TooCostly, Unavailable
from graph.operations.concurrency import Yielder
from graph.request.answer import encode_json
from graph.request.documents import WrongKind
from graph.request.guards import Guards
from graph.request.masking import public_failure
from graph.request.pipeline import Pipeline
from graph.settings import Settings
from graph.transport import http
from graph.transport.http import RequestRefused
from graph.transport.open_connections import OpenConnections
from graph.transport.requests import part_of

_KINDS: Final = frozenset({OperationType.MUTATION})
_LINE_END: Final = b"\n"


class _Ended(Exception):
    """The body is not read to its end.

    Attributes:
        error: the reason.
    """

    def __init__(self, error: OperationError) -> None:
        super().__init__(str(error))
        self.error = error


class _Wait:
    """The wait for bytes of the body.

    Args:
        bytes_: the name of the bytes in the error.
        seconds: maximum time; 0 for any.
    """

    def __init__(self, bytes_: str, seconds: float) -> None:
        self._bytes = bytes_
        self._seconds = seconds
        self.until = asyncio.get_running_loop().time() + seconds if seconds else None

    def late(self) -> Unavailable:
        """Return the error at the end of the time."""
        message = f"{self._bytes} did not arrive within {self._seconds:g} seconds: send the rest in another request"
        return Unavailable(message)


class Lines:
    """The response to a request whose body has a GraphQL request in each line, as an ASGI application.

    An empty line has no answer, and shows that the client is there. The error that ends the response early is a line,
    too, the answer to a line that was not executed.

    Args:
        request: the request, whose body has not been read.
        caller: its caller.
    """

    def __init__(self, request: Request, caller: Caller) -> None:
        state = request.app.state
        self._request = request
        self._caller = caller
        self._pipeline: Pipeline = state.pipeline
        self._guards: Guards = state.guards
        self._connections: OpenConnections = state.connections
        self._settings: Settings = state.settings
        self._reports_cost = http.COST_HEADER in request.headers
        self._end: OperationError | None = None
        self._waiting: asyncio.Timeout | None = None
        self._numbers = count(1)

    @staticmethod
    def asked_for(request: Request) -> bool:
        """Whether the body of a POST has lines.

        Raises:
            RequestRefused: the body has lines, and is compressed or has another charset than UTF-8.
        """
        declared = request.headers.get("content-type", "")
        if http.content_type_of(declared) not in http.LINES_TYPES:
            return False
        http.refuse_other_charset(declared)
        http.refuse_encoded(request.headers)
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer each line, until the body ends or a bound is reached."""
        with ExitStack() as held:
            try:
                held.enter_context(self._guards.presence.connection(self._caller))
            except TooCostly as error:
                refusal = http.refusal_response(http.refused(error), media_type=http.JSON_TYPE)
                await refusal(scope, receive, send)
                return
            held.enter_context(self._guards.standing.watched(self._caller, self.end))
            held.enter_context(self._connections.holding(self))
            await self._respond(send)

    def end(self, error: OperationError) -> None:
        """End the response after the line that is being executed."""
        self._end = self._end or error
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def say_goodbye(self) -> None:
        """End the response, since the service stops."""
        self.end(Unavailable("the service is restarting: send the lines without an answer again"))

    async def _respond(self, send: Send) -> None:
        media_type = http.content_type_of(self._request.headers["content-type"])
        # nginx would hold the lines back.
        headers = [(b"content-type", media_type.encode()), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            async with aclosing(self._lines()) as lines:
                async for line in lines:
                    await _send_line(send, await self._answer(line))
        except _Ended as ended:
            await _send_line(send, self._refusal(ended.error))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _answer(self, line: bytearray) -> bytes:
        """Execute the mutation of a line; return its answer."""
        with part_of(self._request.scope, next(self._numbers), self._caller):
            return await self._answer_of(line)

    async def _answer_of(self, line: bytearray) -> bytes:
        try:
            data = http.check_request(await http.decode_large_json(line, "The line"))
            asked = http.operation_request(data, self._guards.texts, reports_cost=self._reports_cost)
            answer = await self._pipeline.execute(asked, self._pipeline.context(self._caller), _KINDS)
            return encode_json(answer.formatted())
        except RequestRefused as refusal:
            return self._refusal(refusal.error)
        except WrongKind as error:
            message = f"a line is for a mutation: send a {error.kind.value} in a request of its own"
            return self._refusal(BadUserInput(message))
        except Exception as failure:  # noqa: BLE001 - the client must know of every error, and the next lines follow
            return self._refusal(failure)

    def _refusal(self, failure: Exception) -> bytes:
        return encode_json({"errors": [public_failure(failure, self._caller).formatted]})

    async def _lines(self) -> AsyncGenerator[bytearray, None]:
        """Yield each line of the body that is not empty.

        Raises:
            _Ended: a line is too long or late, the client is silent, or `end` was called.
        """
        rest, seen, more = bytearray(), 0, True
        wait = _Wait("a line", self._settings.stream_timeout)
        yielder = Yielder()
        while more:
            chunk, more = await self._more(wait)
            rest += chunk
            was_within_line = seen > 0
            while (end := rest.find(_LINE_END, seen)) >= 0:
                line = rest[:end]
                del rest[: end + 1]
                seen, was_within_line = 0, False
                await yielder.yield_if_due()
                self._refuse_longer(line)
                if self._end is not None:
                    raise _Ended(self._end)
                if line and not line.isspace():
                    yield line
            seen = len(rest)
            self._refuse_longer(rest)
            if not rest:
                wait = _Wait("a line", self._settings.stream_timeout)
            elif not was_within_line:  # else the time of the line goes on
                wait = _Wait("the rest of the line", self._settings.request_timeout)
        if rest.strip():
            yield rest

    async def _more(self, wait: _Wait) -> tuple[bytes, bool]:
        """Return the next bytes of the body, and whether more may follow.

        Raises:
            ClientDisconnect: the client has gone.
            _Ended: the bytes are late, or `end` was called.
        """
        try:
            async with asyncio.timeout_at(wait.until) as self._waiting:
                if self._end is not None:
                    raise _Ended(self._end)
                message = await self._request.receive()
        except TimeoutError:
            raise _Ended(self._end or wait.late()) from None
        finally:
            self._waiting = None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message.get("body", b""), message.get("more_body", False)

    def _refuse_longer(self, line: bytearray) -> None:
        most = self._settings.body_limit
        if most and len(line) > most:
            raise _Ended(BadUserInput(f"the line has more than {most:,} bytes, the maximum"))


async def _send_line(send: Send, line: bytes) -> None:
    await send({"type": "http.response.body", "body": line + _LINE_END, "more_body": True})
