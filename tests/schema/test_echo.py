"""No error repeats more than 200 characters of the request that it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.graphql_client import ADD, Client

LONG = "xyzzy " * 60
WORD = "x" * 400
LISTED = "query L($n: Int, $t: DateTime) { sessions(first: $n, filter: { createdAt: { since: $t } }) { totalCount } }"
MADE = "mutation M($i: CreateSessionInput!) { createSession(input: $i) { __typename } }"


def repeated(message: str) -> int:
    return sum(message.count(sign) for sign in "xyz")


@pytest.mark.parametrize("text", [LONG, WORD, WORD * 500], ids=["words", "word", "long word"])
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (LISTED, {"n": "@"}),
        (LISTED, {"n": ["@"] * 20}),
        (LISTED, {"n": {f"{number}@": "@" for number in range(20)}}),
        (LISTED, {"t": "@"}),
        (LISTED, {"t": "2026-01-31T12:00:00.@"}),
        (LISTED, {"t": {"a": "@"}}),
        (ADD, {"input": {"@": 1}}),
        (ADD, {"input": {"sessionId": ["@"], "messages": "@"}}),
        (ADD, {"input": {"sessionId": "s", "messages": [{"role": "r", "content": "c", "uuid": "@"}]}}),
        ('{ message(uuid: "@") { seq } }', {}),
        ('{ sessions(first: "@") { totalCount } }', {}),
        ('{ sessions(after: "@") { totalCount } }', {}),
        ('{ session(sessionId: { a: "@" }) { uuid } }', {}),
    ],
)
async def test_an_error_repeats_little_of_the_request(
    client: Client, query: str, variables: dict[str, Any], text: str
) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {filled(name): filled(item) for name, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        return value.replace("@", text) if isinstance(value, str) else value

    answer = await client.send(query.replace("@", text), **filled(variables))
    assert answer["errors"]
    for error in answer["errors"]:
        assert repeated(error["message"]) <= 200, error["message"]


@pytest.mark.parametrize("name", ["x" * 500, "xyzzy " * 80, "\x01" * 500])
async def test_a_long_id_is_shortened(client: Client, name: str) -> None:
    await client.data(MADE, i={"sessionId": name})
    update = "mutation U($i: UpdateSessionInput!) { updateSession(input: $i) { __typename } }"
    for message in (
        (await client.error(MADE, i={"sessionId": name}))["message"],
        (await client.error(update, i={"sessionId": name[1:], "metadata": {}}))["message"],
        (await client.http.get(f"/api/v1/sessions/{name[1:].strip().replace(chr(1), '%01')}/memory")).text,
    ):
        assert len(message) < 200 + len("session … exists already: change it with updateSession")


async def test_a_short_message_is_left_as_it_is(client: Client) -> None:
    error = await client.error("{ sessions { nothingOfThisName } }")
    assert error["message"].startswith("Cannot query field 'nothingOfThisName' on type 'SessionConnection'.")
