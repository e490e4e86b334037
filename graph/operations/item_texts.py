"""The texts of an item by which a search finds it, and the facts of them that a search compares."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from graph.enrichment.models import use_one_thread
from graph.errors import BadUserInput, shown
from graph.operations import validation
from graph.operations.concurrency import run_on_thread
from graph.recall.embedding import Embedder
from graph.store.documents import JSON, JSONObject
from graph.store.item_documents import ItemText
from graph.store.vectors import LAYOUT

logger = logging.getLogger(__name__)

_Vector: TypeAlias = tuple[bytes, float]

MAX_TEXTS = 8
"""Maximum texts of an item: the further ones are not compared."""
MAX_CHARACTERS = 10_000
"""Maximum characters of the texts of an item together: the rest is not compared."""
MAX_STEPS = 20_000
"""Maximum values and pieces of texts of an item that are looked at, in the order of the paths."""
MAX_PATHS = 20
MAX_PATH_BYTES = 512
_PLAIN = "a text"
"""No model refuses it: where a server does, the fault is not in the texts."""
_WHOLE = "$"
_ANY = "*"
_TOKEN = re.compile(r"\[(?:\*|-?\d{1,9})\]|[^.\[\]{}]+")
_PATH = re.compile(rf"(?:{_TOKEN.pattern})(?:\.?\[(?:\*|-?\d{{1,9}})\]|\.[^.\[\]{{}}]+)*")


@dataclass(frozen=True, slots=True)
class ReadTexts:
    """The facts of the texts of one item.

    Attributes:
        texts: the facts, in the order of the texts.
        layout: the version of their terms.
        model: the model of their vectors, which refused the texts without one; None for no vectors.
    """

    texts: list[ItemText]
    layout: int
    model: str | None


def check_index(paths: Sequence[str], name: str) -> list[str]:
    """Check the paths to the texts of an item.

    Raises:
        BadUserInput: there are too many, one is not a path, or two are equal.
    """
    if len(paths) > MAX_PATHS:
        raise BadUserInput(f"{name} has {len(paths)} paths, and at most {MAX_PATHS} are accepted")
    for place, path in enumerate(paths):
        validation.check_text(path, f"{name}[{place}]", most_bytes=MAX_PATH_BYTES)
        if path != _WHOLE and not _PATH.fullmatch(path):
            raise BadUserInput(
                f"{name}[{place}] is {shown(path)}, which is not a path: write keys with dots between them, [0] or [*]"
                " for items of a list, * for all values, or $ for the whole value"
            )
        if path in paths[:place]:
            raise BadUserInput(f"{name}[{place}] is {shown(path)}, which is there already: give each path once")
    return list(paths)


def texts_of(value: JSONObject, index: Sequence[str] | None) -> list[str]:
    """Return the texts of a value, within the bounds; run it on the thread.

    Args:
        value: the value.
        index: the checked paths to its texts; None for the whole value.
    """
    texts: list[str] = []
    left = MAX_CHARACTERS
    steps = iter(range(MAX_STEPS))
    for _, found in zip(steps, _at_paths(value, (_WHOLE,) if index is None else index), strict=False):
        text = _beginning(found, left, steps).strip()
        if text:
            texts.append(text)
            left -= len(text)
        if not left or len(texts) == MAX_TEXTS:
            break
    return texts


def _at_paths(value: JSONObject, paths: Sequence[str]) -> Iterator[JSON]:
    for path in paths:
        yield from [value] if path == _WHOLE else _at(value, _TOKEN.findall(path))


def _at(value: JSON, tokens: Sequence[str], place: int = 0) -> Iterator[JSON]:
    """Yield the values at a path from one of its places on, and None for each value that has nothing there."""
    if place == len(tokens):
        yield value
        return
    is_empty = True
    for below in _below(value, tokens[place]):
        is_empty = False
        yield from _at(below, tokens, place + 1)
    if is_empty:
        yield None  # so that the steps of the caller count the walk


def _below(value: JSON, token: str) -> Iterable[JSON]:
    if isinstance(value, dict):
        if token == _ANY:
            return value.values()
        return [value[token]] if token in value else []
    if not isinstance(value, list) or not (token == _ANY or token.startswith("[")):
        return []
    if token in (_ANY, f"[{_ANY}]"):
        return value
    place = int(token[1:-1])
    return [value[place]] if -len(value) <= place < len(value) else []


def _beginning(value: JSON, most: int, steps: Iterator[int]) -> str:
    """Return the first characters of the text of a value, from no more of its pieces than there are steps left."""
    pieces: list[str] = []
    length = 0
    for _, piece in zip(steps, _pieces(value), strict=False):
        pieces.append(piece)
        length += len(piece)
        if length >= most:
            break
    return "".join(pieces)[:most]


def _pieces(value: JSON) -> Iterator[str]:
    if isinstance(value, dict):
        for place, (name, item) in enumerate(value.items()):
            yield f"\n{name}: " if place else f"{name}: "
            yield from _pieces(item)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            if place:
                yield "\n"
            yield from _pieces(item)
    elif value is not None:
        yield value if isinstance(value, str) else orjson.dumps(value).decode()


def _words_of(texts: Sequence[str]) -> list[ItemText]:
    use_one_thread()
    from graph.recall.entries import words_of  # noqa: PLC0415 - not loaded without a search

    return [{"language": words.language, "terms": words.terms} for words in map(words_of, texts)]


async def read_texts(texts: Mapping[str, Sequence[str]], embedder: Embedder | None) -> dict[str, ReadTexts]:
    """Return the facts of the texts of items.

    Args:
        texts: the texts of each item, by any name.
        embedder: embeds the texts, except for those that the model refuses; None for facts without vectors.

    Raises:
        Unavailable: the server of the model does not answer.
        StartupError: the model can't be used.
        ValueError: the model refuses every text.
    """
    flat = [text for own in texts.values() for text in own]
    facts = await run_on_thread(_words_of, flat)
    model = None
    if embedder is not None:
        model = await embedder.name()
        for fact, embedded in zip(facts, await _vectors_of(flat, embedder), strict=True):
            if embedded is not None:
                fact["vector"], fact["scale"] = embedded
    found: dict[str, ReadTexts] = {}
    start = 0
    for name, own in texts.items():
        found[name] = ReadTexts(facts[start : start + len(own)], LAYOUT, model)
        start += len(own)
    return found


async def _vectors_of(texts: Sequence[str], embedder: Embedder) -> list[_Vector | None]:
    """Return the vectors of texts, None for a text that the model refuses; raise the errors of `read_texts`."""
    if not texts:
        return []
    try:
        return [*await embedder.embed(texts)]
    except ValueError as error:
        logger.warning("the embedding model refuses one of %d texts of items: %s", len(texts), error)
    found = [await _vector_of(text, embedder) for text in texts]
    if not any(found):
        await embedder.embed([_PLAIN])
    return found


async def _vector_of(text: str, embedder: Embedder) -> _Vector | None:
    try:
        return (await embedder.embed([text]))[0]
    except ValueError:
        return None
