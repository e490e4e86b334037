"""How well messages are recalled, in the conversations of `tests/data/recall`, and what each signal is worth.

The engine runs in this process, over one conversation as one user's sessions, at the time of its last message. Printed
are, of all questions of a half: the share with evidence among the first five (`hit@5`), the mean share of the evidence
among the first ten (`recall@10`), the mean reciprocal rank of the first evidence (`MRR`), and the share of questions
with all evidence inside a context of 2,000 tokens (`context`). `held out` was not looked at while weights were chosen.
`$text` is the text search of MongoDB, with an English text index of the contents, of one conversation at a time.

    python benchmarks/recall_quality.py [--half tune]
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from pymongo import MongoClient
from pymongo.collection import Collection

from graph.enrichment.entities import Extractor
from graph.enrichment.tokens import load_counter
from graph.mongod.embedded import EmbeddedMongo
from graph.operations.packing import Packing, Recalled
from graph.recall.columns import Columns, columns_of
from graph.recall.entries import Entry, entry_of, words_of
from graph.recall.model import SentenceModel, packaged_model
from graph.recall.query import Query, has_phrases, read_query
from graph.recall.scoring import Floats, Signals, signals
from graph.recall.vectors import quantise
from graph.store.documents import MessageDocument

DATA = Path(__file__).parent.parent / "tests" / "data" / "recall"
HALVES = ("tune", "held out")
BUDGET = 2_000
COUNT = cache(load_counter().count)  # each text is packed once for each row


@dataclass(frozen=True)
class Conversation:
    """A conversation of the test set, ready to be searched."""

    name: str
    half: str
    columns: Columns
    messages: Mapping[str, dict[str, Any]]
    questions: Sequence[dict[str, Any]]
    now: datetime


Score = Callable[[Conversation, str, Signals], Floats]
"""The score of each row for a question, given its signals."""


def _nothing(measured: Signals) -> Floats:
    return np.zeros_like(measured.bm25)


def _without(*names: str) -> Callable[[Signals], Floats]:
    return lambda measured: replace(measured, **dict.fromkeys(names, _nothing(measured))).total()


def _words_alone(measured: Signals) -> Floats:
    return replace(measured, cosine=None, before=None, after=None).total()


ROWS: dict[str, Callable[[Signals], Floats]] = {
    "all": Signals.total,
    "BM25": lambda measured: measured.bm25,
    "vectors": lambda measured: _nothing(measured) if measured.cosine is None else measured.cosine,
    "without a model": _words_alone,
    "- BM25": _without("bm25"),
    "- session": _without("session_bm25"),
    "- cosine": _without("cosine"),
    "- neighbours": _without("before", "after"),
    "- speaker": _without("speaker"),
    "- date": _without("date"),
    "- answer": _without("answer"),
    "- question": _without("question"),
    "- length": _without("length"),
}


class MongoText:
    """The text search of MongoDB, over contents in a collection of its own.

    Args:
        collection: an empty collection.
        conversations: the conversations to store.
    """

    def __init__(self, collection: Collection[dict[str, Any]], conversations: Sequence[Conversation]) -> None:
        self._collection = collection
        collection.create_index([("conversation", 1), ("content", "text")], default_language="english")
        collection.insert_many(
            {"conversation": each.name, "id": one["id"], "content": one["content"]}
            for each in conversations
            for one in each.messages.values()
        )

    def score(self, of: Conversation, question: str, measured: Signals) -> Floats:
        """Return `textScore` of each row; 0 for a row without a word of the question."""
        scores = _nothing(measured)
        wanted = {"conversation": of.name, "$text": {"$search": _OPERATORS.sub(" ", question)}}
        rows = {message_id: row for row, message_id in enumerate(of.columns.message_ids)}
        for one in self._collection.find(wanted, {"id": 1, "score": {"$meta": "textScore"}}):
            scores[rows[one["id"]]] = one["score"]
        return scores


_OPERATORS = re.compile(r'["\\]|(?<!\w)-')
"""The signs that MongoDB reads as a phrase or a negation."""


def _of_signals(total: Callable[[Signals], Floats]) -> Score:
    return lambda _of, _question, measured: total(measured)


def main() -> None:
    """Print a table for each half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=HALVES, nargs="*", default=HALVES)
    halves = parser.parse_args().half
    model, extractor = SentenceModel(packaged_model()), Extractor()
    conversations = [_conversation(path, model, extractor) for path in sorted(DATA.glob("*.json"))]
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedMongo(Path(folder), cache_mb=256) as mongo,
        MongoClient[dict[str, Any]](mongo.uri) as client,
    ):
        text = MongoText(client["bench_recall"]["contents"], conversations)
        rows = {"$text": text.score, **{name: _of_signals(total) for name, total in ROWS.items()}}
        for half in halves:
            _print([each for each in conversations if each.half == half], half, rows, model)


