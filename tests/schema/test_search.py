"""`search`: messages by their words, speakers and dates, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from graph.operations import recall, search_cache
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, Client

SEARCH = """
query(
  $words: String!, $userId: ID, $sessionId: ID, $filter: MessageFilter,
  $first: Int, $after: String, $last: Int, $before: String
) {
  search(
    query: $words, userId: $userId, sessionId: $sessionId, filter: $filter,
    first: $first, after: $after, last: $last, before: $before
  ) {
    edges { cursor score matches { start end } node { uuid seq role content session { sessionId } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
ADA = {
    "job": ["My sister found a new job in Berlin", "How lovely! What does she do?", "She is a nurse"],
    "hike": ["We hiked up a mountain on Saturday", "Was the weather good?", "It rained all day"],
}


async def add(client: Client, session_id: str, contents: list[str], user_id: str = "ada") -> None:
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)]
    await client.data(ADD, input={"sessionId": session_id, "userId": user_id, "messages": messages})


@pytest.fixture
async def chats(client: Client) -> Client:
    for session_id, contents in ADA.items():
        await add(client, session_id, contents)
    await add(client, "other", ["My sister likes mountains"], "bob")
    return client


async def found(client: Client, query: str, **variables: Any) -> list[dict[str, Any]]:
    edges: list[dict[str, Any]] = (await client.data(SEARCH, words=query, **variables))["search"]["edges"]
    return edges


def contents(edges: list[dict[str, Any]]) -> list[str]:
    return [edge["node"]["content"] for edge in edges]


async def test_inflected_words_are_found_across_the_sessions_of_a_user(chats: Client) -> None:
    edges = await found(chats, "Who hikes on mountains?", userId="ada")
    assert edges[0]["node"]["content"] == ADA["hike"][0]
    assert edges[0]["node"]["session"] == {"sessionId": "hike"}
    (hiked, mountain) = edges[0]["matches"]
    assert ADA["hike"][0][hiked["start"] : hiked["end"]] == "hiked"
    assert ADA["hike"][0][mountain["start"] : mountain["end"]] == "mountain"
    scores = [edge["score"] for edge in edges]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] <= scores[0] <= 1
    assert not any("sister likes" in content for content in contents(edges))


WHY = """
query($words: String!, $mode: SearchMode!) {
  search(query: $words, mode: $mode) {
    edges { score scoreParts { words session meaning neighbors speaker date answer length question } }
  }
}
"""


async def test_a_score_is_the_sum_of_its_parts(chats: Client) -> None:
    edges = (await chats.data(WHY, words="Who hikes on mountains?", mode="LEXICAL"))["search"]["edges"]
    for edge in edges:
        assert edge["score"] == pytest.approx(min(max(sum(edge["scoreParts"].values()), 0), 1), abs=1e-6)
    parts = edges[0]["scoreParts"]
    assert parts["words"] == max(edge["scoreParts"]["words"] for edge in edges) > 0
    assert parts["session"] > 0
    assert (parts["meaning"], parts["neighbors"], parts["date"], parts["question"]) == (0, 0, 0, 0)


async def test_places_count_code_points_or_units_of_utf_16(client: Client) -> None:
    content = "\N{PARTY POPPER}\N{PARTY POPPER} Mountains and \N{PARTY POPPER} mountains"
    await add(client, "s", [content])
    query = """{ search(query: "mountains", sessionId: "s") { edges { matches {
      start(unit: UTF16) end(unit: UTF16) from: start to: end(unit: CODE_POINT) } } } }"""
    (edge,) = (await client.data(query))["search"]["edges"]
    encoded = content.encode("utf-16-le")
    assert [content[match["from"] : match["to"]] for match in edge["matches"]] == ["Mountains", "mountains"]
    units = [encoded[match["start"] * 2 : match["end"] * 2].decode("utf-16-le") for match in edge["matches"]]
    assert units == ["Mountains", "mountains"]
    assert [match["start"] - match["from"] for match in edge["matches"]] == [2, 3]


async def test_a_message_counts_together_with_its_session(chats: Client) -> None:
    edges = await found(chats, "what job has her sister", userId="ada")
    assert contents(edges)[0] == ADA["job"][0]
    assert ADA["job"][2] in contents(edges)
    assert not {*ADA["hike"]} & {*contents(edges)}


async def test_a_session_is_searched_alone(chats: Client) -> None:
    assert contents(await found(chats, "sister", sessionId="hike")) == []
    assert contents(await found(chats, "sister", sessionId="other")) == ["My sister likes mountains"]
    assert contents(await found(chats, "sister", sessionId="other", userId="ada")) == []


async def test_words_are_found_as_soon_as_they_are_stored_and_not_when_they_are_gone(chats: Client) -> None:
    await add(chats, "job", ["The zebra is striped"])
    (edge,) = [edge for edge in await found(chats, "zebras", userId="ada") if edge["matches"]]
    uuid = edge["node"]["uuid"]
    await chats.data(
        'mutation($uuid: UUID!) { updateMessage(input: {uuid: $uuid, content: "A quagga"}) { message { uuid } } }',
        uuid=uuid,
    )
    assert await found(chats, "zebras", userId="ada") == []
    assert (await found(chats, "quagga", userId="ada"))[0]["node"]["uuid"] == uuid
    await chats.data("mutation($uuid: UUID!) { deleteMessage(input: {uuid: $uuid}) { deletedId } }", uuid=uuid)
    assert await found(chats, "quagga", userId="ada") == []
    await chats.data('mutation { deleteSession(input: {sessionId: "job"}) { deletedId } }')
    assert await found(chats, "nurse", userId="ada") == []


async def test_pages_hold_each_message_once(chats: Client) -> None:
    whole = await found(chats, "sister job hiked rained", userId="ada", first=100)
    assert len(whole) == 6
    pages: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await chats.data(SEARCH, words="sister job hiked rained", userId="ada", first=2, after=after))["search"]
        pages += page["edges"]
        after = page["pageInfo"]["endCursor"]
        assert page["pageInfo"]["hasPreviousPage"] is (len(pages) > 2)
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert pages == whole


