"""The mongod that the tests share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from graph.store.embedded import EmbeddedMongo

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def session_mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One replica set for a whole run: yields its connection string, then stops it and removes its data."""
    data_dir = tmp_path_factory.mktemp("mongod")
    try:
        with EmbeddedMongo(data_dir, cache_mb=256) as mongo:
            yield mongo.uri
    finally:
        # pytest keeps the directories of the last runs; the logs are worth that, the data is not.
        shutil.rmtree(data_dir / "mongodb", ignore_errors=True)
