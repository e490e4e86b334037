"""The fields `start` and `end` of a match in a content, in code points or in units of UTF-16."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, TypeAlias

import strawberry

from graph.execution.fields import resolved
from graph.schema.enums import described_enum
from graph.store.documents import Document


class OffsetUnit(StrEnum):
    """The unit of an offset."""

    CODE_POINT = "CODE_POINT"
    UTF16 = "UTF16"


described_enum(
    OffsetUnit,
    description="The unit of an offset into a text.",
    values={
        "CODE_POINT": "Unicode code points, as Python, Go's runes and PostgreSQL count.",
        "UTF16": "Code units of UTF-16, as JavaScript, Java and C# count: an emoji is two or more.",
    },
)
Unit: TypeAlias = Annotated[OffsetUnit, strawberry.argument(description="The unit of the offset.")]


def _start(match: Document, unit: str = OffsetUnit.CODE_POINT) -> int:
    start: int = match["start"]
    return start + match.get("wide", 0) if unit == OffsetUnit.UTF16 else start


def _end(match: Document, unit: str = OffsetUnit.CODE_POINT) -> int:
    end: int = match["end"]
    return _start(match, unit) + len(match["text"].encode("utf-16-le")) // 2 if unit == OffsetUnit.UTF16 else end


def start_field(description: str) -> Any:
    """The field `start` of a type whose source is a match with `text`."""

    @resolved("start", "wide", description=description, read=_start, path="start")
    def start(root: strawberry.Parent[Any], unit: Unit = OffsetUnit.CODE_POINT) -> int:
        return _start(root, unit)

    return start


def end_field(description: str) -> Any:
    """The field `end` of a type whose source is a match with `text`."""

    @resolved("end", "wide", "text", description=description, read=_end, path="end")
    def end(root: strawberry.Parent[Any], unit: Unit = OffsetUnit.CODE_POINT) -> int:
        return _end(root, unit)

    return end
