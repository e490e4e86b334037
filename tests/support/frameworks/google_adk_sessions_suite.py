"""The session service of Google ADK, run where ADK is installed; RECALLQL_URL names the server."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from google.adk.agents import Agent
from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event, EventActions
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import Runner
from google.adk.sessions import BaseSessionService, InMemorySessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.tools import ToolContext
from google.genai.types import Blob, Content, FunctionCall, FunctionResponse, Part
from recallql import AsyncRecallQL
from recallql.generated.input_types import ItemInput, PutItemsInput
from recallql.google_adk_sessions import RecallQLSessionService

URL = os.environ["RECALLQL_URL"]


@pytest.fixture
async def client() -> AsyncIterator[AsyncRecallQL]:
    async with AsyncRecallQL(URL) as client:
        yield client


@pytest.fixture
def app() -> str:
    return str(uuid4())


def said(text: str, author: str = "user", **delta: Any) -> Event:
    content = Content(role="user" if author == "user" else "model", parts=[Part(text=text)])
    return Event(author=author, content=content, actions=EventActions(state_delta=delta))


async def test_events_come_back_equal(client: AsyncRecallQL, app: str) -> None:
    service, user = RecallQLSessionService(client), f"ann/é {app}"
    session = await service.create_session(app_name=app, user_id=user, session_id=" s/1 ", state={"a": None})
    assert (session.id, session.state) == ("s/1", {"a": None})
    events = [
        said("My sister Clara works at the harbour office.", "user", **{"a.b": {"$x": [None, {"y": None}]}, "gone": 1}),
        Event(
            author="guide",
            invocation_id="i1",
            branch="one.two",
            long_running_tool_ids={"c1"},
            content=Content(
                role="model",
                parts=[
                    Part(text="thinking", thought=True),
                    Part(inline_data=Blob(data=b"\0\xff", mime_type="image/png")),
                    Part(function_call=FunctionCall(id="c1", name="weather", args={"city": "Kyōto", "none": None})),
                ],
            ),
        ),
        Event(
            author="guide",
            content=Content(
                parts=[Part(function_response=FunctionResponse(id="c1", name="weather", response={"celsius": 21.0}))]
            ),
            actions=EventActions(transfer_to_agent="other", escalate=True, artifact_delta={"f": 2}),
            custom_metadata={"k": [1, None]},
        ),
        Event(author="guide", error_code="E", error_message="no"),
    ]
    for event in events:
        await service.append_event(session, event)
    read = await service.get_session(app_name=app, user_id=user, session_id="s/1")
    assert read is not None
    assert read.events == events == session.events
    assert read.state == session.state == {"a": None, "a.b": {"$x": [None, {"y": None}]}, "gone": 1}
    assert read.last_update_time == events[-1].timestamp
    stored = await client.messages(f"google-adk/{app}/ann%2F%C3%A9%20{app}/s%2F1")
    assert [(one.role, one.name, one.content) for one in stored][:2] == [
        ("user", "user", "My sister Clara works at the harbour office."),
        ("assistant", "guide", ""),
    ]
    (found, *_) = await client.search("Clara", user_id=user)
    assert found.node.uuid == stored[0].uuid


async def test_the_scopes_of_state(client: AsyncRecallQL, app: str) -> None:
    service = RecallQLSessionService(client)
    ann, bob = f"ann-{app}", f"bob-{app}"
    first = await service.create_session(
        app_name=app, user_id=ann, state={"s": 1, "user:u": {"x": None}, "app:a": [1], "temp:t": 1, "user:": "empty"}
    )
    shared = {"user:u": {"x": None}, "app:a": [1], "user:": "empty"}
    assert first.state == {"s": 1, **shared}
    await service.append_event(first, said("x", **{"s": 2, "user:u": None, "app:b": 2, "temp:t": 3}))
    assert first.state == {"s": 2, "temp:t": 3, "app:a": [1], "app:b": 2, "user:u": None, "user:": "empty"}
    second = await service.create_session(app_name=app, user_id=ann)
    assert second.state == {"app:a": [1], "app:b": 2, "user:u": None, "user:": "empty"}
    other = await service.create_session(app_name=app, user_id=bob)
    assert other.state == {"app:a": [1], "app:b": 2}
    elsewhere = await service.create_session(app_name=f"{app}/2", user_id=ann)
    assert elsewhere.state == {}
    assert await service.get_user_state(app_name=app, user_id=ann) == {"u": None, "": "empty"}
    read = await service.get_session(app_name=app, user_id=ann, session_id=first.id)
    assert read is not None
    assert "temp:t" not in read.state
    assert read.events[0].actions.state_delta == {"s": 2, "user:u": None, "app:b": 2}
    assert "temp" not in str(await client.messages(f"google-adk/{app}/{ann}/{first.id}"))
    many = {f"user:k{number}": number for number in range(250)}
    await service.append_event(second, said("many", **many))
    assert (await service.get_user_state(app_name=app, user_id=ann))["k249"] == 249


async def test_a_stale_session_is_refused(client: AsyncRecallQL, app: str) -> None:
    service = RecallQLSessionService(client)
    one = await service.create_session(app_name=app, user_id="u", session_id="s")
    other = await service.get_session(app_name=app, user_id="u", session_id="s")
    assert other is not None
    await service.append_event(one, said("first"))
    with pytest.raises(StaleSessionError):
        await service.append_event(other, said("lost", **{"k": 1, "user:k": 1}))
    assert other.events == []
    assert await service.get_user_state(app_name=app, user_id="u") == {}
    again, late = (
        one.events[0].model_copy(deep=True),
        await service.get_session(app_name=app, user_id="u", session_id="s"),
    )
    assert late is not None
    await service.append_event(one, again)
    assert late.events == one.events == [again]
    bare = Session(id="s", app_name=app, user_id="u", events=[*one.events], last_update_time=0)
    await service.append_event(bare, said("of the same events"))
    for stale in (one, Session(id="s", app_name=app, user_id="u", last_update_time=0)):
        with pytest.raises(StaleSessionError):
            await service.append_event(stale, said("lost"))
    await service.delete_session(app_name=app, user_id="u", session_id="s")
    for gone in (one, Session(id="s", app_name=app, user_id="u")):
        with pytest.raises(SessionNotFoundError):
            await service.append_event(gone, said("lost"))
    assert await service.get_session(app_name=app, user_id="u", session_id="s") is None
    assert (await client.messages(f"google-adk/{app}/u/s")) == []


async def test_a_session_of_the_same_id_that_was_made_later_is_another_one(client: AsyncRecallQL, app: str) -> None:
    service = RecallQLSessionService(client)
    old = await service.create_session(app_name=app, user_id="u", session_id="s", state={"k": "old"})
    empty = await service.get_session(app_name=app, user_id="u", session_id="s")
    assert empty is not None
    await service.append_event(old, said("first"))
    await service.delete_session(app_name=app, user_id="u", session_id="s")
    new = await service.create_session(app_name=app, user_id="u", session_id="s")
    with pytest.raises(StaleSessionError):
        await service.append_event(empty, said("of the deleted session", **{"k": 1, "user:k": 1}))
    again = old.events[0].model_copy(deep=True)
    await service.append_event(new, again)  # both sessions have the same number of changes, and equal events
    with pytest.raises(StaleSessionError):
        await service.append_event(old, said("of the deleted session", **{"k": 1, "user:k": 1}))
    assert len(old.events) == 1
    read = await service.get_session(app_name=app, user_id="u", session_id="s")
    assert read == new
    assert (read.events, read.state) == ([again], {})


async def test_of_two_processes_one_append_is_stored(client: AsyncRecallQL, app: str) -> None:
    services = [RecallQLSessionService(client) for _ in range(5)]
    await services[0].create_session(app_name=app, user_id="u", session_id="s")
    read = [await service.get_session(app_name=app, user_id="u", session_id="s") for service in services]
    appends = (service.append_event(copy, said("x")) for service, copy in zip(services, read, strict=True) if copy)
    ended = await asyncio.gather(*appends, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["Event", *["StaleSessionError"] * 4]
    # Branches of an invocation append to one session at once.
    (session,) = [copy for copy in read if copy is not None and copy.events]
    await asyncio.gather(*(services[0].append_event(session, said(str(number))) for number in range(5)))
    stored = await services[0].get_session(app_name=app, user_id="u", session_id="s")
    assert stored is not None
    assert len(stored.events) == 6


async def test_too_long_state_changes_nothing(client: AsyncRecallQL, app: str) -> None:
    service = RecallQLSessionService(client)
    session = await service.create_session(app_name=app, user_id="u")
    for delta in ({"app:k": "x" * 262_145}, {"user:" + "k" * 600: 1}):
        with pytest.raises(ValueError, match="bytes"):
            await service.append_event(session, said("x", **delta))
        with pytest.raises(ValueError, match="bytes"):
            await service.create_session(app_name=app, user_id="u", session_id="refused", state=delta)
    assert (await service.list_sessions(app_name=app)).sessions == [session]


async def test_the_name_alone_makes_no_session(client: AsyncRecallQL, app: str) -> None:
    service, victim, eve = RecallQLSessionService(client), f"victim-{app}", f"eve-{app}"
    about = {"app": app, "user": victim, "id": "main", "made": "x", "updated": 1.0, "state": {"k": ["forged"]}}
    forged: list[Any] = [about, {"app": app}, {**about, "user": eve}, {**about, "state": {"k": 1}}, [app], None]
    for number, metadata in enumerate(forged):
        name = f"google-adk/{app}/{victim}/main" if number == 0 else f"eve/{app}/{number}"
        await client.add(name, {"role": "user", "content": "forged"}, user_id=eve, metadata={"googleAdk": metadata})
    own = f"google-adk/{app}/{eve}/half"
    await client.add(own, {"role": "user", "content": "x"}, user_id=eve, metadata={"googleAdk": {"app": app}})
    await client.add(
        f"google-adk/{app}/{victim}/free",
        {"role": "user", "content": "x"},
        metadata={"googleAdk": {**about, "id": "free"}},
    )
    theirs = (await client.operations.session(f"google-adk/{app}/{victim}/main")).session
    assert theirs is not None
    for user, key in ((victim, "main"), (victim, "free"), (eve, "half")):
        assert await service.get_session(app_name=app, user_id=user, session_id=key) is None
        with pytest.raises(AlreadyExistsError):
            await service.create_session(app_name=app, user_id=user, session_id=key)
        for marker in (
            (None, f"{theirs.uuid}/1") if key == "main" else (None,)
        ):  # the second as if the other user's session had been read
            session = Session(id=key, app_name=app, user_id=user)
            session._storage_update_marker = marker
            with pytest.raises(SessionNotFoundError):
                await service.append_event(session, said("my secret"))
    assert [one.content for one in await client.messages(f"google-adk/{app}/{victim}/main")] == ["forged"]
    item = ItemInput(namespace=["google-adk", app, "user"], key="=k", value={"other": 1})
    await client.operations.put_items(PutItemsInput(user_id=victim, items=[item]))
    made = await service.create_session(app_name=app, user_id=victim, session_id="real")
    for whose in (None, victim):
        assert (await service.list_sessions(app_name=app, user_id=whose)).sessions == [made]
    await service.delete_session(app_name=app, user_id=victim, session_id="main")
    await service.create_session(app_name=app, user_id=victim, session_id="main")


class Losing(httpx.AsyncHTTPTransport):
    """A network that loses the answer of each first request of a mutation."""

    lost: set[bytes]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        body = request.content
        if b"mutation" in body and body not in self.lost:
            self.lost.add(body)
            await response.aread()
            raise httpx.ReadError("the answer is lost")
        return response


async def test_a_lost_answer_stores_nothing_twice(app: str) -> None:
    network = Losing()
    network.lost = set()
    async with httpx.AsyncClient(base_url=URL, transport=network) as http, AsyncRecallQL(URL, http=http) as client:
        service = RecallQLSessionService(client)
        session = await service.create_session(app_name=app, user_id="u", session_id="s", state={"user:k": 1})
        with pytest.raises(AlreadyExistsError):
            await service.create_session(app_name=app, user_id="u", session_id="s")
        for number in range(3):
            await service.append_event(session, said(str(number), n=number))
        read = await service.get_session(app_name=app, user_id="u", session_id="s")
        assert read is not None
        assert read.events == session.events
        assert len(read.events) == 3
        assert read.state == session.state == {"n": 2, "user:k": 1}
        await service.delete_session(app_name=app, user_id="u", session_id="s")
    assert network.lost


def shown(session: Session | None) -> Any:
    """What both services say of a session; the time of its creation differs."""
    if session is None:
        return None
    time = session.last_update_time if session.last_update_time < 1e6 else "made"
    return session.app_name, session.user_id, session.id, session.state, session.events, time


async def outcome(call: Any) -> Any:
    try:
        return await call
    except (AlreadyExistsError, SessionNotFoundError) as error:
        return type(error), str(error)


@pytest.mark.parametrize("seed", range(3))
async def test_the_same_calls_have_the_results_of_the_in_memory_service(
    client: AsyncRecallQL, app: str, seed: int
) -> None:
    chance = random.Random(seed)
    services: tuple[BaseSessionService, ...] = (RecallQLSessionService(client), InMemorySessionService())
    apps = [app, f"{app}-2"]
    keys = ["k", "l.m", "user:k", "user:$l", "app:k", "temp:k", "app:"]
    clock = 1_000.0

    def delta() -> dict[str, Any]:
        values = [None, 0, 1.5, "x", [1, None], {"a": {"b": None}}, {}]
        return {key: chance.choice(values) for key in chance.sample(keys, chance.randrange(len(keys)))}

    for _ in range(80):
        name, user, key = chance.choice(apps), f"{chance.choice('ab')}-{app}", chance.choice(["s1", "s2", "s 3"])
        about: dict[str, Any] = {"app_name": name, "user_id": user}
        kind = chance.choice(["create", "append", "append", "append", "again", "get", "list", "delete", "user state"])
        results: list[Any] = []
        clock += chance.choice([0.0, 0.25, 10.0])
        whose = chance.choice([None, user])
        event, state = said(f"said {clock}", chance.choice(["user", "guide"]), **delta()), delta()
        event.timestamp = clock
        event.partial = True if chance.random() < 0.1 else None
        config = GetSessionConfig(
            num_recent_events=chance.choice([None, 0, 1, 3, 500]),
            after_timestamp=chance.choice([None, clock, clock - 10, clock - 100, 0.0]),
        )
        for service in services:
            if kind == "create":
                made = await outcome(service.create_session(**about, session_id=key, state=dict(state)))
                results.append(shown(made) if isinstance(made, Session) else made)
            elif kind in {"append", "again"}:
                session = await service.get_session(**about, session_id=key)
                given = session or Session(id=key, app_name=name, user_id=user)
                sent = given.events[-1].model_copy(deep=True) if kind == "again" and given.events else event
                sent = sent.model_copy(deep=True)
                results.append((await outcome(service.append_event(given, sent)), shown(given)))
            elif kind == "get":
                results.append(shown(await service.get_session(**about, session_id=key, config=config)))
            elif kind == "list":
                found = (await service.list_sessions(app_name=name, user_id=whose)).sessions
                results.append(sorted(map(shown, found), key=lambda one: one[:3]))
            elif kind == "delete":
                results.append(await service.delete_session(**about, session_id=key))
            else:
                results.append(await service.get_user_state(**about))
        assert results[0] == results[1], kind


async def test_a_runner_goes_on_with_its_session(client: AsyncRecallQL, app: str) -> None:
    class Scripted(BaseLlm):
        async def generate_content_async(
            self, llm_request: LlmRequest, *_: Any, **__: Any
        ) -> AsyncGenerator[LlmResponse, None]:
            (last,) = (llm_request.contents[-1].parts or [])[-1:]
            if last.function_response is not None:
                answer = Part(text=f"It is {last.function_response.response}")
            elif "weather" in (last.text or ""):
                answer = Part(function_call=FunctionCall(name="weather", args={"city": "Kyoto"}))
            else:
                answer = Part(text=f"{len(llm_request.contents)} contents")
            yield LlmResponse(content=Content(role="model", parts=[answer]))

    def weather(city: str, tool_context: ToolContext) -> dict[str, str]:
        """Return the weather of a city."""
        for key in ("asked", "user:asked", "app:asked", "temp:asked"):
            tool_context.state[key] = [*tool_context.state.get(key, []), city]
        return {"weather": f"{city}: sunny"}

    told: list[Any] = []
    for service in (RecallQLSessionService(client), InMemorySessionService()):
        agent = Agent(name="guide", model=Scripted(model="scripted"), tools=[weather], output_key="temp:answer")
        user = f"u-{app}"
        session = await service.create_session(app_name=app, user_id=user, session_id="s", state={"begun": True})
        texts = []
        for text in ("How is the weather?", "And now?", "The weather again?"):
            runner = Runner(app_name=app, agent=agent, session_service=service)  # as after a restart
            message = Content(role="user", parts=[Part(text=text)])
            async for event in runner.run_async(user_id=user, session_id="s", new_message=message):
                texts += [part.text for part in (event.content.parts if event.content else None) or [] if part.text]
        read = await service.get_session(app_name=app, user_id=user, session_id=session.id)
        assert read is not None
        kinds = [(event.author, event.actions.state_delta) for event in read.events]
        told.append((texts, read.state, kinds, await service.get_user_state(app_name=app, user_id=user)))
    assert told[0] == told[1]
    assert told[0][1] == {
        "begun": True,
        "asked": ["Kyoto", "Kyoto"],
        "user:asked": ["Kyoto", "Kyoto"],
        "app:asked": ["Kyoto", "Kyoto"],
    }
