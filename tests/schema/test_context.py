"""`context`: what a prompt should hold, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from graph.enrichment.entities import Extractor
from graph.enrichment.summariser import Summariser
from graph.enrichment.tokens import load_counter
from graph.enrichment.worker import Worker
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, Client

FIELDS = """
text tokenCount omittedMessages
summary { content lastSeq }
messages { uuid seq content }
recalled { score message { uuid seq content session { sessionId } } }
"""
CONTEXT = f"""
query($words: String, $sessionId: ID, $userId: ID, $maxTokens: Int!, $recent: Int) {{
  context(query: $words, sessionId: $sessionId, userId: $userId, maxTokens: $maxTokens, recent: $recent) {{ {FIELDS} }}
}}
"""
TRIP = ["I am going to Kyoto in May.", "Where will you stay?", "In a small inn near the river.", "Lovely!"]
COUNT = load_counter().count


async def say(client: Client, session_id: str, contents: list[str], user_id: str = "ada") -> None:
    roles = ("user", "assistant")
    said = [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)]
    await client.data(ADD, input={"sessionId": session_id, "userId": user_id, "messages": said})


async def context(client: Client, max_tokens: int = 2_000, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await client.data(CONTEXT, maxTokens=max_tokens, **variables))["context"]
    assert found["tokenCount"] == COUNT(found["text"]) <= max_tokens
    return found


def contents(messages: list[dict[str, Any]]) -> list[str]:
    return [message["content"] for message in messages]


def recalled(found: dict[str, Any]) -> list[str]:
    return contents([one["message"] for one in found["recalled"]])


@pytest.fixture
async def chats(client: Client) -> Client:
    await say(client, "trip", TRIP)
    await say(client, "now", ["Hello", "Hi, how can I help?", "At which inn do I stay in Kyoto?"])
    await say(client, "of bob", ["I stay at an inn in Kyoto as well"], "bob")
    return client


async def test_the_last_message_of_the_user_is_what_is_recalled_for(chats: Client) -> None:
    found = await context(chats, sessionId="now")
    assert contents(found["messages"]) == ["Hello", "Hi, how can I help?", "At which inn do I stay in Kyoto?"]
    assert {*recalled(found)} == {*TRIP}
    assert {one["message"]["session"]["sessionId"] for one in found["recalled"]} == {"trip"}
    assert found["omittedMessages"] == 0
    assert "From session trip:" in found["text"]


async def test_each_message_has_the_name_of_its_speaker_or_else_the_role(client: Client) -> None:
    said = [
        {"role": "user", "name": "Mira", "content": "The kiln is broken."},
        {"role": "user", "content": "Who repairs it?"},
    ]
    await client.data(ADD, input={"sessionId": "pots", "userId": "ada", "messages": said})
    latest = (await context(client, sessionId="pots"))["text"].splitlines()
    assert [line.partition("] ")[2] for line in latest] == ["Mira: The kiln is broken.", "user: Who repairs it?"]
    assert "Mira: The kiln is broken." in (await context(client, userId="ada", words="kiln"))["text"]


async def test_the_question_before_an_answer_comes_with_it(chats: Client) -> None:
    found = await context(chats, words="small river inn", userId="ada", max_tokens=45)
    assert recalled(found) == [TRIP[1], TRIP[2]]


async def test_without_a_session_only_what_is_recalled_is_there(chats: Client) -> None:
    found = await context(chats, words="Kyoto", userId="ada")
    assert found["messages"] == []
    assert found["summary"] is None
    assert TRIP[0] in recalled(found)
    of_user = await chats.data(
        f'{{ user(userId: "ada") {{ context(query: "Kyoto", maxTokens: 2000) {{ {FIELDS} }} }} }}'
    )
    assert of_user["user"]["context"] == found


async def test_a_session_has_its_context_and_its_search(chats: Client) -> None:
    data = await chats.data(
        f"""{{ session(sessionId: "now") {{ context(maxTokens: 2000, recent: 1) {{ {FIELDS} }}
             search(query: "inn") {{ edges {{ node {{ content }} }} }} }}
             user(userId: "ada") {{ search(query: "inn") {{ edges {{ node {{ content }} }} }} }} }}"""
    )
    assert data["session"]["context"] == await context(chats, sessionId="now", recent=1)
    assert contents(data["session"]["context"]["messages"]) == ["At which inn do I stay in Kyoto?"]
    assert data["session"]["context"]["omittedMessages"] == 2
    found = [edge["node"]["content"] for edge in data["session"]["search"]["edges"]]
    assert {*found} == {"Hello", "Hi, how can I help?", "At which inn do I stay in Kyoto?"}
    assert TRIP[2] in [edge["node"]["content"] for edge in data["user"]["search"]["edges"]]


async def test_the_newest_summary_leads_on_to_the_latest_messages(
    client: Client, database: Database, settings: Settings
) -> None:
    await say(client, "long", [f"Message {number} about the garden and its roses." for number in range(40)])
    worker = Worker(database, Extractor(), settings, summariser=Summariser())
    await worker.run(asyncio.Event(), drain=True)
    found = await context(client, sessionId="long")
    assert found["summary"]["content"] in found["text"]
    first = found["messages"][0]["seq"]
    assert found["omittedMessages"] == max(0, first - 1 - found["summary"]["lastSeq"])
    small = await context(client, 150, sessionId="long")
    assert small["omittedMessages"] == small["messages"][0]["seq"] - 1 - (
        small["summary"]["lastSeq"] if small["summary"] else 0
    )


async def test_memory_says_how_many_messages_are_missing(client: Client) -> None:
    await say(client, "long", [f"Message {number}" for number in range(20)])
    memory = (await client.data('{ memory(sessionId: "long") { omittedMessages messages { seq } } }'))["memory"]
    assert memory["messages"][0]["seq"] == 9
    assert memory["omittedMessages"] == 8
    await say(client, "short", ["one"])
    data = await client.data(
        '{ session(sessionId: "short") { memory { omittedMessages } memories { edges { node { omittedMessages } } } } }'
    )
    assert data["session"]["memory"]["omittedMessages"] == 0
    assert data["session"]["memories"]["edges"][0]["node"]["omittedMessages"] == 0


@pytest.mark.parametrize("max_tokens", [1, 5, 20, 50, 100_000])
async def test_every_budget_is_kept(chats: Client, max_tokens: int) -> None:
    await context(chats, max_tokens, sessionId="now")


async def test_quotes_in_a_message_do_not_restrict_what_is_recalled(chats: Client) -> None:
    await say(chats, "quoting", ['What was that "inn by the sea" in Kyoto?'])
    assert TRIP[2] in recalled(await context(chats, sessionId="quoting"))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"maxTokens": 0, "sessionId": "now"}, "maxTokens must be from 1 to 1,000,000, not 0"),
        ({"maxTokens": 10, "sessionId": "now", "recent": 101}, "recent must be from 0 to 100, not 101"),
        ({"maxTokens": 10, "userId": "ada"}, "query and sessionId are both missing: give one of them, or both"),
        ({"maxTokens": 10, "userId": "ada", "words": ""}, "query must not be empty"),
        ({"maxTokens": 10, "sessionId": "unknown", "words": ""}, "query must not be empty"),
    ],
)
async def test_what_is_not_accepted(chats: Client, variables: dict[str, Any], message: str) -> None:
    error = await chats.error(CONTEXT, **variables)
    assert (error["code"], error["message"]) == ("BAD_USER_INPUT", message)


async def test_end_users_get_only_what_is_theirs(settings: Settings, mongodb_uri: str, database: Database) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        for user in ("ada", "bob"):
            as_caller(client, token(user))
            said = [{"role": "user", "content": f"the zebra of {user}"}]
            await client.data(ADD, input={"sessionId": f"of-{user}", "messages": said})
        as_caller(client, token("ada"))
        assert recalled(await context(client, words="zebra")) == ["the zebra of ada"]
        assert "bob" not in (await context(client, words="zebra", sessionId="of-ada"))["text"]
        foreign: list[dict[str, Any]] = [
            {"userId": "bob"},
            {"sessionId": "of-bob"},
            {"sessionId": "of-ada", "userId": "bob"},
        ]
        for others in foreign:
            found = await context(client, words="zebra", **others)
            assert (found["text"], found["messages"], found["recalled"]) == ("", [], [])
