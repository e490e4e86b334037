"""Which MongoDB a command works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from graph.errors import StartupError
from graph.mongod.embedded import EmbeddedMongo, running_uri
from graph.mongod.oplog import bounded_age
from graph.mongod.watch import kept_running
from graph.runtime.served import all_served
from graph.settings import Settings


@contextmanager
def mongodb(settings: Settings, *, attach: bool = False, anyway: bool = False) -> Iterator[str]:
    """The connection string of the MongoDB that the settings name; without one, of an own mongod that runs meanwhile.

    Args:
        settings: name the MongoDB, or the data directory.
        attach: use the own mongod of a server that runs on the same data directory, where one does.
        anyway: run an own mongod also where nobody named its directory, while another store is being served.

    Raises:
        StartupError: the own mongod can't start, or nobody named its directory while another store is being served.
    """
    if settings.mongodb_uri is not None:
        yield settings.mongodb_uri.get_secret_value()
        return
    if attach and (running := running_uri(settings.data_dir)) is not None:
        yield running
        return
    if attach and not anyway and "data_dir" not in settings.model_fields_set and (served := all_served()):
        raise StartupError(
            f"no data directory is named, and nobody serves {settings.data_dir}, while process {served[0].pid} serves"
            f" {served[0].store}: name one with --data-dir or --mongodb-uri"
        )
    with _own_mongod(settings) as embedded:
        yield embedded.uri


@contextmanager
def mongodb_of_server(settings: Settings) -> Iterator[tuple[str, Callable[[], None]]]:
    """The connection string of a server's MongoDB, and a function for the begin of the server's stop.

    The function lets an own mongod continue that somebody suspended: the stop would wait for its answers.

    Args:
        settings: name the MongoDB, or the data directory.

    Raises:
        StartupError: the own mongod can't start.
    """
    if settings.mongodb_uri is not None:
        yield settings.mongodb_uri.get_secret_value(), lambda: None
        return
    with _own_mongod(settings) as embedded:
        yield embedded.uri, embedded.wake


@contextmanager
def _own_mongod(settings: Settings) -> Iterator[EmbeddedMongo]:
    with (
        EmbeddedMongo(
            settings.data_dir,
            cache_mb=settings.mongod_cache_mb,
            oplog_mb=settings.mongod_oplog_mb,
            mongod_path=settings.mongod_path,
        ) as embedded,
        kept_running(embedded),
        bounded_age(embedded.uri, settings.mongod_oplog_hours),
    ):
        yield embedded
