"""LangChain's history and retriever, run where LangChain is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_tests.integration_tests import RetrieversIntegrationTests
from recallql import AsyncRecallQL, RecallQL
from recallql.langchain import RecallQLChatMessageHistory, RecallQLRetriever

URL = os.environ["RECALLQL_URL"]
CALL = {"id": "c1", "name": "weather", "args": {"city": "Kyōto", "days": [1, 2]}, "type": "tool_call"}
BROKEN = {"id": "c3", "name": "weather", "args": "{", "error": "no JSON", "type": "invalid_tool_call"}
EVERY_KIND: list[BaseMessage] = [
    SystemMessage("Be brief."),
    HumanMessage("How is the weather?", name="Ada", id="h1"),
    HumanMessage(
        [{"type": "text", "text": "And this?"}, {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]
    ),
    HumanMessage(["one", {"type": "text", "text": "two"}]),
    AIMessage("", tool_calls=[CALL, {**CALL, "id": "c2"}]),
    AIMessage("I look.", tool_calls=[CALL], usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    AIMessage(
        [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "Sunny."}], response_metadata={"model": "m"}
    ),
    AIMessage(
        "bad",
        invalid_tool_calls=[
            {"id": "c3", "name": "weather", "args": "{", "error": "no JSON", "type": "invalid_tool_call"}
        ],
    ),
    ToolMessage("21 °C", tool_call_id="c1", name="weather", artifact={"raw": [21]}, status="success"),
    ToolMessage([{"type": "text", "text": "failed"}], tool_call_id="c2", status="error"),
    FunctionMessage("42", name="f"),
    ChatMessage("As a critic: no.", role="critic"),
    AIMessage("Emoji 🐈 and\nlines", additional_kwargs={"a": {"b": None}}),
]


@pytest.fixture(scope="module")
def client() -> Iterator[RecallQL]:
    with RecallQL(URL) as client:
        yield client


def test_every_kind_of_message_comes_back_equal(client: RecallQL) -> None:
    history = RecallQLChatMessageHistory(client, str(uuid4()), user_id="ada")
    history.add_messages(EVERY_KIND)
    assert history.messages == EVERY_KIND
    history.add_messages([])
    history.clear()
    assert history.messages == []
    history.clear()


def test_the_history_works_with_asyncio(client: RecallQL) -> None:
    async def talk() -> list[BaseMessage]:
        async with AsyncRecallQL(URL) as async_client:
            history = RecallQLChatMessageHistory(client, str(uuid4()), async_client=async_client)
            await history.aadd_messages(EVERY_KIND)
            read = await history.aget_messages()
            await history.aclear()
            assert await history.aget_messages() == []
            return read

    assert asyncio.run(talk()) == EVERY_KIND


def test_tool_calls_count_as_tokens_and_other_clients_read_the_text(client: RecallQL) -> None:
    session = str(uuid4())
    RecallQLChatMessageHistory(client, session).add_messages(EVERY_KIND)
    stored = client.messages(session)
    assert stored[4].token_count > 10
    assert stored[2].content == "And this?"
    assert [one.role for one in stored[:5]] == ["system", "user", "user", "user", "assistant"]
    assert (stored[8].role, stored[8].tool_call_id) == ("tool", "c1")


def test_messages_of_other_clients_are_read(client: RecallQL) -> None:
    session = str(uuid4())
    client.add(
        session,
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi", "name": "Iris"},
        {"role": "tool", "content": "21", "toolCallId": "c9"},
        {"role": "critic", "content": "No"},
    )
    assert RecallQLChatMessageHistory(client, session).messages == [
        HumanMessage("Hello"),
        AIMessage("Hi", name="Iris"),
        ToolMessage("21", tool_call_id="c9"),
        ChatMessage("No", role="critic"),
    ]


def test_an_agent_remembers(client: RecallQL) -> None:
    history = RecallQLChatMessageHistory(client, str(uuid4()))
    answers = ["Pleased to meet you, Ada.", "Your name is Ada."]
    model = GenericFakeChatModel(messages=iter(answers))
    for question in ["I am Ada.", "What is my name?"]:
        history.add_messages([HumanMessage(question)])
        history.add_messages([AIMessage(model.invoke(history.messages).content)])
    assert [message.content for message in history.messages] == [
        "I am Ada.",
        answers[0],
        "What is my name?",
        answers[1],
    ]


class TestRetriever(RetrieversIntegrationTests):
    """LangChain's own conformance suite."""

    @pytest.fixture(autouse=True)
    def _messages(self, client: RecallQL) -> None:
        type(self).client = client
        self.session = str(uuid4())
        client.add(
            self.session, *({"role": "user", "content": f"Ship {number} left the harbour."} for number in range(9))
        )
        type(self).session_id = self.session

    client: RecallQL
    session_id: str

    @property
    def retriever_constructor(self) -> type[RecallQLRetriever]:
        return RecallQLRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, object]:
        return {"client": self.client, "session_id": self.session_id}

    @property
    def retriever_query_example(self) -> str:
        return "Which ship left the harbour?"


def test_found_messages_say_where_they_stand(client: RecallQL) -> None:
    session = str(uuid4())
    client.add(session, {"role": "user", "name": "Ada", "content": "Clara works at the harbour office."}, user_id="ada")
    (found,) = RecallQLRetriever(client=client, user_id="ada", session_id=session).invoke("Where does Clara work?")
    assert found.page_content == "Clara works at the harbour office."
    assert (found.metadata["session_id"], found.metadata["seq"], found.metadata["name"]) == (session, 1, "Ada")
