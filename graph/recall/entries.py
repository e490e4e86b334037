"""The facts of one message that a search needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from graph.recall.questions import NO_FLAG, Flag, is_question, message_flags
from graph.recall.terms import count_terms, pack_terms, split_words, term_hash, unpack_terms


@dataclass(frozen=True, slots=True)
class Words:
    """The facts of a content that a search needs, which are stored in place of reading the content again.

    Attributes:
        language: the language, a name of `recall.languages`.
        terms: the frequency of each term's hash, see `recall.terms.pack_terms`.
        question: whether the content is a question.
    """

    language: str
    terms: bytes
    question: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """The facts of one message that a search needs.

    Attributes:
        message_id: the message.
        session_id: its session.
        seq: its number in the session.
        role: the role of the speaker.
        speaker: the name of the speaker, or else the role.
        at: the time of the message.
        language: the language of the content, a name of `recall.languages`.
        packed_terms: the frequency of each term's hash in the content and the speaker, see `recall.terms.pack_terms`.
        flags: whether the content is a question, and the classes of its entities.
        vector: the embedding of the content as 8-bit integers; empty until the content is embedded.
        scale: the factor from the integers to the vector of length 1.
    """

    message_id: str
    session_id: str
    seq: int
    role: str
    speaker: str
    at: datetime
    language: str
    packed_terms: bytes
    flags: Flag = NO_FLAG
    vector: bytes = b""
    scale: float = 0.0

    @property
    def terms(self) -> Counter[int]:
        """Return the frequency of each term's hash."""
        return unpack_terms(self.packed_terms)

    @property
    def length(self) -> int:
        """Return the number of terms, repetitions included."""
        return self.terms.total()


def words_of(content: str) -> Words:
    """Return the facts of a content."""
    language, terms = count_terms(content)
    return Words(language, pack_terms(terms), is_question(content))


def entry_of(
    message_id: str,
    session_id: str,
    seq: int,
    *,
    role: str,
    name: str | None = None,
    words: Words,
    at: datetime,
    labels: Iterable[str] = (),
    embedded: tuple[bytes, float] = (b"", 0.0),
) -> Entry:
    """Return the entry of a message.

    Args:
        message_id: the message.
        session_id: its session.
        seq: its number in the session.
        role: the role of the speaker.
        name: the name of the speaker, if it has one.
        words: the facts of its content.
        at: the time of the message.
        labels: the labels of its entities.
        embedded: the vector of its content, with its scale.
    """
    speaker = name or role
    terms = words.terms + _terms_of_speaker(speaker)
    flags = message_flags(labels, question=words.question)
    return Entry(message_id, session_id, seq, role, speaker, at, words.language, terms, flags, *embedded)


def _terms_of_speaker(speaker: str) -> bytes:
    return pack_terms(Counter(map(term_hash, split_words(speaker))))
