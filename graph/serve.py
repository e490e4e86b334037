"""`recallql serve`: the own mongod, the workers and the web server, started and stopped in order."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack, suppress
from importlib import import_module

from graph.access.authenticator import Authenticator, check_exposure
from graph.access.trusted import TrustedDocuments
from graph.deployment import mongodb
from graph.enrichment.models import require_model
from graph.errors import StartupError
from graph.logs import configure_logging
from graph.settings import Settings
from graph.supervisor import web_processes, workers

_WEB = "graph.web"


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
    # Half of a start is imports, which go on while mongod starts.
    preparing = threading.Thread(target=_prepare, args=(settings,), daemon=True)
    preparing.start()
    with listener, mongodb(settings) as uri, ExitStack() as beside:
        preparing.join()
        from graph.web import announce, run  # noqa: PLC0415 - as said

        def then() -> None:
            announce(listener)
            beside.enter_context(web_processes(settings, uri, listener))
            beside.enter_context(workers(settings, uri))

        run(settings, uri, listener, then=then)


def _prepare(settings: Settings) -> None:
    with suppress(StartupError):  # which the server meets again
        import_module(_WEB).prepare(settings)


def serve_beside(settings: Settings, descriptor: int) -> None:
    """Serve from a socket that the process which started this one listens on, until its end.

    Raises:
        StartupError: MongoDB can't be used.
    """
    from graph.web import prepare, run  # noqa: PLC0415 - see `serve`

    configure_logging(settings)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    prepare(settings)
    with socket.socket(fileno=descriptor) as listener, mongodb(settings) as uri:
        run(settings, uri, listener)


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


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
