"""The parts of a message in the form of model APIs: their text, and the JSON that counts as tokens besides.

Searches and the extraction of entities read the arguments and results of tools in addition to the content, if they are
set to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import orjson

from graph.store.adding.tool_pairs import is_of_tool
from graph.store.documents import JSON, JSONObject

TOKENS_OF_BINARY: Final = 1_000
"""The tokens of an inline binary of any size: about an image of a megapixel."""

_TEXTS: Final = frozenset({"text", "input_text", "output_text"})
_NOT_FOR_MODELS: Final = re.compile(r"data-.*|source-.*|step-start", re.DOTALL)
"""Types of parts that interfaces show and models do not get, as AI SDK names them."""
_LEAST_BINARY: Final = 1_024  # characters of base64; shorter ones may be words or hashes
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,")


def joined_text(parts: Sequence[JSONObject]) -> str:
    """Return the texts of the text parts, joined by line breaks."""
    return "\n".join(text for part in parts if (text := _text_of(part)) is not None)


def counted_text(part: JSONObject) -> tuple[str, int]:
    """Return the JSON of a part that counts as tokens in addition to the content, and its number of inline binaries.

    The JSON is empty for a text, which the content holds, and for a part that no model gets.
    """
    if _text_of(part) is not None or _NOT_FOR_MODELS.fullmatch(str(part["type"])):
        return "", 0
    binaries: list[str] = []
    shown = _without_binaries(part, binaries)
    return orjson.dumps(shown).decode(), len(binaries)


_OF_TOOLS: Final = ("input", "args", "arguments", "output", "result", "content")
"""The names of the arguments and results of a tool in a part, in the AI SDK and at Anthropic and OpenAI."""
_WRAPPED: Final = frozenset({"text", "value"})
"""The names of a value in an object that has a `type` besides."""
_DEEPEST: Final = 100
"""Maximum depth of a value that is read: a text with JSON may be nested deeper than a part."""
_LONGEST_NAME: Final = 100
"""Characters of a name that are read: each item of a list has the name of the list."""
_MOST_CHARACTERS: Final = 50_000
"""Characters of the values of a message's tools that are read, with their names."""


def searched_text(content: str, parts: Sequence[JSONObject]) -> str:
    """Return a content, followed by the lines of `text_of_tools`."""
    lines = text_of_tools(parts)
    return f"{content}\n{lines}" if lines else content


def text_of_tools(parts: Sequence[JSONObject]) -> str:
    """Return a line for each value in the arguments and results of tools in the parts.

    The lines have at most `_MOST_CHARACTERS`: a list of many short values under one long name would be much larger than
    the message.
    """
    values = (line for part in parts if is_of_tool(part) for name in _OF_TOOLS for line in _lines("", part.get(name)))
    lines: list[str] = []
    left = _MOST_CHARACTERS
    for line in values:
        lines.append(line[:left])
        left -= len(line) + 1
        if left <= 0:
            break
    return "\n".join(lines)


def _lines(name: str, value: JSON, depth: int = 0) -> Iterator[str]:
    """Yield each value with its name; values that are nested too deep are left out."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        is_typed = isinstance(value.get("type"), str)
        for key, item in value.items():
            if not (is_typed and key == "type"):
                yield from _lines(name if is_typed and key in _WRAPPED else key, item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _lines(name, item, depth + 1)
    elif isinstance(value, str) and (decoded := _decoded(value)) is not None:
        yield from _lines(name, decoded, depth + 1)
    elif value is not None and not (isinstance(value, str) and _is_binary(value)):
        yield f"{name[:_LONGEST_NAME]}: {value}" if name else str(value)


def _decoded(text: str) -> JSON:
    """Return the object or array of a text with JSON, as which OpenAI sends arguments; None for another text."""
    if not text.startswith(("{", "[")):
        return None
    try:
        found: JSON = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found


def _text_of(part: JSONObject) -> str | None:
    text = part.get("text")
    return text if part["type"] in _TEXTS and isinstance(text, str) else None


def _without_binaries(value: JSON, binaries: list[str]) -> JSON:
    if isinstance(value, dict):
        return {key: _without_binaries(item, binaries) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_binaries(item, binaries) for item in value]
    if isinstance(value, str) and _is_binary(value):
        binaries.append(value)
        return ""
    return value


def _is_binary(text: str) -> bool:
    if text.startswith("data:"):
        return bool(_DATA_URL.match(text))
    return len(text) >= _LEAST_BINARY and bool(_BASE64.fullmatch(text))
