"""The converters of docs/messages.md, run where the libraries are installed; RECALLQL_URL names the server.

The folder of the converters is on the path.
"""

from __future__ import annotations

import os
from typing import Any
from uuid import uuid4

import anthropic_messages
import httpx
import langchain_messages
import openai_chat
import openai_responses
from anthropic.types import Message, MessageParam
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageParam
from openai.types.responses import ResponseFunctionToolCall, ResponseInputItemParam, ResponseOutputMessage
from pydantic import TypeAdapter
from recallql import RecallQL

URL = os.environ["RECALLQL_URL"]
ADD = """
mutation Add($input: AddMemoryInput!) {
  addMemory(input: $input) { memory { messages { uuid role name toolCallId content parts metadata tokenCount } } }
}
"""
CAT = "data:image/png;base64,iVBORw0KGgo="


def stored(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages as the service returns them."""
    variables = {"input": {"sessionId": str(uuid4()), "messages": inputs}}
    answer = httpx.post(f"{URL}/graphql", json={"query": ADD, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer
    return list(answer["data"]["addMemory"]["memory"]["messages"])


ANSWER = ChatCompletionMessage.model_validate(
    {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{ "city": "Kyōto" }'}},
            {"id": "c2", "type": "custom", "custom": {"name": "shell", "input": "ls 🐈"}},
        ],
    }
)
CHAT: list[ChatCompletionMessageParam] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
    {"role": "user", "name": "Ada", "content": "How is the weather in Kyōto? 🐈"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "And this?"},
            {"type": "image_url", "image_url": {"url": CAT, "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"file_id": "f1"}},
        ],
    },
    ANSWER.model_dump(exclude_unset=True),  # type: ignore[list-item]
    {"role": "tool", "tool_call_id": "c1", "content": "21 °C"},
    {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "a b"}]},
    {"role": "assistant", "content": "I look.", "tool_calls": [ANSWER.model_dump()["tool_calls"][0]]},
    {"role": "assistant", "content": "", "tool_calls": [ANSWER.model_dump()["tool_calls"][0]]},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    {"role": "assistant", "content": "No.", "refusal": "No.", "audio": {"id": "a1"}},
    {"role": "assistant", "tool_calls": [ANSWER.model_dump()["tool_calls"][0]]},
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "function", "name": "f", "content": None},
]


def test_every_message_of_chat_completions_comes_back_equal() -> None:
    found = stored([openai_chat.to_input(message) for message in CHAT])
    back = [openai_chat.from_stored(message) for message in found]
    assert back == CHAT
    assert [message["toolCallId"] for message in found[5:7]] == ["c1", "c2"]
    assert found[3]["content"] == "And this?"
    assert found[4]["tokenCount"] > 20
    assert ChatCompletionMessage.model_validate(back[4]) == ANSWER
    TypeAdapter(list[ChatCompletionMessageParam]).validate_python(back)


CALL = ResponseFunctionToolCall(
    type="function_call", call_id="c1", name="weather", arguments='{"city": "Kyōto"}', id="f1", status="completed"
)
SAID = ResponseOutputMessage.model_validate(
    {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Sunny.", "annotations": []}],
    }
)
ITEMS: list[ResponseInputItemParam] = [
    {"role": "user", "content": "How is the weather in Kyōto?"},
    {"type": "message", "role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "This?"}, {"type": "input_image", "detail": "auto"}]},
    {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"},
    CALL.model_dump(exclude_unset=True),  # type: ignore[list-item]
    {"type": "function_call_output", "call_id": "c1", "output": "21 °C"},
    SAID.model_dump(exclude_unset=True),  # type: ignore[list-item]
    {"type": "web_search_call", "id": "w1", "status": "completed", "action": {"type": "search", "query": "q"}},
]


def test_every_item_of_responses_comes_back_equal() -> None:
    found = stored([openai_responses.to_input(item) for item in ITEMS])
    back = [openai_responses.from_stored(message) for message in found]
    assert back == ITEMS
    assert [message["role"] for message in found][3:] == ["assistant", "assistant", "tool", "assistant", "assistant"]
    assert [message["content"] for message in found][1:3] == ["Be brief.", "This?"]
    assert ResponseOutputMessage.model_validate(back[6]) == SAID


REPLY = Message.model_validate(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "I look. 🐈"},
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Kyōto", "days": [1, 2]}},
        ],
    }
)
ANTHROPIC: list[MessageParam] = [
    {"role": "user", "content": "How is the weather in Kyōto?"},
    {"role": "assistant", "content": [block.model_dump(exclude_unset=True) for block in REPLY.content]},  # type: ignore[misc]
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "content": [
                    {"type": "text", "text": "21 °C"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                ],
            },
            {"type": "text", "text": "And tomorrow?", "cache_control": {"type": "ephemeral"}},
        ],
    },
    {
        "role": "user",
        "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}],
    },
]


def test_every_message_of_anthropic_comes_back_equal() -> None:
    found = stored([anthropic_messages.to_input(message) for message in ANTHROPIC])
    back = [anthropic_messages.from_stored(message) for message in found]
    assert back == ANTHROPIC
    assert [message["content"] for message in found][1:] == ["I look. 🐈", "And tomorrow?", ""]
    assert Message.model_validate({**REPLY.model_dump(), "content": back[1]["content"]}) == REPLY


LANGCHAIN: list[BaseMessage] = [
    SystemMessage("Be brief."),
    HumanMessage([{"type": "text", "text": "And this?"}, {"type": "image_url", "image_url": {"url": CAT}}], name="Ada"),
    AIMessage("I look.", tool_calls=[{"id": "c1", "name": "weather", "args": {"days": [1, 2]}, "type": "tool_call"}]),
    ToolMessage("21 °C", tool_call_id="c1", artifact={"raw": [21]}),
]


def test_every_message_of_langchain_comes_back_equal() -> None:
    session_id = str(uuid4())
    with RecallQL(URL) as client:
        langchain_messages.add(client, session_id, LANGCHAIN)
        assert langchain_messages.read(client, session_id) == LANGCHAIN


def test_a_message_of_another_library_is_its_text() -> None:
    (of_openai, plain) = stored([openai_chat.to_input(CHAT[3]), {"role": "ai", "content": "Hi", "name": "Iris"}])
    assert anthropic_messages.from_stored(of_openai) == {"role": "user", "content": "And this?"}
    assert openai_responses.from_stored(of_openai) == {"role": "user", "content": "And this?"}
    assert anthropic_messages.from_stored(plain) == {"role": "assistant", "content": "Hi"}
    assert openai_chat.from_stored(plain) == {"role": "assistant", "content": "Hi", "name": "Iris"}
    (of_anthropic,) = stored([anthropic_messages.to_input(ANTHROPIC[1])])
    assert openai_chat.from_stored(of_anthropic) == {"role": "assistant", "content": "I look. 🐈"}
