"""The metrics of the processes of one server in one page: each process writes its own to files in one directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from graph.errors import StartupError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus-client finds the directory; it is read at its import."""
BY_KEY: Final = "key"
"""The setting that serves the metrics at `/metrics` of the API, to service keys."""
TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


_JOIN_SECONDS = 1.0


@contextmanager
def shared_directory() -> Iterator[None]:
    """Keep the directory for the files of this process, and of those that it starts within the block.

    Call it before anything imports prometheus-client.
    """
    before = os.environ.get(_DIRECTORY)
    with TemporaryDirectory(prefix="recallql-metrics-", ignore_cleanup_errors=True) as directory:
        os.environ[_DIRECTORY] = directory
        try:
            yield
        finally:
            if before is None:
                del os.environ[_DIRECTORY]
            else:
                os.environ[_DIRECTORY] = before


def is_shared() -> bool:
    """Whether a process that started this one keeps the directory."""
    return _DIRECTORY in os.environ


def page() -> bytes:
    """Return the metrics of all processes in Prometheus' text format; reads the files, so call it on a thread."""
    from prometheus_client import generate_latest  # noqa: PLC0415 - only where metrics are on

    return generate_latest(_of_all_processes())


def _of_all_processes() -> CollectorRegistry:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - only where metrics are on
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - as above

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def forget_process(pid: int) -> None:
    """Leave out the levels of a process that has ended; its counts stay."""
    if is_shared():
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - only where metrics are on

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


@contextmanager
def served(address: str) -> Iterator[None]:
    """Serve the page at `/metrics` of an address, on a thread.

    Args:
        address: the host and the port: 127.0.0.1:9464, [::1]:9464.

    Raises:
        StartupError: the address is taken or is no address of this machine.
    """
    from prometheus_client import start_http_server  # noqa: PLC0415 - only where metrics are on

    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), _of_all_processes())
    except OSError as error:
        raise StartupError(f"RECALLQL_METRICS {address}: can't listen there ({error.strerror})") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_JOIN_SECONDS)
