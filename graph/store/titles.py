"""The words of the titles of sessions, by which lists of sessions are filtered.

A session with a title has its words, in the normal form of names, as `titleWords`: an index finds the words that begin
with a text. A default title is the beginning of a message, which a search finds, and its words are not stored.
"""

from __future__ import annotations

import re
from typing import Final

from graph.store.documents import Document, SessionDocument
from graph.store.entities.names import normalise_name

MOST_WORDS: Final = 10
"""Maximum words of a text that titles are compared with: MongoDB compares each one with all words of a title."""
_WORD = re.compile(r"\w+")
_AFTER: Final = "\U0010ffff"
"""The greatest code point, which is no character."""


def words_of(text: str) -> list[str]:
    """Return the different words of a text in normal form: its runs of letters, digits and underscores."""
    return list(dict.fromkeys(_WORD.findall(normalise_name(text))))


def with_words(session: SessionDocument) -> SessionDocument:
    """Return a new session with the words of its title."""
    words = words_of(session.get("title", ""))
    return {**session, "titleWords": words} if words else session


def named(text: str) -> Document:
    """Return the condition of sessions whose id begins with a text, or whose title has words that begin with its words.

    Indexes serve both ways.
    """
    ways: list[Document] = [{"_id": _beginning(text)}]
    if words := words_of(text):
        ways.append({"$and": [{"titleWords": {"$elemMatch": _beginning(word)}} for word in words]})
    return {"$or": ways}


def _beginning(text: str) -> Document:
    return {"$gte": text, "$lt": text + _AFTER}
