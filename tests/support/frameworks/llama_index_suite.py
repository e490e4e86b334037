"""The memory of LlamaIndex, run where the framework is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import MockLLM
from recallql import RecallQL
from recallql.llama_index import RecallQLMemory

URL = os.environ["RECALLQL_URL"]
EVERY_KIND = [
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(
        role="user",
        blocks=[TextBlock(text="And this?"), ImageBlock(url="https://a.example/b.png"), TextBlock(text="or that")],
    ),
    ChatMessage(
        role="assistant",
        blocks=[ToolCallBlock(tool_call_id="c1", tool_name="weather", tool_kwargs={"city": "Kyōto"})],
        additional_kwargs={"tool_calls": [{"id": "c1"}]},
    ),
    ChatMessage(role="tool", content="21 °C", additional_kwargs={"tool_call_id": "c1"}),
    ChatMessage(role="assistant", content=""),
]


@pytest.fixture
def client() -> Iterator[RecallQL]:
    with RecallQL(URL) as client:
        yield client


async def test_every_message_comes_back_equal(client: RecallQL) -> None:
    memory = RecallQLMemory(client=client, session_id=str(uuid4()), user_id="ada")
    assert memory.get_all() == []
    memory.put(EVERY_KIND[0])
    await memory.aput_messages(EVERY_KIND[1:])
    memory.put_messages([])
    assert memory.get_all() == await memory.aget_all() == EVERY_KIND
    assert memory.get("a question") == EVERY_KIND
    memory.set(EVERY_KIND[:2])
    assert await memory.aget() == EVERY_KIND[:2]
    memory.reset()
    assert memory.get() == []


def test_get_returns_the_last_messages(client: RecallQL) -> None:
    name = str(uuid4())
    RecallQLMemory.from_defaults(client=client, session_id=name).put_messages(EVERY_KIND)
    memory = RecallQLMemory.from_defaults(client=client, session_id=name, last=2)
    assert memory.get() == EVERY_KIND[-2:]
    assert memory.get_all() == EVERY_KIND


def test_a_chat_engine_remembers(client: RecallQL) -> None:
    name = str(uuid4())
    for question in ("When does the office open?", "Where did I ask about?"):
        memory = RecallQLMemory(client=client, session_id=name)
        engine = SimpleChatEngine.from_defaults(llm=MockLLM(), memory=memory)
        answer = str(engine.chat(question))
    assert "When does the office open?" in answer  # MockLLM repeats its prompt
    assert [message.role for message in memory.get_all()] == [MessageRole.USER, MessageRole.ASSISTANT] * 2


def test_messages_of_other_clients_are_read(client: RecallQL) -> None:
    name = str(uuid4())
    roles = ("system", "human", "ai", "narrator")
    client.add(name, *({"role": role, "content": f"as {role}"} for role in roles))
    found = RecallQLMemory(client=client, session_id=name).get_all()
    assert [message.role.value for message in found] == ["system", "user", "assistant", "user"]
    assert [message.content for message in found] == [f"as {role}" for role in roles]
