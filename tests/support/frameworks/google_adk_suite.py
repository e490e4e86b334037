"""The memory service of Google ADK, run where ADK is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from google.adk.agents import Agent
from google.adk.events import Event
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.adk.tools import load_memory
from google.genai.types import Blob, Content, FunctionCall, Part
from recallql import AsyncRecallQL
from recallql.google_adk import RecallQLMemoryService

URL = os.environ["RECALLQL_URL"]


@pytest.fixture
async def client() -> AsyncIterator[AsyncRecallQL]:
    async with AsyncRecallQL(URL) as client:
        yield client


def event(author: str, *parts: Part) -> Event:
    return Event(author=author, content=Content(role="user" if author == "user" else "model", parts=list(parts)))


async def test_events_are_found_with_their_contents(client: AsyncRecallQL) -> None:
    service, user = RecallQLMemoryService(client), str(uuid4())
    image = Part(inline_data=Blob(data=b"\0\xff", mime_type="image/png"))
    events = [
        event("user", Part(text="My sister Clara works at the harbour office."), image),
        event("guide", Part(text="thinking of Clara", thought=True), Part(text="Good for her!")),
        event("guide", Part(function_call=FunctionCall(name="weather", args={"city": "Kyōto"}))),
        Event(author="guide"),
    ]
    await service.add_events_to_memory(app_name="app", user_id=user, session_id="s", events=events)
    (found, *_) = (await service.search_memory(app_name="app", user_id=user, query="Clara harbour office")).memories
    assert found.content == events[0].content
    assert found.author == "user"
    assert found.timestamp is not None
    assert [one.content for one in await client.messages("app/s", last=2)][-1] == "Good for her!"
    assert (await service.search_memory(app_name="other", user_id=user, query="Clara")).memories == []
    assert (await service.search_memory(app_name="app", user_id=str(uuid4()), query="Clara")).memories == []


async def test_a_session_that_is_added_again_is_stored_once(client: AsyncRecallQL) -> None:
    service, user, sessions = RecallQLMemoryService(client), str(uuid4()), InMemorySessionService()
    session = await sessions.create_session(app_name="app", user_id=user)
    for number in range(3):
        await sessions.append_event(session, event("user", Part(text=f"note {number}")))
        await service.add_session_to_memory(session)
    stored = await client.messages(f"app/{session.id}")
    assert [one.content for one in stored] == ["note 0", "note 1", "note 2"]


async def test_an_agent_recalls_an_earlier_session(client: AsyncRecallQL) -> None:
    class Scripted(BaseLlm):
        async def generate_content_async(
            self, llm_request: LlmRequest, *_: Any, **__: Any
        ) -> AsyncGenerator[LlmResponse, None]:
            (last,) = (llm_request.contents[-1].parts or [])[-1:]
            if last.function_response is not None:
                answer = Part(text=f"I recall: {last.function_response.response}")
            elif "sister" in (last.text or "") and "?" in (last.text or ""):
                answer = Part(function_call=FunctionCall(name="load_memory", args={"query": "sister Clara"}))
            else:
                answer = Part(text="Noted.")
            yield LlmResponse(content=Content(role="model", parts=[answer]))

    user = str(uuid4())
    service, sessions = RecallQLMemoryService(client), InMemorySessionService()
    agent = Agent(name="guide", model=Scripted(model="scripted"), tools=[load_memory])
    runner = Runner(app_name="app", agent=agent, session_service=sessions, memory_service=service)
    answers = []
    for text in ("My sister Clara works at the harbour office.", "Where does my sister work?"):
        session = await sessions.create_session(app_name="app", user_id=user)
        said = Content(role="user", parts=[Part(text=text)])
        async for came in runner.run_async(user_id=user, session_id=session.id, new_message=said):
            answers += [part.text for part in (came.content.parts if came.content else None) or [] if part.text]
        stored = await sessions.get_session(app_name="app", user_id=user, session_id=session.id)
        assert stored is not None
        await service.add_session_to_memory(stored)
    assert answers[0] == "Noted."
    assert "harbour office" in answers[-1]
