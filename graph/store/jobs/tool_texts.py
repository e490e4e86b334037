"""The text of the tools in the parts of claimed messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from graph.store.database import Database
from graph.store.documents import Document, JSONObject

TextOfTools: TypeAlias = Callable[[Sequence[JSONObject]], str]
"""Returns the text of the arguments and results of tools in parts; empty without a tool."""

_AT_ONCE = 16  # messages whose parts, of up to 1 MiB each, are in memory together
_MOST_CHARACTERS = 100_000
"""Characters of texts after which no more messages are read: more than a batch has whose text is its content."""


def _texts(parts: Mapping[str, Sequence[JSONObject]], text_of_tools: TextOfTools) -> dict[str, str]:
    return {uuid: text_of_tools(one) for uuid, one in parts.items()}


async def read_tool_texts(
    database: Database, uuids: Sequence[str], held: Document, text_of_tools: TextOfTools
) -> tuple[dict[str, str], list[str]]:
    """Return the texts by the uuid of the message, up to a size, and the uuids of the messages beyond it.

    Args:
        database: the open database.
        uuids: the messages; the first one is always read.
        held: the filter of the messages that are still claimed: an edit ends the claim.
        text_of_tools: makes the text, on a thread.
    """
    texts: dict[str, str] = {}
    left = _MOST_CHARACTERS
    for start in range(0, len(uuids), _AT_ONCE):
        chosen = uuids[start : start + _AT_ONCE]
        found = await database.messages.find({"_id": {"$in": chosen}, **held, "parts": {"$exists": True}}, {"parts": 1})
        parts = {message["_id"]: message["parts"] for message in found}
        made = await asyncio.to_thread(_texts, parts, text_of_tools)
        for place, uuid in enumerate(chosen, start):
            if left <= 0:
                return texts, list(uuids[place:])
            if text := made.get(uuid):
                texts[uuid] = text
                left -= len(text)
    return texts, []
