"""The sentence model of the settings: the packaged model, a model in a folder, a server, or no model.

Numpy and the model are loaded with the first text.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from graph.errors import StartupError, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graph.recall.entries import Words
    from graph.recall.model import ModelFiles, SentenceModel
    from graph.settings import Settings

OFF = "off"
"""The value of the setting that disables embeddings."""
_PACKAGED = "all-MiniLM-L6-v2 int8 8199be6f699a395f"
_MOST_CHARACTERS = 10_000
"""Maximum characters of a text that are embedded: more than any model reads."""


class _Model(Protocol):
    async def load(self) -> None: ...

    async def aclose(self) -> None: ...

    async def name(self) -> str: ...

    async def check(self) -> None: ...

    async def embed(self, texts: Sequence[str]) -> list[NDArray[np.float32]]: ...


class Embedder:
    """Embeds texts with one model.

    Args:
        model: the model.
        of_tools: whether the texts have the arguments and results of tools, which the name then says.
    """

    def __init__(self, model: _Model, *, of_tools: bool = False) -> None:
        self._model = model
        self._of_tools = of_tools

    async def load(self) -> None:
        """Load the model now, and not with the first text.

        Raises:
            StartupError: the model can't be used.
        """
        await self._model.load()

    async def aclose(self) -> None:
        """Close the connections to the server of the model."""
        await self._model.aclose()

    async def name(self) -> str:
        """Return the name of the model, which is stored with its vectors: vectors of other models are not compared.

        Raises:
            StartupError: the model can't be used.
        """
        name = await self._model.name()
        return f"{name} with tools" if self._of_tools else name

    async def check(self) -> None:
        """Check that the files of the model are there, without loading them, or that its server embeds a word.

        Raises:
            Unavailable: the server of the model does not answer.
            StartupError: the model can't be used.
            ValueError: the server refuses the word.
        """
        await self._model.check()

    async def meaning(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a text, of length 1.

        Raises:
            Unavailable: the server of the model does not answer.
            StartupError: the model can't be used.
            ValueError: the model refuses the text.
        """
        return (await self._model.embed([text[:_MOST_CHARACTERS]]))[0]

    async def embed(self, texts: Sequence[str]) -> list[tuple[bytes, float]]:
        """Return the vectors of texts as 8-bit integers, each with its scale; raise the errors of `meaning`."""
        vectors = await self._model.embed([text[:_MOST_CHARACTERS] for text in texts])
        from graph.recall.vectors import quantise  # noqa: PLC0415 - a process without embeddings does not load it

        return [quantise(vector) for vector in vectors]

    async def words(self, texts: Sequence[str]) -> list[Words]:
        """Return the facts of texts that a search needs in addition to their vectors."""
        return await asyncio.to_thread(_words_of, texts)


def _words_of(texts: Sequence[str]) -> list[Words]:
    from graph.recall.entries import words_of  # noqa: PLC0415 - as above

    return [words_of(text) for text in texts]


def embedder_of(settings: Settings) -> Embedder | None:
    """Return the embedder of the settings, which the caller must close; None if embeddings are `off`.

    Raises:
        StartupError: a setting can't be used.
    """
    model, url, of_tools = settings.embedding_model, settings.embedding_base_url, settings.search_tools
    if model == OFF:
        return None
    if url is not None:
        if model is None:
            raise StartupError(
                "RECALLQL_EMBEDDING_BASE_URL is set: set RECALLQL_EMBEDDING_MODEL, too, to a model of the server"
            )
        from graph.recall.remote import RemoteModel  # noqa: PLC0415 - a web client, which few need

        return Embedder(RemoteModel(url, model, settings.embedding_api_key), of_tools=of_tools)
    if model is None:
        return Embedder(_LocalModel(_packaged_files, _packaged_name), of_tools=of_tools)
    folder = _folder_at(model)
    if folder is None:
        raise StartupError(
            f"RECALLQL_EMBEDDING_MODEL is {shown(model)}, which is not a folder: name a folder with model.onnx and"
            " tokenizer.json, set RECALLQL_EMBEDDING_BASE_URL to a server that has the model, or set off"
        )
    return Embedder(_LocalModel(lambda: _files_in(folder), lambda: _name_of(folder)), of_tools=of_tools)


def _folder_at(path: str) -> Path | None:
    """Return the folder at a path; None if the folder does not exist, or the path is not valid."""
    try:
        folder = Path(path).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # the path is too long, has an unknown user, or a null character
        return None


class _LocalModel:
    """A model in files, loaded once, with the first text."""

    def __init__(self, files: Callable[[], ModelFiles], name: Callable[[], str]) -> None:
        self._files = files
        self._read_name = name
        self._name: str | None = None
        self._loaded: SentenceModel | None = None
        self._loading = asyncio.Lock()

    async def name(self) -> str:
        if self._name is None:
            self._name = await asyncio.to_thread(self._read_name)
        return self._name

    async def load(self) -> None:
        await self._model()

    async def check(self) -> None:
        await asyncio.to_thread(self._files)

    async def aclose(self) -> None:
        return

    async def embed(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        return await asyncio.to_thread((await self._model()).embed_all, texts)

    async def _model(self) -> SentenceModel:
        async with self._loading:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(self._load)
            return self._loaded

    def _load(self) -> SentenceModel:
        from graph.recall.model import SentenceModel  # noqa: PLC0415 - as above

        return SentenceModel(self._files())


def _packaged_files() -> ModelFiles:
    from graph.recall.model import packaged_model  # noqa: PLC0415 - as above

    return packaged_model()


def _packaged_name() -> str:
    return _PACKAGED


def _files_in(folder: Path) -> ModelFiles:
    from graph.recall.model import model_in  # noqa: PLC0415 - as above

    return model_in(folder)


def _name_of(folder: Path) -> str:
    """Return the name of a model in a folder; it has a part of the file's hash, so that it differs for another file."""
    with _files_in(folder).model.open("rb") as file:
        return f"{folder.resolve().name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
