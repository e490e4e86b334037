"""What embeds texts, as the settings name it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from graph.errors import StartupError, Unavailable
from graph.recall.embedding import Embedder, embedder_of
from graph.recall.model import packaged_model
from graph.settings import Settings
from tests.support.embedding_server import REFUSED, EmbeddingServer, packaged

TEXTS = ["My sister found a job.", "", "It rained " * 3_000]


@asynccontextmanager
async def embedder(model: str | None = None, url: str | None = None, key: str | None = None) -> AsyncIterator[Embedder]:
    settings = Settings.model_construct(
        embedding_model=model, embedding_base_url=url, embedding_api_key=None if key is None else SecretStr(key)
    )
    opened = embedder_of(settings)
    assert opened is not None
    async with aclosing(opened):
        yield opened


def test_off_is_no_embedder() -> None:
    assert embedder_of(Settings.model_construct(embedding_model="off")) is None


async def test_the_packaged_model_is_the_default() -> None:
    async with embedder() as packaged_one:
        assert np.array_equal(await packaged_one.meaning(TEXTS[0]), packaged().embed(TEXTS[:1])[0])
        assert [len(numbers) for numbers, _ in await packaged_one.embed(TEXTS)] == [384] * 3


async def test_a_folder_has_a_name_of_its_contents(tmp_path: Path) -> None:
    files = packaged_model()
    (tmp_path / "model.onnx").symlink_to(files.model)
    (tmp_path / "tokenizer.json").symlink_to(files.tokenizer)
    async with embedder(str(tmp_path)) as first:
        name = await first.name()
        assert len(await first.embed(TEXTS)) == 3
    (tmp_path / "model.onnx").unlink()
    (tmp_path / "model.onnx").write_bytes(b"no model")
    async with embedder(str(tmp_path)) as second:
        assert await second.name() != name
        with pytest.raises(StartupError, match="can't be loaded"):
            await second.load()


async def test_a_server_gives_vectors_of_length_1_in_order() -> None:
    with EmbeddingServer() as server:
        async with embedder("some-model", server.base_url, "a key") as remote:
            vectors = await remote.embed(TEXTS)
            meaning = await remote.meaning(TEXTS[0])
        assert server.headers[0]["authorization"] == "Bearer a key"
    assert np.allclose(meaning, packaged().embed(TEXTS[:1])[0], atol=1e-5)
    assert [len(numbers) for numbers, _ in vectors] == [384] * 3
    numbers, scale = vectors[0]
    assert float(scale * (np.frombuffer(numbers, np.int8).astype(np.float32) @ meaning)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_a_server_that_answers_nobody_is_unavailable(status: int) -> None:
    with EmbeddingServer(status) as server:
        async with embedder("m", server.base_url) as remote:
            with pytest.raises(Unavailable, match=str(status)):
                await remote.meaning("one")


async def test_a_server_that_is_away_is_unavailable() -> None:
    with EmbeddingServer() as server:
        url = server.base_url
    async with embedder("m", url) as remote:
        with pytest.raises(Unavailable, match="can't be reached"):
            await remote.meaning("one")


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"data": []},
        {"data": [{"index": 0}]},
        {"data": [{"index": 0, "embedding": ["a"]}]},
        {"data": [{"index": 0, "embedding": [None]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
    ],
)
async def test_a_malformed_answer_is_refused(body: object) -> None:
    with EmbeddingServer() as server:
        server.body = body
        async with embedder("m", server.base_url) as remote:
            with pytest.raises(ValueError, match="an answer with"):
                await remote.meaning("one")


async def test_a_text_that_the_server_refuses_is_told_from_a_server_that_is_away() -> None:
    with EmbeddingServer() as server:
        async with embedder("m", server.base_url) as remote:
            with pytest.raises(ValueError, match="status 400"):
                await remote.meaning(REFUSED)


@pytest.mark.parametrize(
    ("model", "url", "named"),
    [
        (None, "http://localhost:1/v1", "RECALLQL_EMBEDDING_BASE_URL is set"),
        ("no-such-folder", None, "is not a folder"),
        (" ", "http://localhost:1/v1", "RECALLQL_EMBEDDING_MODEL is empty"),
        ("m", "localhost:1", "RECALLQL_EMBEDDING_BASE_URL"),
    ],
)
def test_settings_that_can_t_work_are_refused(model: str | None, url: str | None, named: str) -> None:
    settings = Settings.model_construct(embedding_model=model, embedding_base_url=url, embedding_api_key=None)
    with pytest.raises(StartupError, match=named):
        embedder_of(settings)


def test_opening_an_embedder_loads_neither_numpy_nor_a_model() -> None:
    program = (
        "import sys; from graph.settings import Settings; from graph.recall.embedding import embedder_of;"
        "embedder_of(Settings.model_construct());"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'onnxruntime', 'tokenizers')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
