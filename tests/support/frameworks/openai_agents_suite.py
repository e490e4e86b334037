"""The session of the OpenAI Agents SDK, run where the SDK is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from agents import Agent, ModelResponse, Runner, SessionSettings, Usage, function_tool
from agents.memory import Session, is_openai_responses_compaction_aware_session
from agents.models.interface import Model
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from recallql import AsyncRecallQL
from recallql.openai_agents import RecallQLSession

URL = os.environ["RECALLQL_URL"]
EVERY_KIND: list[Any] = [
    {"role": "user", "content": "How is the weather in Kyōto?"},
    {"role": "developer", "content": "Be brief."},
    {
        "role": "user",
        "content": [{"type": "input_text", "text": "And this?"}, {"type": "input_image", "image_url": "x"}],
    },
    {"type": "message", "role": "user", "content": "typed"},
    {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"},
    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Kyōto"}', "id": "f1"},
    {"type": "function_call_output", "call_id": "c1", "output": "21 °C"},
    {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Sunny.", "annotations": []}],
    },
]


@pytest.fixture
async def client() -> AsyncIterator[AsyncRecallQL]:
    async with AsyncRecallQL(URL) as client:
        yield client


async def test_the_session_is_one_and_has_no_compaction(client: AsyncRecallQL) -> None:
    session = RecallQLSession(client, str(uuid4()))
    assert isinstance(session, Session)
    assert not is_openai_responses_compaction_aware_session(session)


async def test_every_item_comes_back_equal(client: AsyncRecallQL) -> None:
    session = RecallQLSession(client, str(uuid4()), user_id="ada")
    assert await session.get_items() == []
    await session.add_items(EVERY_KIND)
    await session.add_items([])
    assert await session.get_items() == EVERY_KIND
    assert await session.get_items(limit=3) == EVERY_KIND[-3:]
    assert await session.get_items(limit=0) == []
    assert await session.get_items(limit=100) == EVERY_KIND


async def test_the_limit_of_the_settings_is_the_default(client: AsyncRecallQL) -> None:
    name = str(uuid4())
    await RecallQLSession(client, name).add_items(EVERY_KIND)
    session = RecallQLSession(client, name, session_settings=SessionSettings(limit=2))
    assert await session.get_items() == EVERY_KIND[-2:]
    assert await session.get_items(limit=1) == EVERY_KIND[-1:]


async def test_items_are_popped_once_and_the_session_is_cleared(client: AsyncRecallQL) -> None:
    session = RecallQLSession(client, str(uuid4()))
    assert await session.pop_item() is None
    await session.add_items(EVERY_KIND)
    assert await session.pop_item() == EVERY_KIND[-1]
    assert await session.get_items() == EVERY_KIND[:-1]
    numbered: list[Any] = [{"role": "user", "content": str(number)} for number in range(12)]
    await session.add_items(numbered)
    popped = await asyncio.gather(*(session.pop_item() for _ in range(12)))
    assert sorted(popped, key=str) == sorted(numbered, key=str)
    await session.clear_session()
    assert await session.get_items() == []
    await RecallQLSession(client, str(uuid4())).clear_session()


async def test_other_clients_read_the_text_and_are_read(client: AsyncRecallQL) -> None:
    session = RecallQLSession(client, str(uuid4()))
    await session.add_items(EVERY_KIND)
    stored = await client.messages(session.session_id)
    assert [message.content for message in stored][2:] == ["And this?", "typed", "hm", "", "21 °C", "Sunny."]
    assert stored[5].token_count > 5
    await client.add(session.session_id, {"role": "human", "content": "Hello"})
    assert (await session.get_items(limit=1)) == [{"role": "user", "content": "Hello"}]


class Scripted(Model):
    """A model whose answers are given; it keeps the input of each call."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.inputs: list[list[Any]] = []

    async def get_response(self, *arguments: Any, **named: Any) -> ModelResponse:
        self.inputs.append(list(named["input"] if "input" in named else arguments[1]))
        return ModelResponse(output=[self.answers.pop(0)], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def said(text: str) -> ResponseOutputMessage:
    part = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[part])


@function_tool
def weather(city: str) -> str:
    """Return the weather."""
    return f"21 °C in {city}"


async def test_the_runner_remembers_what_was_said_and_called(client: AsyncRecallQL) -> None:
    name = str(uuid4())
    call = ResponseFunctionToolCall(
        type="function_call", call_id="c1", name="weather", arguments='{"city": "Kyoto"}', id="f1"
    )
    model = Scripted(call, said("It is warm."), said("You asked for Kyoto."))
    agent = Agent(name="Assistant", model=model, tools=[weather])
    first = await Runner.run(agent, "How is the weather in Kyoto?", session=RecallQLSession(client, name))
    assert first.final_output == "It is warm."
    second = await Runner.run(agent, "For which city did I ask?", session=RecallQLSession(client, name))
    assert second.final_output == "You asked for Kyoto."
    kinds = [item.get("type", item.get("role")) for item in model.inputs[-1]]
    assert kinds == ["user", "function_call", "function_call_output", "message", "user"]
    assert model.inputs[-1][2]["output"] == "21 °C in Kyoto"
