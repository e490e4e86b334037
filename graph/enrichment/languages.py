"""Choosing a model by the language of a text. Needs the optional package `lingua-language-detector`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Detection on a word or two is a guess, and a wrong model is worse than the default one.
_MIN_LETTERS = 12
_MIN_DISTANCE = 0.2  # between the likeliest language and the next, of 1
_SAMPLE = 1_000  # characters tell enough


def check_languages(codes: Iterable[str]) -> None:
    """Check that languages can be detected.

    Raises:
        StartupError: the detector is not installed, or does not know a language.
    """
    try:
        from lingua import IsoCode639_1  # noqa: PLC0415 - optional
    except ImportError as error:
        raise StartupError(
            "RECALLQL_SPACY_LANGUAGES needs a language detector: run `pip install lingua-language-detector`"
        ) from error
    for code in codes:
        if not hasattr(IsoCode639_1, code.upper()):
            raise StartupError(
                f"RECALLQL_SPACY_LANGUAGES: {code!r} is no ISO 639-1 code of a language that can be detected"
            )


class LanguageDetector:
    """Detects which of the given languages a text has, or the default one.

    Raises:
        StartupError: the detector is not installed, or does not know a language.
    """

    def __init__(self, languages: Iterable[str], default: str = "en") -> None:
        codes = {*languages, default}
        check_languages(codes)
        from lingua import IsoCode639_1, Language, LanguageDetectorBuilder  # noqa: PLC0415 - optional

        self._default = default
        chosen = [Language.from_iso_code_639_1(getattr(IsoCode639_1, code.upper())) for code in sorted(codes)]
        self._detector = (
            LanguageDetectorBuilder.from_languages(*chosen).with_minimum_relative_distance(_MIN_DISTANCE).build()
            if len(chosen) > 1
            else None
        )

    def detect(self, texts: Sequence[str]) -> list[str]:
        """The ISO 639-1 code for each text; the default where the text is too short or not clear."""
        if self._detector is None:
            return [self._default] * len(texts)
        found = []
        for text in texts:
            sample = text[:_SAMPLE]
            language = (
                self._detector.detect_language_of(sample) if sum(map(str.isalpha, sample)) >= _MIN_LETTERS else None
            )
            found.append(language.iso_code_639_1.name.lower() if language else self._default)
        return found
