"""The pairs of a tool's call and its result, by the id of the call.

A message has the ids of the calls and the results in its `parts`; `toolCallId` makes a whole message a result. They are
stored apart from the parts, so that an index finds a call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from graph.store.documents import JSONObject

CALLS = {"tool-call": "toolCallId", "tool_use": "id", "function_call": "call_id"}
"""The types of parts that are calls, in the AI SDK and at Anthropic and OpenAI, with the key of the call's id."""
RESULTS = {"tool-result": "toolCallId", "tool_result": "tool_use_id", "function_call_output": "call_id"}
"""The same for results."""
_OF_INTERFACES = "tool-"
"""The beginning of the types of parts that are a call with its result, in the interfaces of the AI SDK."""
_DYNAMIC = "dynamic-tool"
"""The same, for a tool that is not known in advance."""


def is_of_tool(part: JSONObject) -> bool:
    """Return whether a part has the arguments or the result of a tool."""
    kind = part.get("type")
    if not isinstance(kind, str):
        return False
    return kind in CALLS or kind in RESULTS or kind.startswith(_OF_INTERFACES) or kind == _DYNAMIC


class Pairs(TypedDict):
    """The ids in a message."""

    toolCalls: list[str]
    toolResults: list[str]


def pairs_of(parts: Sequence[JSONObject], tool_call_id: str | None) -> Pairs:
    """Return the ids of the calls and the results in a message."""
    results = [] if tool_call_id is None else [tool_call_id]
    return {"toolCalls": [*_ids(parts, CALLS)], "toolResults": [*dict.fromkeys([*results, *_ids(parts, RESULTS)])]}


def _ids(parts: Sequence[JSONObject], keys: Mapping[str, str]) -> Iterator[str]:
    for part in parts:
        kind = part.get("type")
        call_id = part.get(keys[kind]) if isinstance(kind, str) and kind in keys else None
        if isinstance(call_id, str):
            yield call_id
