"""The facts of one message that a search needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from graph.recall.questions import NO_FLAG, Flag, message_flags
from graph.recall.terms import count_terms, split_words, term_hash


@dataclass(frozen=True, slots=True)
class Entry:
    """The facts of one message that a search needs.

    Attributes:
        message_id: the message.
        session_id: its session.
        seq: its number in the session.
        speaker: the name of the speaker, or else the role.
        at: the time of the message.
        language: the language of the content, a name of `recall.languages`.
        terms: the frequency of each term's hash in the speaker and the content.
        flags: whether the content is a question, and the classes of its entities.
        vector: the embedding of the content as 8-bit integers; empty until the content is embedded.
        scale: the factor from the integers to the vector of length 1.
    """

    message_id: str
    session_id: str
    seq: int
    speaker: str
    at: datetime
    language: str
    terms: Mapping[int, int]
    flags: Flag = NO_FLAG
    vector: bytes = b""
    scale: float = 0.0

    @property
    def length(self) -> int:
        """Return the number of terms, repetitions included."""
        return sum(self.terms.values())


def entry_of(
    message_id: str,
    session_id: str,
    seq: int,
    *,
    speaker: str,
    content: str,
    at: datetime,
    labels: Iterable[str] = (),
    embedded: tuple[bytes, float] = (b"", 0.0),
) -> Entry:
    """Return the entry of a message.

    Args:
        message_id: the message.
        session_id: its session.
        seq: its number in the session.
        speaker: the name of the speaker, or else the role.
        content: its text.
        at: the time of the message.
        labels: the labels of its entities.
        embedded: the vector of its content, with its scale.
    """
    language, terms = count_terms(content)
    terms.update(map(term_hash, split_words(speaker)))
    flags = message_flags(content, labels)
    return Entry(message_id, session_id, seq, speaker, at, language, terms, flags, *embedded)