def _print(chosen: Sequence[Conversation], half: str, rows: Mapping[str, Score], model: SentenceModel) -> None:
    questions = sum(len(each.questions) for each in chosen)
    sys.stdout.write(f"{half}: {len(chosen)} conversations, {questions} questions\n")
    sys.stdout.write(f"{'':18}{'hit@5':>8}{'recall@10':>11}{'MRR':>8}{'context':>9}\n")
    for name, score in rows.items():
        found = [one for each in chosen for one in _measured(each, score, model)]
        means = [100 * statistics.fmean(values) for values in zip(*found, strict=True)]
        sys.stdout.write("{:18}{:7.1f}%{:10.1f}%{:7.1f}%{:8.1f}%\n".format(name, *means))


def _conversation(path: Path, model: SentenceModel, extractor: Extractor) -> Conversation:
    data = json.loads(path.read_text(encoding="utf-8"))
    said = [{**message, "session": session["id"]} for session in data["sessions"] for message in session["messages"]]
    contents = [message["content"] for message in said]
    entries = list(_entries(said, extractor.extract(contents), model.embed_all(contents)))
    now = _time(said[-1])
    by_id = {message["id"]: message for message in said}
    return Conversation(path.stem, data["half"], columns_of(entries, model.dimension), by_id, data["questions"], now)


def _entries(said: Sequence[dict[str, Any]], found: Sequence[Any], vectors: Sequence[Floats]) -> Iterator[Entry]:
    for seq, (message, entities, vector) in enumerate(zip(said, found, vectors, strict=True)):
        yield entry_of(
            message["id"],
            message["session"],
            seq,
            role=message["role"],
            name=message.get("name"),
            words=words_of(message["content"]),
            at=_time(message),
            labels=[entity.label for entity in entities] if isinstance(entities, list) else (),
            embedded=quantise(vector),
        )


def _time(message: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(message["createdAt"])


def _measured(of: Conversation, score: Score, model: SentenceModel) -> Iterator[tuple[float, float, float, float]]:
    for question in of.questions:
        query = read_query(question["question"], of.columns.speakers, of.columns.languages, of.now)
        measured = signals(of.columns, query, model.embed([query.embedded])[0])
        scores = score(of, question["question"], measured)
        ranked = _ranked(of, query, scores)
        evidence = set(question["evidence"])
        places = [place for place, message_id in enumerate(ranked) if message_id in evidence]
        yield (
            float(any(place < 5 for place in places)),
            sum(place < 10 for place in places) / len(evidence),
            1 / (1 + places[0]) if places else 0.0,
            float(evidence <= _packed(of, ranked, scores)),
        )


def _ranked(of: Conversation, query: Query, scores: Floats) -> list[str]:
    order = np.argsort(-scores, kind="stable")
    ids = [of.columns.message_ids[row] for row in order.tolist()]
    return [one for one in ids if has_phrases(of.messages[one]["content"], query.phrases)]


def _packed(of: Conversation, ranked: Sequence[str], scores: Floats) -> set[str]:
    """The messages of a context, of the fifty best."""
    packing = Packing(COUNT, BUDGET)
    greatest = max(float(scores.max()), 1e-9)
    by_id = dict(zip(of.columns.message_ids, (scores / greatest).tolist(), strict=True))
    packing.take_recalled([Recalled(_document(of.messages[one]), by_id[one]) for one in ranked[:50]])
    packing.finish()
    return packing.packed.ids


def _document(message: dict[str, Any]) -> MessageDocument:
    shaped = {
        "_id": message["id"],
        "sessionId": message["session"],
        "seq": _time(message).timestamp(),
        "role": message.get("name", message["role"]),
        "content": message["content"],
        "createdAt": _time(message),
    }
    return cast("MessageDocument", shaped)


if __name__ == "__main__":
    main()
