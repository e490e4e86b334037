"""Which stores are being served on this machine, so that a command can refuse to write where nobody reads."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from platformdirs import user_runtime_path

from graph.settings import Settings

logger = logging.getLogger(__name__)

_DEFAULT_PORT = 27017


@dataclass(frozen=True, slots=True)
class Store:
    """The location of the data of a server or a command.

    Attributes:
        places: names of the place; two stores are one where they share a place and the database.
        database: the name of the MongoDB database.
    """

    places: tuple[str, ...]
    database: str

    @classmethod
    def of(cls, settings: Settings, uri: str | None = None) -> Self:
        """The store that the settings name.

        Args:
            settings: name the MongoDB, or the data directory.
            uri: the own mongod's, while it runs.
        """
        if settings.mongodb_uri is not None:
            return cls((_hosts(settings.mongodb_uri.get_secret_value()),), settings.database)
        own = f"the data directory {os.path.realpath(settings.data_dir.expanduser())}"
        return cls((own,) if uri is None else (own, _hosts(uri)), settings.database)

    def is_same(self, other: Store) -> bool:
        """Whether both are the same database."""
        return self.database == other.database and not set(self.places).isdisjoint(other.places)

    def __str__(self) -> str:
        return f"database {self.database!r} in {self.places[0]}"


@dataclass(frozen=True, slots=True)
class ServedStore:
    """A store that a process serves."""

    store: Store
    pid: int


@contextmanager
def noted(store: Store) -> Iterator[None]:
    """Have other commands of this user see, for the length of a block, that this process serves the store.

    The note is locked while it holds, so that one which a killed process left says nothing. Where no note can be
    written, the block runs without one.
    """
    path = _directory() / f"{os.getpid()}.json"
    with contextlib.ExitStack() as held:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            note = held.enter_context(partial.open("w", encoding="utf-8"))
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            json.dump({"places": store.places, "database": store.database}, note)
            note.flush()
            partial.replace(path)  # readers see it locked, or not at all
            held.callback(path.unlink, missing_ok=True)
        except OSError as error:
            logger.info("other commands can't see which store is served here: %s", error)
        yield


def all_served() -> list[ServedStore]:
    """The stores that are being served by this user's processes on this machine."""
    return [found for path in sorted(_directory().glob("*.json")) if (found := _read(path)) is not None]


def _directory() -> Path:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR, as in containers, the directory is one of this user under /tmp: no news to users.
        warnings.simplefilter("ignore")
        return user_runtime_path("recallql", appauthor=False, ensure_exists=False)


def _read(path: Path) -> ServedStore | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), path.open(encoding="utf-8") as note:
        try:
            fcntl.flock(note, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            told: dict[str, Any] = json.load(note)
            return ServedStore(Store(tuple(map(str, told["places"])), str(told["database"])), int(path.stem))
        path.unlink(missing_ok=True)  # its process was killed
    return None


def _hosts(uri: str) -> str:
    """The servers of a connection string, each with its port, without the credentials."""
    authority = uri.partition("://")[2].partition("?")[0].partition("/")[0]
    hosts = []
    for host in authority.rpartition("@")[2].lower().split(","):
        name, _, port = host.rpartition(":") if host.rpartition(":")[2].isdecimal() else (host, "", "")
        hosts.append(f"{'127.0.0.1' if name == 'localhost' else name}:{port or _DEFAULT_PORT}")
    return f"the MongoDB at {','.join(sorted(hosts))}"
