"""Messages a second of `Extractor.extract`, beside bare `nlp.pipe` over the same texts.

Needs `pip install chitchat-dataset`. Rounds alternate and processor time is counted, so that what else the machine does
falls on all alike; the ratio is that of the medians. Two baselines: the components the extractor keeps, and `tok2vec`
with `ner`, as is usual.

    python benchmarks/extract_throughput.py [messages] [rounds]
"""

from __future__ import annotations

import gc
import sys
import time
from importlib import import_module
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any

from graph.enrichment.entities import DEFAULT_MODEL, Extractor
from graph.enrichment.models import load_model, use_one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNUSED = ["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"]


def messages() -> Iterator[str]:
    for conversation in import_module("chitchat_dataset").Dataset().values():
        for turn in conversation["messages"]:
            for message in turn if isinstance(turn, list) else [turn]:
                yield message["text"]


def bare(nlp: Any, texts: list[str]) -> int:
    return sum(len([(e.start_char, e.end_char, e.label_) for e in doc.ents]) for doc in nlp.pipe(texts))


def seconds(run: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    numbers = [int(argument) for argument in sys.argv[1:]]
    texts = list(islice(messages(), numbers[0] if numbers else 5_000))
    rounds = numbers[1] if len(numbers) > 1 else 5
    use_one_thread()
    extractor = Extractor()
    same, usual = load_model(DEFAULT_MODEL), import_module(DEFAULT_MODEL).load(exclude=UNUSED)
    runs: dict[str, Callable[[], object]] = {
        "Extractor.extract": lambda: extractor.extract(texts),
        f"nlp.pipe, {' + '.join(same.pipe_names)}": lambda: bare(same, texts),
        f"nlp.pipe, {' + '.join(usual.pipe_names)}": lambda: bare(usual, texts),
    }
    print(f"{len(texts)} messages, {len(set(texts))} of them different, {sum(map(len, texts))} characters")
    for run in runs.values():
        run()
    times = [{name: seconds(run) for name, run in runs.items()} for _ in range(rounds)]
    ours, *others = ({name: median(row[name] for row in times) for name in runs}).items()
    print(f"{ours[0]:<28}{ours[1]:7.2f} s {len(texts) / ours[1]:8.0f} messages/s")
    for name, took in others:
        print(f"{name:<28}{took:7.2f} s {len(texts) / took:8.0f} messages/s   ratio {took / ours[1]:.2f}")


if __name__ == "__main__":
    main()
