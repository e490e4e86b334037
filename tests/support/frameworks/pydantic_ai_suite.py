"""The history of Pydantic AI, run where the framework is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pydantic_ai import Agent, BinaryContent, ImageUrl
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from recallql import AsyncRecallQL
from recallql.pydantic_ai import RecallQLHistory

URL = os.environ["RECALLQL_URL"]
EVERY_KIND: list[ModelMessage] = [
    ModelRequest(parts=[SystemPromptPart("Be brief.")], instructions="Answer in English."),
    ModelRequest(parts=[SystemPromptPart("x"), UserPromptPart("How is the weather in Kyōto?")]),
    ModelRequest(
        parts=[
            UserPromptPart(
                [
                    "And this?",
                    ImageUrl("https://a.example/b.png"),
                    BinaryContent(data=b"\0\xff", media_type="image/png"),
                ]
            )
        ]
    ),
    ModelResponse(
        parts=[ThinkingPart("hm", signature="s"), ToolCallPart("weather", {"city": "Kyōto"}, tool_call_id="c1")],
        model_name="m",
        provider_details={"deep": [1, {"a": None}]},
    ),
    ModelRequest(parts=[ToolReturnPart("weather", {"celsius": 21}, tool_call_id="c1")]),
    ModelRequest(parts=[ToolReturnPart("weather", "no such city", tool_call_id="c2", outcome="failed")]),
    ModelResponse(parts=[TextPart("Sunny."), TextPart("And warm.")]),
]


@pytest.fixture
async def client() -> AsyncIterator[AsyncRecallQL]:
    async with AsyncRecallQL(URL) as client:
        yield client


async def test_every_message_comes_back_equal(client: AsyncRecallQL) -> None:
    name = str(uuid4())
    history = RecallQLHistory(client, name, user_id="ada")
    assert await history.messages() == []
    await history.add(EVERY_KIND)
    await history.add([])
    written = ModelMessagesTypeAdapter.dump_json(EVERY_KIND)
    expected = ModelMessagesTypeAdapter.validate_json(written)  # which makes a BinaryImage of the picture
    assert await history.messages() == expected
    assert await history.messages(last=2) == expected[-2:]
    stored = await client.messages(name)
    assert [one.role for one in stored] == ["system", "user", "user", "assistant", "tool", "tool", "assistant"]
    assert [stored[0].content, stored[2].content, stored[3].content] == ["Be brief.", "And this?", ""]
    assert stored[6].content == "Sunny.\nAnd warm."


async def test_an_agent_goes_on_where_another_process_stopped(client: AsyncRecallQL) -> None:
    seen: list[list[ModelMessage]] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(list(messages))
        if len(messages) == 1:
            return ModelResponse(parts=[ToolCallPart(info.function_tools[0].name, {"place": "office"})])
        return ModelResponse(parts=[TextPart("At nine.")])

    agent = Agent(FunctionModel(answer))

    @agent.tool_plain
    def opening_time(place: str) -> str:
        return f"{place} opens at nine"

    name = str(uuid4())
    for question in ("When does the office open?", "Where did I ask about?"):
        history = RecallQLHistory(client, name)
        result = await agent.run(question, message_history=await history.messages())
        assert result.output == "At nine."
        await history.add(result.new_messages())
    assert [len(messages) for messages in seen] == [1, 3, 5]
    assert len(await RecallQLHistory(client, name).messages()) == 6
    hits = await client.search("office opens", session_id=name)
    assert any("opens at nine" in hit.node.content for hit in hits)


async def test_messages_of_other_clients_are_read(client: AsyncRecallQL) -> None:
    name = str(uuid4())
    roles = ("system", "human", "ai", "narrator")
    await client.add(name, *({"role": role, "content": f"as {role}"} for role in roles))
    found = await RecallQLHistory(client, name).messages()
    kinds = [(message.kind, message.parts[0].part_kind) for message in found]
    assert kinds == [
        ("request", "system-prompt"),
        ("request", "user-prompt"),
        ("response", "text"),
        ("request", "user-prompt"),
    ]
