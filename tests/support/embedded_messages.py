"""The documents of long sessions as applications and workers leave them, without the time that those take."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import numpy as np

from graph.recall.entries import Entry, Words, entry_of, words_of
from graph.recall.vectors import quantise
from graph.store.documents import Document, now
from graph.store.vectors import LAYOUT

WORDS = [f"word{number}" for number in range(5_000)]
DIMENSION = 384


def uuid_of(session: int, seq: int) -> str:
    return str(UUID(int=session * 1_000_000 + seq))


@dataclass(frozen=True, slots=True)
class LongSession:
    """A session with random messages, of which the one in the middle has the word `needle<number>`.

    Attributes:
        number: of the session; it chooses the contents.
        user_id: the owner.
        count: the number of messages.
        model: the name of the model whose vectors they seem to have.
    """

    number: int
    user_id: str
    count: int
    model: str

    @property
    def document(self) -> Document:
        at = now() - timedelta(days=1)
        counts = {"lastSeq": self.count, "messageCount": self.count, "tokenCount": 12 * self.count}
        return {
            "_id": f"s{self.number}",
            "uuid": uuid_of(self.number, 0),
            "userId": self.user_id,
            "metadata": {},
            "createdAt": at,
            "updatedAt": at,
            "summarySeq": self.count,
            **counts,
        }

    def messages(self) -> Iterator[tuple[Document, Document]]:
        """Each message with its document in `recall`."""
        chance, numbers = random.Random(self.number), np.random.default_rng(self.number)
        last = now() - timedelta(days=1)
        for seq in range(1, self.count + 1):
            at = last - timedelta(seconds=self.count - seq)
            content = " ".join(chance.choices(WORDS, k=12))
            content += f" needle{self.number}" if seq == self.count // 2 else ""
            place = {
                "_id": uuid_of(self.number, seq),
                "sessionId": f"s{self.number}",
                "memoryId": f"m{self.number}",
                "seq": seq,
            }
            yield self._message(place, content, at), self._recall(place, content, at, numbers)

    def _message(self, place: Document, content: str, at: object) -> Document:
        said = {"role": "user", "content": content, "entities": [], "createdAt": at, "updatedAt": at}
        done = {"state": "DONE", "attempts": 1, "at": at}
        return {**place, **said, "metadata": {}, "tokenCount": 12, "enrichment": done}

    def _recall(self, place: Document, content: str, at: object, numbers: np.random.Generator) -> Document:
        vector = numbers.standard_normal(DIMENSION, np.float32)
        whole, scale = quantise(vector / np.linalg.norm(vector))
        words = words_of(content)
        stored = {"layout": LAYOUT, "language": words.language, "terms": words.terms, "question": words.question}
        return {**place, "dueAt": at, "at": at, "model": self.model, "vector": whole, "scale": scale, **stored}


def entry_with(message: Document, recall: Document) -> Entry:
    """What a search compares of a message."""
    return entry_of(
        message["_id"],
        message["sessionId"],
        message["seq"],
        role=message["role"],
        words=Words(recall["language"], recall["terms"], recall["question"]),
        at=message["createdAt"],
        embedded=(recall["vector"], recall["scale"]),
    )
