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


class LanguageDetector:
    """Tells texts in any of the given languages, or the default one, apart.

    Raises:
        StartupError: the detector is not installed, or does not know a language.
    """

    def __init__(self, languages: Iterable[str], default: str = "en") -> None:
        try:
            from lingua import IsoCode639_1, Language, LanguageDetectorBuilder  # noqa: PLC0415 - optional
        except ImportError as error:
            raise StartupError(
                "A map of languages to models needs a language detector: run `pip install lingua-language-detector`.",
            ) from error
        self._default = default
        chosen = []
        for code in sorted({*languages, default}):
            try:
                chosen.append(Language.from_iso_code_639_1(getattr(IsoCode639_1, code.upper())))
            except AttributeError:
                raise StartupError(f"{code!r} is no ISO 639-1 code of a language that can be detected.") from None
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
