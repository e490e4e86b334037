"""One spaCy model at work: texts in, entity spans out, in bounded memory."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from graph.enrichment.chunks import split_chunks
from graph.enrichment.models import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graph.enrichment.places import Span

    Piece = tuple[str, tuple[int, int]]  # text, (index of the whole text, offset into it)

# The most that one pass holds. A larger pass is no faster and only takes memory.
PASS_CHARACTERS = 50_000
PASS_TEXTS = 256

# A pipeline remembers each word it meets, which makes the next texts faster and grows for ever: it is made to forget
# after this many characters. Forgetting after every pass costs about 5 % of the throughput.
_FORGET_AFTER = 2_000_000


class Pipeline:
    """A loaded model. Not safe for use by several threads at once.

    Raises:
        ModelNotFoundError: the model is not installed.
        StartupError: it can't be used.
    """

    def __init__(self, model: str) -> None:
        self._nlp = load_model(model)
        self.language: str = self._nlp.lang
        self._zone = ExitStack()
        self._zone_characters = 0
        self._zone.enter_context(self._nlp.memory_zone())

    def read(self, texts: Sequence[str]) -> list[list[Span]]:
        """The entities of each text, in order, without overlap. Exceptions of the model pass through."""
        found: list[list[Span]] = [[] for _ in texts]
        for part in self.passes(texts):
            for index, span in part:
                found[index].append(span)
        return found

    def passes(self, texts: Sequence[str]) -> Iterator[list[tuple[int, Span]]]:
        """The entities of all texts in order, pass by pass, each with the index of its text.

        Other texts may be read between two passes. Exceptions of the model pass through.
        """
        for group in _groups(texts):
            self._forget(sum(len(piece) for piece, _ in group))
            yield [
                (index, (offset + entity.start_char, offset + entity.end_char, entity.label_))
                for doc, (index, offset) in self._nlp.pipe(group, as_tuples=True, batch_size=PASS_TEXTS)
                for entity in doc.ents
            ]

    def _forget(self, characters: int) -> None:
        self._zone_characters += characters
        if self._zone_characters > _FORGET_AFTER:
            self._zone.close()
            self._zone.enter_context(self._nlp.memory_zone())
            self._zone_characters = characters


def _groups(texts: Sequence[str]) -> Iterator[list[Piece]]:
    """The chunks of the texts, in groups that fit one pass."""
    group: list[Piece] = []
    size = 0
    for index, text in enumerate(texts):
        for start, end in split_chunks(text):
            if group and (size + end - start > PASS_CHARACTERS or len(group) >= PASS_TEXTS):
                yield group
                group, size = [], 0
            group.append((text[start:end], (index, start)))
            size += end - start
    if group:
        yield group
