"""A model behind an OpenAI-compatible `/embeddings`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import httpx
import orjson

from graph.errors import StartupError, Unavailable
from graph.outgoing import bearer, client_of, server_url
from graph.telemetry.steps import Kind, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import SecretStr

_TIMEOUT = 30.0  # seconds
_REFUSED_TEXT = frozenset({400, 413, 422})
"""Statuses with which a server refuses a text; other statuses apply to every request, or are temporary."""
_SHOWN = 200  # characters of an answer in an error


class RemoteModel:
    """A model on a server; the caller must close it.

    Args:
        base_url: the URL of the API, without `/embeddings`.
        model: the name of the model on the server.
        api_key: the key of the API.

    Raises:
        StartupError: an argument can't be used; the message names its setting.
    """

    def __init__(self, base_url: str, model: str, api_key: SecretStr | None = None) -> None:
        url = server_url(base_url, "RECALLQL_EMBEDDING_BASE_URL")
        path = url.path.rstrip("/")
        self._url = url.copy_with(path=path if path.endswith("/embeddings") else f"{path}/embeddings")
        key = api_key.get_secret_value() if api_key else None
        headers = {"content-type": "application/json", **bearer(key, "RECALLQL_EMBEDDING_API_KEY")}
        if not model.strip():
            raise StartupError("RECALLQL_EMBEDDING_MODEL is empty: name a model of RECALLQL_EMBEDDING_BASE_URL")
        self._model = model
        self._client = client_of(self._url, headers=headers, timeout=_TIMEOUT)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def load(self) -> None:
        """Do nothing: the server loads the model."""

    async def name(self) -> str:
        """The model's name."""
        return f"{self._model} at {self._url.host}"

    async def check(self) -> None:
        """Embed a word; raise the errors of `embed`."""
        await self.embed(["one"])

    async def embed(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """A vector of length 1 for each text.

        Raises:
            Unavailable: the server does not answer, or refuses every request.
            ValueError: the server refuses the texts, or its answer is malformed.
        """
        # Servers refuse an empty text.
        asked = {"model": self._model, "input": [text or " " for text in texts], "encoding_format": "float"}
        try:
            with step(Kind.CALL, "embedding"):
                answer = await self._client.post(self._url, content=orjson.dumps(asked))
        except httpx.HTTPError as error:
            raise Unavailable(
                f"the embedding server {self._url.host} can't be reached: {type(error).__name__}"
            ) from None
        if answer.status_code in _REFUSED_TEXT:
            raise ValueError(f"status {answer.status_code}: {answer.text[:_SHOWN]}")
        if answer.status_code != httpx.codes.OK:
            raise Unavailable(f"the embedding server {self._url.host} answered with status {answer.status_code}")
        return _vectors(answer.content, len(texts))


def _vectors(content: bytes, count: int) -> list[NDArray[np.float32]]:
    import numpy as np  # noqa: PLC0415 - a process without embeddings does not load it

    try:
        data = sorted(orjson.loads(content)["data"], key=lambda each: int(each["index"]))
        vectors = np.array([each["embedding"] for each in data], np.float64)
    except (ValueError, KeyError, TypeError):
        raise ValueError("an answer without data[].index and data[].embedding of equal lengths") from None
    if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
        raise ValueError(
            f"an answer with {len(vectors)} embeddings of {count} texts, or with numbers that are not finite"
        )
    return list((vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).astype(np.float32))
