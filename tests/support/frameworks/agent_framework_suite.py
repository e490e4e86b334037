"""The history provider of Microsoft Agent Framework, run where it is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from agent_framework import Agent, AgentSession, BaseChatClient, ChatResponse, Content, Message
from recallql import AsyncRecallQL
from recallql.agent_framework import RecallQLHistoryProvider

URL = os.environ["RECALLQL_URL"]
EVERY_KIND = [
    Message("system", ["Be brief."]),
    Message("user", ["And this?", Content.from_uri("https://a.example/b.png", media_type="image/png")]),
    Message(
        "assistant",
        [
            Content.from_text_reasoning(text="hm"),
            Content.from_function_call("c1", "weather", arguments={"city": "Kyōto"}),
        ],
    ),
    Message("tool", [Content.from_function_result("c1", result="21 °C")]),
    Message(
        "assistant", ["Sunny."], author_name="guide", message_id="m1", additional_properties={"deep": [1, {"a": None}]}
    ),
]


class Scripted(BaseChatClient):
    """Answers with the number of messages, and keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[str]] = []

    def _inner_get_response(self, *, messages: Sequence[Message], **_: Any) -> Awaitable[ChatResponse]:
        async def answer() -> ChatResponse:
            self.seen.append([message.text for message in messages])
            return ChatResponse(messages=[Message("assistant", [f"answer {len(self.seen)}"])])

        return answer()


@pytest.fixture
async def client() -> AsyncIterator[AsyncRecallQL]:
    async with AsyncRecallQL(URL) as client:
        yield client


async def test_every_message_comes_back_with_the_same_fields(client: AsyncRecallQL) -> None:
    name = str(uuid4())
    provider = RecallQLHistoryProvider(client, user_id="ada")
    assert await provider.get_messages(name) == []
    await provider.save_messages(name, EVERY_KIND)
    await provider.save_messages(name, [])
    found = await provider.get_messages(name)
    assert [message.to_dict() for message in found] == [message.to_dict() for message in EVERY_KIND]
    latest = await RecallQLHistoryProvider(client, last=2).get_messages(name)
    assert [message.role for message in latest] == ["tool", "assistant"]
    assert [one.content for one in await client.messages(name)][1:] == ["And this?", "", "", "Sunny."]


async def test_a_session_without_an_id_is_refused(client: AsyncRecallQL) -> None:
    with pytest.raises(ValueError, match="session_id"):
        await RecallQLHistoryProvider(client).get_messages(None)


async def test_an_agent_goes_on_where_another_process_stopped(client: AsyncRecallQL) -> None:
    name = str(uuid4())
    model = Scripted()
    for question in ("When does the office open?", "Where did I ask about?"):
        agent = Agent(client=model, context_providers=[RecallQLHistoryProvider(client)])
        await agent.run(question, session=AgentSession(session_id=name))
    assert model.seen == [
        ["When does the office open?"],
        ["When does the office open?", "answer 1", "Where did I ask about?"],
    ]
    assert [one.role for one in await client.messages(name)] == ["user", "assistant"] * 2


async def test_messages_of_other_clients_are_read(client: AsyncRecallQL) -> None:
    name = str(uuid4())
    await client.add(name, {"role": "human", "content": "a", "name": "Ada"}, {"role": "ai", "content": "b"})
    found = await RecallQLHistoryProvider(client).get_messages(name)
    assert [(one.role, one.text, one.author_name) for one in found] == [("user", "a", "Ada"), ("assistant", "b", None)]
