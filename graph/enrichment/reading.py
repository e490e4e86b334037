"""The text that a model reads: composed, with plain spaces, and the way back from it to the text as it is stored."""

from __future__ import annotations

import re
import sys
import unicodedata
from array import array
from dataclasses import dataclass
from functools import cache

# Spaces by another name, the no-break ones above all: a model knows the plain one.
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]")
# Marks of no width that are no part of any name: of the byte order, of a possible hyphen, of a break that is forbidden.
_DROPPED = re.compile("[\ufeff\u00ad\u2060]")
# Letters that join the one before though they are no marks: Hangul vowels and final consonants.
_JOINING = "\u1161-\u1175\u11a8-\u11c2"


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as a model reads it.

    Attributes:
        text: the normalised text.
        starts: for each of its characters, where the characters that it stands for begin in the stored text; None where
            all are at the same place in both.
        ends: where those end.
    """

    text: str
    starts: array[int] | None = None
    ends: array[int] | None = None

    def stored(self, start: int, end: int) -> tuple[int, int]:
        """The offsets into the stored text of a part of the one that is read, end exclusive; the part is not empty."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def reading_of(text: str) -> Reading:
    """A stored text as it is read: in normal form C, every space a plain one, without marks of no width."""
    if text.isascii():
        return Reading(text)
    spaced = _SPACES.sub(" ", text)
    if unicodedata.is_normalized("NFC", spaced) and not _DROPPED.search(spaced):
        return Reading(spaced)
    parts: list[str] = []
    starts, ends = array("I"), array("I")
    for match in _segments().finditer(spaced):
        written = match.group()
        if _DROPPED.match(written):
            continue
        start, end = match.span()
        composed = unicodedata.normalize("NFC", written)
        parts.append(composed)
        if composed == written:
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
        else:
            starts.extend([start] * len(composed))
            ends.extend([end] * len(composed))
    return Reading("".join(parts), starts, ends)


@cache
def _segments() -> re.Pattern[str]:
    """Pieces that normal form C can be made of one by one: a character with the marks after it."""
    marks = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M"]
    joined = "".join(map(chr, marks))
    return re.compile(f"{_DROPPED.pattern}|.[{joined}{_JOINING}]*", re.DOTALL)
