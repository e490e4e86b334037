"""The routes of Zep's clients."""

from __future__ import annotations

import re
from importlib.metadata import version

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.access.caller import Right
from graph.operations.validation import DEFAULT_PAGE, MAX_PAGE
from graph.zep import memory, messages, search, sessions, users
from graph.zep.http import Handler, endpoint, refusal

# Clients take the part before the dash for the version of Zep whose API this is.
_VERSION = f"0.27.2-recallql.{version('recallql')}"

_LISTS = {sessions.all_of, users.all_of, users.sessions_of, messages.all_of}
"""Without a limit, these give as many items as one answer may have."""

_METHODS = ["GET", "POST", "PATCH", "DELETE"]

_OURS = re.compile(r"/+(?:healthz|api/+v1)(?:/|$)")
_KIND = re.compile(r"^(/api/v1/(?:sessions|user|collection))/+")
_NO_ID = re.compile(
    r"^(/api/v1/(?:sessions(?=/+(?:memory|search|messages))|user(?=/+sessions)))//+"
    r"(memory|search|messages(?:/+[^/]+)?|sessions)$"
)
"""Where the id between two slashes is empty: repeated slashes are not dropped, or the next part would be the id."""
_MESSAGE = re.compile(r"/+messages/+([^/]+)$")
_PART = re.compile(r"/+(memory|messages|search|sessions)$")


def zep_routes() -> list[BaseRoute]:
    """The routes; `ZepPaths` must stand before them."""
    return [
        Route("/healthz", _health),
        Route("/api/v1", _refuse_prefix, methods=_METHODS),
        Mount(
            "/api/v1",
            routes=[
                _route("/sessions", GET=sessions.all_of, POST=sessions.add),
                _route("/sessions/{session_id:path}/memory", GET=memory.get, POST=memory.add, DELETE=memory.delete),
                _route("/sessions/{session_id:path}/messages", GET=messages.all_of),
                _route("/sessions/{session_id:path}/messages/{message_id}", GET=messages.get, PATCH=messages.update),
                _route("/sessions/{session_id:path}/search", POST=search.search),
                _route("/sessions/{session_id:path}", GET=sessions.get, PATCH=sessions.update),
                _route("/user", GET=users.all_of, POST=users.add),
                _route("/user/{user_id:path}/sessions", GET=users.sessions_of),
                _route("/user/{user_id:path}", GET=users.get, PATCH=users.update, DELETE=users.delete),
                Route("/collection{rest:path}", _collections, methods=_METHODS),
            ],
        ),
    ]


def _route(path: str, **handlers: Handler) -> Route:
    endpoints = {
        method: endpoint(handler, _right(method, handler), MAX_PAGE if handler in _LISTS else DEFAULT_PAGE)
        for method, handler in handlers.items()
    }

    async def choose(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, choose, methods=list(endpoints))


def _right(method: str, handler: Handler) -> Right:
    """The right that a caller needs: the right of the same operation over GraphQL."""
    if method == "GET" or handler is search.search:
        return Right.READ
    return Right.ADMIN if handler is users.delete else Right.WRITE


async def _health(_request: Request) -> Response:
    return PlainTextResponse(".")


async def _refuse_prefix(_request: Request) -> Response:
    return refusal("/api/v1 itself is no route: name one of its routes", 404)


async def _collections(_request: Request) -> Response:
    return refusal("document collections are out of scope: this service keeps conversations only", 501)


class ZepPaths:
    """Middleware that gives the routes the sent path, without the slashes that clients repeat.

    The path stays percent-encoded, so that a part may hold any character. Slashes within an id are the id's own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with the version that Zep's clients look for if it is theirs."""
        raw = scope.get("raw_path", b"").decode("latin-1") if scope["type"] == "http" else ""
        if not _OURS.match(raw):
            await self._app(scope, receive, send)
            return

        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Zep-Version"] = _VERSION
            await send(message)

        await self._app({**scope, "path": tidy(raw)}, receive, send_with_version)


def tidy(path: str) -> str:
    """A path of Zep's API, as clients may send it, in the form that the routes have."""
    path = re.sub(r"^/+", "/", path.rstrip("/"))
    path = re.sub(r"^/api/+v1/+", "/api/v1/", path)
    if without_id := _NO_ID.match(path):
        return f"{without_id[1]}//{re.sub('/+', '/', without_id[2])}"
    path = _KIND.sub(r"\1/", path)
    path = _MESSAGE.sub(r"/messages/\1", path)
    return _PART.sub(r"/\1", path)
