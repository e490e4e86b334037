"""Offsets in units of UTF-16, as JavaScript, Java and C# count, in addition to code points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graph.store.documents import EntityDocument


def wide_before(content: str, starts: Iterable[int]) -> Iterator[int]:
    """Yield the number of characters before each offset that take two units of UTF-16, in linear time.

    Args:
        content: the text, without lone surrogates.
        starts: offsets in code points, ascending.
    """
    wide = last = 0
    for start in starts:
        wide += _wide(content[last:start])
        last = start
        yield wide


def set_wide(entities: Iterable[EntityDocument], content: str) -> None:
    """Set at each match the number of characters before it that take two units of UTF-16, if any."""
    matches = sorted((match for entity in entities for match in entity["matches"]), key=lambda match: match["start"])
    for match, wide in zip(matches, wide_before(content, [match["start"] for match in matches]), strict=True):
        match.pop("wide", None)
        if wide:
            match["wide"] = wide


def _wide(text: str) -> int:
    return 0 if text.isascii() else len(text.encode("utf-16-le")) // 2 - len(text)