async def test_pages_are_read_backwards(chats: Client) -> None:
    words = "sister job hiked rained"
    whole = await found(chats, words, userId="ada", first=100)
    page = (await chats.data(SEARCH, words=words, userId="ada", last=2))["search"]
    assert page["edges"] == whole[-2:]
    assert page["pageInfo"]["hasPreviousPage"] is True
    assert page["pageInfo"]["hasNextPage"] is False
    before = page["pageInfo"]["startCursor"]
    page = (await chats.data(SEARCH, words=words, userId="ada", last=100, before=before))["search"]
    assert page["edges"] == whole[:-2]
    assert page["pageInfo"]["hasPreviousPage"] is False
    assert page["pageInfo"]["hasNextPage"] is True


async def test_a_cursor_of_another_query_is_refused(chats: Client) -> None:
    (edge, *_) = await found(chats, "sister", userId="ada")
    for other in ({"words": "job", "userId": "ada"}, {"words": "sister", "userId": "bob"}):
        error = await chats.error(SEARCH, after=edge["cursor"], **other)
        assert error["code"] == "BAD_USER_INPUT"
        assert "not a cursor of this list" in error["message"]


async def test_text_in_quotes_must_occur_as_it_stands(chats: Client) -> None:
    assert contents(await found(chats, '"a NEW job"', userId="ada")) == [ADA["job"][0]]
    assert contents(await found(chats, '"job new"', userId="ada")) == []
    assert contents(await found(chats, '"it"', userId="ada")) == [ADA["hike"][2]]


