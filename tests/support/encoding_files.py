"""The encoding `o200k_base`, whose table no package of the service ships, without the network."""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from unittest import mock

from graph.enrichment.tokens import TokenCounter, load_counter

NAME = "o200k_base"
_ADDRESS = f"https://openaipublic.blob.core.windows.net/encodings/{NAME}.tiktoken"
"""The address from which tiktoken loads the table: the file in its cache is named after it."""


def put_table(folder: Path) -> None:
    """Put the table into a folder for `TIKTOKEN_CACHE_DIR`; tiktoken compares the file with its SHA-256."""
    packed = distribution("bpe-openai").locate_file(f"bpe_openai/data/{NAME}.tiktoken.gz")
    name = hashlib.sha1(_ADDRESS.encode(), usedforsecurity=False).hexdigest()
    (folder / name).write_bytes(gzip.decompress(Path(str(packed)).read_bytes()))


@cache
def o200k_base() -> TokenCounter:
    """The counter of the encoding, loaded as a deployment without the network loads it."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"TIKTOKEN_CACHE_DIR": folder}):
        put_table(Path(folder))
        return load_counter(NAME)
