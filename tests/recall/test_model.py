"""The sentence model that the packages bring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graph.errors import StartupError
from graph.recall.model import ModelFiles, SentenceModel, model_in, packaged_model
from graph.recall.vectors import quantise


@pytest.fixture(scope="module")
def model() -> SentenceModel:
    return SentenceModel(packaged_model())


def test_texts_of_like_meaning_are_near(model: SentenceModel) -> None:
    job, work, rain = model.embed_all(["My sister found a new job", "What work does her sibling do?", "It rained"])
    assert model.dimension == 384
    assert float(job @ work) > float(job @ rain) + 0.2
    assert float(np.linalg.norm(job)) == pytest.approx(1, abs=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_others(model: SentenceModel) -> None:
    texts = [f"message {place} " + "with more words " * place for place in range(20)]
    for text, vector in zip(texts, model.embed_all(texts), strict=True):
        assert float(model.embed([text])[0] @ vector) > 0.999


def test_any_text_has_a_vector(model: SentenceModel) -> None:
    texts = ["", "\x00", "a" * 100_000, "word " * 50_000, "昨日は図書館", "🎉"]
    for vector in model.embed_all(texts):
        assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-5)


def test_whole_numbers_keep_the_cosine(model: SentenceModel) -> None:
    one, other = model.embed_all(["My sister found a new job", "What work does her sibling do?"])
    whole, scale = quantise(one)
    assert len(whole) == 384
    assert scale * float(np.frombuffer(whole, np.int8).astype(np.float32) @ other) == pytest.approx(
        float(one @ other), abs=0.01
    )


def test_a_folder_is_a_model(model: SentenceModel, tmp_path: Path) -> None:
    files = packaged_model()
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").symlink_to(files.model)
    with pytest.raises(StartupError, match=r"has no tokenizer\.json"):
        model_in(tmp_path)
    (tmp_path / "tokenizer.json").symlink_to(files.tokenizer)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    found = model_in(tmp_path)
    assert found.most_tokens == 16
    text = "the same beginning " * 8
    short = SentenceModel(found)
    assert np.array_equal(short.embed([text]), short.embed([text + "and another end"]))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    files = ModelFiles(tmp_path / "model.onnx", packaged_model().tokenizer, 256)
    with pytest.raises(StartupError, match="can't be loaded"):
        SentenceModel(files)
