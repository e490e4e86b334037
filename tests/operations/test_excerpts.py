"""Excerpts: short, on one line, and only of what is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.operations.excerpts import excerpt_of
from tests.support.graphql_client import ADD, Client


@given(st.text(st.sampled_from("ab \n\u2003é🌍"), max_size=60), st.integers(1, 20))
def test_an_excerpt_is_the_beginning_of_the_text(text: str, length: int) -> None:
    excerpt, line = excerpt_of(text, length), " ".join(text.split())
    assert len(excerpt) <= length
    assert excerpt == line or (excerpt.endswith("…") and line.startswith(excerpt[:-1]))
    assert excerpt == line or len(text) > length


@pytest.mark.parametrize(
    ("text", "length", "excerpt"),
    [
        ("Who was\n\nOctavia Butler?", 24, "Who was Octavia Butler?"),
        ("Who was Octavia Butler?", 20, "Who was Octavia…"),
        ("Who was Octavia Butler?", 16, "Who was Octavia…"),
        ("A " + "x" * 30, 10, "A xxxxxxx…"),
        ("x" * 30, 1, "…"),
        (" " * 100 + "x", 10, "…"),
    ],
)
def test_an_excerpt_ends_with_a_whole_word(text: str, length: int, excerpt: str) -> None:
    assert excerpt_of(text, length) == excerpt


async def test_a_message_has_an_excerpt(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "user", "content": "word " * 100}]})
    query = (
        'query($length: Int!) { session(sessionId: "s") { lastMessage { excerpt short: excerpt(length: $length) } } }'
    )
    message = (await client.data(query, length=11))["session"]["lastMessage"]
    assert message == {"excerpt": "word " * 39 + "word…", "short": "word word…"}
    assert (await client.error(query, length=0))["code"] == "BAD_USER_INPUT"