async def test_filters(chats: Client, database: Database) -> None:
    query = "sister job hiked weather nurse"
    at = datetime(2023, 5, 7, 12, tzinfo=UTC)
    await database.messages.update_one({"sessionId": "hike", "seq": 1}, {"$set": {"createdAt": at}})
    by_role = await found(chats, query, userId="ada", filter={"roles": ["assistant"]})
    assert {*contents(by_role)} == {ADA["job"][1], ADA["hike"][1]}
    by_session = await found(chats, query, userId="ada", filter={"sessionIds": ["hike", "other"]})
    assert {edge["node"]["session"]["sessionId"] for edge in by_session} == {"hike"}
    before = await found(chats, query, userId="ada", filter={"until": "2023-05-08T00:00:00Z"})
    assert contents(before) == [ADA["hike"][0]]
    assert await found(chats, query, userId="ada", filter={"since": "2999-01-01T00:00:00Z"}) == []
    error = await chats.error(SEARCH, words=query, userId="ada", filter={"roles": ["r"] * 101})
    assert error["message"] == "filter.roles has 101 items, and at most 100 are accepted"


async def test_a_named_date_finds_what_was_said_then(chats: Client, database: Database) -> None:
    at = datetime(2023, 5, 7, 12, tzinfo=UTC)
    await database.messages.update_one({"sessionId": "hike", "seq": 3}, {"$set": {"createdAt": at}})
    assert contents(await found(chats, "what was on May 7, 2023?", userId="ada"))[0] == ADA["hike"][2]


@pytest.mark.parametrize("query", ["the", "what is it?", " ", "?!", "\x00", "🎉"])
async def test_a_query_without_words_finds_nothing(chats: Client, query: str) -> None:
    assert await found(chats, query, userId="ada") == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"words": "", "userId": "ada"}, "query must not be empty"),
        ({"words": "a" * 8_193, "userId": "ada"}, "query has 8,193 bytes, and at most 8,192 are accepted"),
        ({"words": "a", "userId": "ada", "first": 101}, "first must be from 0 to 100, not 101"),
        ({"words": "a", "userId": "ada", "first": -1}, "first must be from 0 to 100, not -1"),
    ],
)
async def test_what_is_not_accepted(chats: Client, variables: dict[str, Any], message: str) -> None:
    error = await chats.error(SEARCH, **variables)
    assert (error["code"], error["message"]) == ("BAD_USER_INPUT", message)


@pytest.mark.parametrize("variables", [{"userId": "nobody"}, {"sessionId": ""}, {"userId": "u" * 600}])
async def test_unknown_names_have_no_messages(chats: Client, variables: dict[str, Any]) -> None:
    assert await found(chats, "sister", **variables) == []


async def test_a_scope_that_is_too_large_is_refused(chats: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "MAX_SEARCHED", 5)
    error = await chats.error(SEARCH, words="sister", userId="ada")
    assert error["code"] == "TOO_COSTLY"
    assert "more than 5 messages" in error["message"]
    assert await found(chats, "sister", sessionId="job")
    monkeypatch.setattr(search_cache, "MAX_READ", 10)
    assert (await chats.error(SEARCH, words="sister", sessionId="hike"))["code"] == "TOO_COSTLY"


async def test_a_service_searches_all_sessions(chats: Client) -> None:
    assert {*contents(await found(chats, "sister"))} >= {ADA["job"][0], "My sister likes mountains"}


async def test_end_users_find_only_what_is_theirs(settings: Settings, mongodb_uri: str, database: Database) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        for user in ("ada", "bob"):
            as_caller(client, token(user))
            await client.data(
                ADD,
                input={"sessionId": f"of-{user}", "messages": [{"role": "user", "content": f"the zebra of {user}"}]},
            )
        as_caller(client, token("ada"))
        assert contents(await found(client, "zebra")) == ["the zebra of ada"]
        assert contents(await found(client, "zebra", userId="ada")) == ["the zebra of ada"]
        for others in ({"userId": "bob"}, {"sessionId": "of-bob"}, {"filter": {"sessionIds": ["of-bob"]}}):
            assert await found(client, "zebra bob", **others) == []
