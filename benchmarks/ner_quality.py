"""How well entities are found in chat text, beside the bare spaCy model, with the gain of each step.

Scores are those of exact spans: both offsets right (untyped), and the label too (typed); `names` is the typed score
of people, organisations, places, works and so on, without dates, times and numbers.

The texts of `ner_chat.jsonl` were written for this and annotated by hand before any was shown to a model, after
the OntoNotes guidelines which the model's labels are from, with these decisions: no leading article, honorific ("Dr.",
"aunt") or possessive ending is part of a name unless it is of a title ("A Doll's House"); names within code are not
annotated. Rules and thresholds were chosen on the `dev` half alone; `held-out` is what to believe.

    python benchmarks/ner_quality.py [--errors] [model]
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graph.enrichment.boundaries import VALUE_LABELS
from graph.enrichment.entities import DEFAULT_MODEL, ExtractionFailure, Extractor, Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Span = tuple[int, int, str]
HALVES = ("dev", "held-out")
ROWS = {
    "bare spaCy": Steps(mask=False, casing=False, boundaries=False, places=False),
    "+ masking": Steps(casing=False, boundaries=False, places=False),
    "+ boundaries": Steps(casing=False, places=False),
    "+ casing": Steps(places=False),
    "+ places (all)": Steps(),
    "all - masking": Steps(mask=False),
    "all - boundaries": Steps(boundaries=False),
    "all - casing": Steps(casing=False),
}


@dataclass(frozen=True)
class Example:
    half: str
    text: str
    spans: frozenset[Span]


def read_examples() -> list[Example]:
    lines = Path(__file__).with_name("ner_chat.jsonl").read_text("utf-8").splitlines()
    return [
        Example(row["half"], row["text"], frozenset((start, end, label) for start, end, label in row["entities"]))
        for row in map(json.loads, lines)
    ]


def predict(extractor: Extractor, examples: Sequence[Example]) -> list[frozenset[Span]]:
    found = []
    for result in extractor.extract([example.text for example in examples]):
        if isinstance(result, ExtractionFailure):
            raise TypeError(result.reason)
        found.append(frozenset((m.start, m.end, entity.label) for entity in result for m in entity.matches))
    return found


def typed(spans: frozenset[Span]) -> frozenset[object]:
    return frozenset(spans)


def untyped(spans: frozenset[Span]) -> frozenset[object]:
    return frozenset((start, end) for start, end, _ in spans)


def names(spans: frozenset[Span]) -> frozenset[object]:
    return frozenset(span for span in spans if span[2] not in VALUE_LABELS)


def score(
    gold: Sequence[frozenset[Span]],
    found: Sequence[frozenset[Span]],
    view: Callable[[frozenset[Span]], frozenset[object]],
) -> tuple[float, float, float]:
    """Precision, recall and F1 over all texts together."""
    right = sum(len(view(a) & view(b)) for a, b in zip(gold, found, strict=True))
    expected = sum(len(view(a)) for a in gold)
    given = sum(len(view(b)) for b in found)
    return right / max(given, 1), right / max(expected, 1), 2 * right / max(expected + given, 1)


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--errors"]
    model = arguments[0] if arguments else DEFAULT_MODEL
    examples = read_examples()
    for half in HALVES:
        chosen = [example for example in examples if example.half == half]
        gold = [example.spans for example in chosen]
        print(f"\n{half}: {len(chosen)} messages, {sum(map(len, gold))} entities, {model}")
        print(f"{'':<18}" + "".join(f"{name + ' P':>12}{'R':>7}{'F1':>7}" for name in ("typed", "untyped", "names")))
        for row, steps in ROWS.items():
            found = predict(Extractor(model, steps=steps), chosen)
            cells = [score(gold, found, view) for view in (typed, untyped, names)]
            print(f"{row:<18}" + "".join(f"{p:12.3f}{r:7.3f}{f:7.3f}" for p, r, f in cells))
        if "--errors" in sys.argv and half == "dev":
            print_errors(chosen, predict(Extractor(model), chosen))


def print_errors(examples: Sequence[Example], found: Sequence[frozenset[Span]]) -> None:
    for example, spans in zip(examples, found, strict=True):
        if spans != example.spans:
            print(repr(example.text[:150]))
            for title, wrong in (("  too much", spans - example.spans), ("  missed  ", example.spans - spans)):
                print(title, [(example.text[start:end], label) for start, end, label in sorted(wrong)])


if __name__ == "__main__":
    main()
