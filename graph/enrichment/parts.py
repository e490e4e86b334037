"""The parts of a message in the form of model APIs: their text, and the JSON that counts as tokens besides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import orjson

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
