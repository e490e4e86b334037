"""Which MongoDB a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from graph.mongod.embedded import EmbeddedMongo, running_uri
from graph.settings import Settings


@contextmanager
def mongodb(settings: Settings, *, attach: bool = False) -> Iterator[str]:
    """The connection string of the MongoDB that the settings name; without one, of an own mongod that runs meanwhile.

    Args:
        settings: name the MongoDB, or the data directory.
        attach: use the own mongod of a server that runs on the same data directory, where one does.

    Raises:
        StartupError: the own mongod can't start.
    """
    if settings.mongodb_uri is not None:
        yield settings.mongodb_uri.get_secret_value()
        return
    if attach and (running := running_uri(settings.data_dir)) is not None:
        yield running
        return
    with EmbeddedMongo(
        settings.data_dir, cache_mb=settings.mongod_cache_mb, mongod_path=settings.mongod_path
    ) as embedded:
        yield embedded.uri
