"""The beginning of a text, for lists."""

from __future__ import annotations

EXCERPT = 200
"""Characters of an excerpt by default."""
_REST = "…"
_SPACES = 4
"""Characters of a text that are read for each of its excerpt: long runs of white space become one space."""


def excerpt_of(text: str, length: int) -> str:
    """Return the beginning of a text on one line, with at most `length` code points; `…` stands for the rest.

    The excerpt ends with a whole word, unless the word takes more than half of the excerpt.
    """
    line = " ".join(text[: _SPACES * length + 1].split())
    if len(line) <= length and len(text) <= _SPACES * length:
        return line
    cut = line[: length - 1]
    whole = cut.rpartition(" ")[0] if line[length - 1 : length] not in ("", " ") else cut.rstrip()
    return (whole if 2 * len(whole) >= length else cut) + _REST
