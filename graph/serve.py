"""`recallql serve`: the own mongod, the workers and the web server, started and stopped in order."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from importlib.metadata import version

import uvicorn
from starlette.applications import Starlette

from graph.access.authenticator import Authenticator, check_exposure
from graph.access.trusted import TrustedDocuments
from graph.app import create_app
from graph.deployment import mongodb
from graph.enrichment.models import require_model
from graph.errors import StartupError
from graph.logs import configure_logging
from graph.settings import Settings
from graph.supervisor import web_processes, workers


class _Server(uvicorn.Server):
    """Runs the application's lifespan itself, so that a `StartupError` gets out."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        async with self._app.router.lifespan_context(self._app):
            await super().serve(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Live results have no end of their own, and uvicorn would wait for it.
        self._app.state.backend.hub.drain()
        await super().shutdown(sockets)


class _Announcing(_Server):
    """Says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            sys.stdout.write(
                f"RecallQL {version('recallql')}\n  GraphQL API  {where}/graphql\n  Explorer     {where}/graphql"
                " (in a browser)\n  Ctrl-C stops it\n"
            )
            sys.stdout.flush()


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        StartupError: the address is taken, or MongoDB can't be used.
    """
    configure_logging(settings)
    check_exposure(settings)
    Authenticator(settings)  # what is unusable ends the start here, before anything runs
    TrustedDocuments(settings)
    if settings.worker_processes:
        for model in (settings.spacy_model, *settings.spacy_languages.values()):
            require_model(model)  # one line here, and not one from each of the worker's starts
    listener = _listen(settings)
    with listener, mongodb(settings) as uri, workers(settings, uri), web_processes(settings, uri, listener):
        _run(_Announcing, settings, uri, listener)


def serve_beside(settings: Settings, descriptor: int) -> None:
    """Serve from a socket that the process which started this one listens on, until its end.

    Raises:
        StartupError: MongoDB can't be used.
    """
    configure_logging(settings)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    with socket.socket(fileno=descriptor) as listener, mongodb(settings) as uri:
        _run(_Server, settings, uri, listener)


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _run(server: type[_Server], settings: Settings, uri: str, listener: socket.socket) -> None:
    app = create_app(settings, uri)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
        ws_per_message_deflate=False,  # costs more processor time and memory than chat messages save
    )
    # What is there by now stays: the collector need not look through the schema and the modules again and again.
    gc.collect()
    gc.freeze()
    server(config, app).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    try:
        return socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=2048,
        )
    except OSError as error:
        message = f"RECALLQL_HOST {settings.host}, RECALLQL_PORT {settings.port}: can't listen there ({error.strerror})"
        raise StartupError(message) from None
