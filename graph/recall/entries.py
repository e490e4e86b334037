"""What a search knows of one message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from graph.recall.questions import NO_FLAG, Flag, message_flags
from graph.recall.terms import count_terms, split_words, term_hash


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, as a search sees it.

    Attributes:
        message_id: the message.
        session_id: its session.
        seq: its number there.
        speaker: the name, or the role, of who said it.
        at: when it was said.
        language: of its content, as `recall.languages` names it.
        terms: how often each hash of a term occurs in the speaker and the content.
        flags: what is known of the content.
        vector: the content's meaning in whole numbers of 8 bits; empty until it is embedded.
        scale: what the numbers of the vector are multiplied by.
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
        """How many terms it has, each as often as it occurs."""
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
    """The entry of a message.

    Args:
        message_id: the message.
        session_id: its session.
        seq: its number there.
        speaker: the name, or the role, of who said it.
        content: its text.
        at: when it was said.
        labels: of its entities.
        embedded: the vector of its content, with its scale.
    """
    language, terms = count_terms(content)
    terms.update(map(term_hash, split_words(speaker)))
    flags = message_flags(content, labels)
    return Entry(message_id, session_id, seq, speaker, at, language, terms, flags, *embedded)
