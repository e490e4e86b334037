"""The mongod that the tests of one run share, whatever the number of pytest processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from graph.mongod.embedded import EmbeddedMongo
from tests.support.memory_disk import memory_disk


@contextmanager
def running_mongod() -> Iterator[str]:
    """One replica set: yields its connection string, then stops it and removes its data."""
    with tempfile.TemporaryDirectory(prefix="recallql-tests-", dir=memory_disk()) as folder:
        data_dir = Path(folder)
        try:
            with EmbeddedMongo(data_dir, cache_mb=256) as mongo:
                yield mongo.uri
        finally:
            shutil.rmtree(data_dir / "mongodb", ignore_errors=True)


class SharedMongod:
    """A plugin of the process that distributes the tests (pytest-xdist): starts one mongod for all its workers."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._uri: str | None = None

    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker the connection string."""
        if self._uri is None:
            self._uri = self._running.enter_context(running_mongod())
        node.workerinput["mongodb_uri"] = self._uri

    def pytest_unconfigure(self) -> None:
        """Stop the mongod."""
        self._running.close()
