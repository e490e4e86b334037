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
from graph.enrichment.languages import check_languages
from graph.enrichment.models import require_language, require_model
from graph.enrichment.tokens import DEFAULT_ENCODING, load_counter
from graph.errors import StartupError
from graph.recall.embedding import embedder_of
from graph.request.trusted import TrustedDocuments
from graph.runtime.deployment import mongodb, mongodb_of_server
from graph.runtime.logs import configure_logging, warn_of_unknown_settings
from graph.runtime.metrics import collected
from graph.runtime.served import Store, noted
from graph.runtime.supervisor import web_processes, workers
from graph.runtime.threads import check_threads
from graph.runtime.tracing import traced
from graph.settings import Settings

_WEB = "graph.runtime.web"
_SHOWN = 100  # characters of a wrong host


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        StartupError: the address is taken, the system allows too few threads, or MongoDB can't be used.
    """
    check_threads(settings)  # before the thread of the log
    configure_logging(settings)
    warn_of_unknown_settings()
    check(settings)
    listener = _listen(settings)
    # Half of a start is imports, which go on while mongod starts.
    preparing = threading.Thread(target=_prepare, args=(settings,), daemon=True)
    preparing.start()
    with (
        listener,
        collected(settings, "web") as metrics,
        traced(settings, "web"),
        mongodb_of_server(settings) as (uri, wake),
        noted(Store.of(settings, uri)),
        ExitStack() as children,
    ):
        preparing.join()
        from graph.runtime.web import announce, run  # noqa: PLC0415 - as said

        kinds = (web_processes(settings, uri, listener), workers(settings, uri))

        def then() -> None:
            announce(listener, settings)
            for kind in kinds:
                children.enter_context(kind)

        def ending() -> None:  # every child stops while this process stops serving
            wake()
            for kind in kinds:
                kind.stop()

        run(settings, uri, listener, metrics=metrics, then=then, ending=ending)


def check(settings: Settings) -> None:
    """Refuse settings that can't be used before anything runs, those of workers included.

    Raises:
        StartupError: a setting can't be used; the message is one line that names it.
    """
    check_exposure(settings)
    Authenticator(settings)
    TrustedDocuments(settings)
    embedder_of(settings)
    if settings.token_encoding != DEFAULT_ENCODING:  # the default one is loaded while mongod starts
        load_counter(settings.token_encoding)
    if settings.enrichment_processes:
        require_model(settings.spacy_model)
        for code, model in settings.spacy_languages.items():
            require_language(code, model)
        if settings.spacy_languages:
            check_languages(settings.spacy_languages)
        _check_summaries(settings)


def _check_summaries(settings: Settings) -> None:
    if settings.llm_base_url is None and settings.llm_model is None:
        return
    from graph.enrichment import llm  # noqa: PLC0415 - a web client, which few need

    options = llm.llm_options(settings)
    if options is not None:
        llm.check(options, load_counter(settings.token_encoding).count)


def _prepare(settings: Settings) -> None:
    with suppress(StartupError):  # which the server meets again
        import_module(_WEB).prepare(settings)


def serve_on_socket(settings: Settings, descriptor: int) -> None:
    """Serve from a socket that the process which started this one listens on, until its end.

    Raises:
        StartupError: MongoDB can't be used.
    """
    from graph.runtime.web import prepare, run  # noqa: PLC0415 - see `serve`

    try:
        listener = socket.socket(fileno=descriptor)
    except (OSError, OverflowError, ValueError):
        raise StartupError(f"--socket {descriptor} is no file descriptor of a socket") from None
    configure_logging(settings)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    prepare(settings)
    metered = collected(settings, "web", child=True)
    with listener, metered as metrics, traced(settings, "web"), mongodb(settings) as uri:
        run(settings, uri, listener, metrics=metrics)


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _listen(settings: Settings) -> socket.socket:
    where = f"RECALLQL_HOST {settings.host[:_SHOWN]}, RECALLQL_PORT {settings.port}"
    try:
        return socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=2048,
        )
    except OSError as error:
        raise StartupError(f"{where}: can't listen there ({error.strerror})") from None
    except UnicodeError:  # which a name raises that is too long for DNS
        raise StartupError(f"{where}: that is no name or address of this machine") from None
