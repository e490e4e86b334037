"""The web server of one process: uvicorn on the application."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import cast

import uvicorn
from starlette.applications import Starlette

from graph.app import create_app
from graph.enrichment.tokens import load_counter
from graph.runtime.metrics import Collected
from graph.schema.build import build_schema
from graph.settings import Settings
from graph.transport.connection import bounded_http, bounded_websockets

_LOOK_SECONDS = 0.1


class _Server(uvicorn.Server):
    """Runs the application's lifespan itself, so that a `StartupError` gets out."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: Starlette,
        metrics: Collected,
        then: Callable[[], None] | None,
        ending: Callable[[], None] | None,
    ) -> None:
        super().__init__(config)
        self._app = app
        self._metrics = metrics
        self._then = then
        self._ending = ending

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        async with self._app.router.lifespan_context(self._app):
            self._metrics.start(self._app.state.backend.database)
            await super().serve(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._ending is not None:
            self._ending()
        await self._drain()
        # Live results have no end of their own, and uvicorn would wait for it; it closes sockets without a reason.
        self._app.state.backend.hub.drain()
        await self._app.state.connections.close()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Serve on for the time that load balancers need to see that this process is not ready; a SIGINT ends it."""
        self._app.state.readiness.is_draining = True
        until = time.monotonic() + self._app.state.settings.drain
        while not self.force_exit and (left := until - time.monotonic()) > 0:  # noqa: ASYNC110 - no event
            await asyncio.sleep(min(left, _LOOK_SECONDS))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._then is not None:
            self._then()


_LEVELS = {"debug": "info", "info": "warning"}
"""uvicorn's level for each of ours: it is chatty, and its debugging shows frames and headers, with credentials."""


def announce(listener: socket.socket, settings: Settings) -> None:
    """Print the addresses of the server."""
    host, port = listener.getsockname()[:2]
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    pages = [f"  Explorer     {where}/graphql (in a browser)"] if settings.explorer else []
    if settings.console:
        pages.append(f"  Console      {where}/console")
    lines = [f"RecallQL {version('recallql')}", f"  GraphQL API  {where}/graphql", *pages, "  Ctrl-C stops it", ""]
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()


def prepare(settings: Settings) -> None:
    """Do the slow work of a start that needs no database.

    Raises:
        StartupError: the token encoding can't be loaded.
    """
    load_counter(settings.token_encoding)
    build_schema()
    gc.collect()


_OTHER_FILES = 1_000
"""File descriptors that no connection of a client uses: those of MongoDB, logs, the event loop."""


def _allow_files(connections: int) -> None:
    """Raise the process's own limit of open files, which is often 1,024, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def run(
    settings: Settings,
    uri: str,
    listener: socket.socket,
    *,
    metrics: Collected,
    then: Callable[[], None] | None = None,
    ending: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, after `prepare`.

    Args:
        settings: how it is set.
        uri: the MongoDB to use.
        listener: where to accept connections.
        metrics: the metrics of this process.
        then: called once requests are answered.
        ending: called when the server begins to stop.

    Raises:
        StartupError: MongoDB can't be used.
    """
    _allow_files(settings.max_connections)
    app = create_app(settings, uri)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,  # its lines are as all others
        log_level=_LEVELS.get(settings.log_level, settings.log_level),
        access_log=False,
        http=cast("type[asyncio.Protocol]", bounded_http(settings)),  # uvicorn only calls it
        ws=cast("type[asyncio.Protocol]", bounded_websockets(settings)),
        timeout_keep_alive=cast("int", settings.idle_timeout),  # uvicorn hands it on to the event loop
        timeout_graceful_shutdown=10,
        server_header=False,
        proxy_headers=False,  # `graph.transport.proxied` has the one that matters
        ws_max_size=settings.body_limit or sys.maxsize,
        ws_per_message_deflate=False,  # costs more processor time and memory than chat messages save
    )
    # Objects that exist by now stay: the collector need not visit the schema and the modules each time.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)  # an answer is a thousand objects that all go at once
    _Server(config, app, metrics, then, ending).run(sockets=[listener])
