"""What summaries are made of, when, and by whom: no database here."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from graph.enrichment.extractive import summarise_extractively
from graph.enrichment.llm import ChatCompletionsSummariser, LLMOptions, LLMUnavailable
from graph.enrichment.rolling import Coverage, Step, StepLimits, UncoveredMessage, cover, next_step, plan_steps
from graph.enrichment.sentences import split_sentences
from graph.enrichment.summariser import Summariser
from graph.enrichment.tokens import count_tokens
from graph.errors import StartupError
from tests.support.llm_server import LLMServer, Reply, completion
from tests.support.paths import DATA, ROOT
from tests.support.tcp import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CONVERSATIONS = json.loads((DATA / "conversations.json").read_text(encoding="utf-8"))
KEY = "sk-very-secret-key-0123456789"
MESSAGES = [("human", "Who was Octavia Butler?"), ("ai", "She was an American science fiction author.")]


# --- rolling ---


def uncovered(count: int, tokens: int = 10) -> list[UncoveredMessage]:
    return [UncoveredMessage(seq, tokens) for seq in range(1, count + 1)]


def test_nothing_is_due_below_a_window() -> None:
    assert list(plan_steps(uncovered(11))) == []
    assert next_step([], more=False) is None


def test_a_window_is_covered_but_for_its_newest_half() -> None:
    assert list(plan_steps(uncovered(12))) == [Step(1, 6, 6)]


def test_thirty_messages_at_once_are_all_covered_but_for_the_newest_half_window() -> None:
    assert list(plan_steps(uncovered(30))) == [Step(1, 24, 24)]


def test_holes_from_deletions_are_stepped_over() -> None:
    assert list(plan_steps([UncoveredMessage(seq) for seq in range(5, 500, 33)])) == [Step(5, 269, 9)]


def test_too_much_for_one_summary_is_taken_in_by_several() -> None:
    steps = list(plan_steps(uncovered(30), limits=StepLimits(max_messages=10)))
    assert [(s.first_seq, s.last_seq) for s in steps] == [(1, 10), (11, 18), (19, 24)]
    steps = list(plan_steps(uncovered(30, tokens=100), limits=StepLimits(max_tokens=1_000)))
    assert steps[0] == Step(1, 10, 10)
    assert steps[-1].last_seq == 24


def test_a_summary_records_the_range_since_its_first_predecessor() -> None:
    first = cover(None, Step(1, 6, 6))
    assert first == Coverage(1, 6)
    assert cover(first, Step(7, 24, 18)) == Coverage(1, 24)


@given(
    seqs=st.lists(st.integers(1, 10_000), unique=True, max_size=200).map(sorted),
    tokens=st.integers(0, 60),
    window=st.integers(1, 40),
    limits=st.builds(StepLimits, st.integers(1, 60), st.integers(1, 500)),
)
def test_steps_cover_each_message_once_until_the_rule_is_met(
    seqs: list[int], tokens: int, window: int, limits: StepLimits
) -> None:
    steps = list(plan_steps([UncoveredMessage(seq, tokens) for seq in seqs], window=window, limits=limits))
    done = 0
    for step in steps:
        assert (step.first_seq, step.last_seq) == (seqs[done], seqs[done + step.messages - 1])
        assert step.messages <= max(limits.max_messages, window - window // 2)
        # Had the worker died before this step, it would be due all the same.
        assert len(seqs) - done >= window
        done += step.messages
    assert done == (len(seqs) - window // 2 if len(seqs) >= window else 0)


def test_planning_reads_ahead_by_one_page_only() -> None:
    read = 0

    def endless() -> Any:
        nonlocal read
        while True:
            read += 1
            yield UncoveredMessage(read, 10)

    steps = plan_steps(endless())
    for _ in range(50):
        next(steps)
    assert read <= 51 * (StepLimits().page_size(12) + 1)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: next_step(uncovered(20), more=True),
        lambda: next_step([UncoveredMessage(2), UncoveredMessage(1)], more=False),
        lambda: next_step(uncovered(20), more=False, window=0),
        lambda: StepLimits(max_messages=0),
    ],
)
def test_misuse_of_the_rule_is_refused(bad: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bad()


# --- extractive ---


def pairs(conversation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in conversation["messages"]]


def facts_found(summary: str, conversation: dict[str, Any]) -> int:
    """Count the facts, written down before any summary was looked at, all of whose words a summary has."""
    text = summary.casefold()
    return sum(all(word.casefold() in text for word in fact) for fact in conversation["facts"])


def picked(conversation: dict[str, Any], shuffle: random.Random | None, max_tokens: int) -> str:
    """Sentences from the beginning on, or at random, as many as fit."""
    lines = [f"{role}: {text[a:b]}" for role, text in pairs(conversation) for a, b in split_sentences(text)]
    order = list(range(len(lines)))
    if shuffle:
        shuffle.shuffle(order)
    taken: list[int] = []
    for number in order:
        if count_tokens("\n".join(lines[i] for i in sorted([*taken, number]))) <= max_tokens:
            taken.append(number)
    return "\n".join(lines[i] for i in sorted(taken))


@pytest.mark.parametrize("max_tokens", [60, 100, 150])
def test_it_tells_more_of_the_facts_than_the_lead_or_a_random_choice(max_tokens: int) -> None:
    ours = sum(facts_found(summarise_extractively(None, pairs(c), max_tokens=max_tokens), c) for c in CONVERSATIONS)
    lead = sum(facts_found(picked(c, None, max_tokens), c) for c in CONVERSATIONS)
    chance = [
        sum(facts_found(picked(c, random.Random(seed), max_tokens), c) for c in CONVERSATIONS) for seed in range(10)
    ]
    print(f"facts told with {max_tokens} tokens: {ours}, lead {lead}, random {sum(chance) / len(chance)} of 35")
    assert ours >= 1.5 * lead
    assert ours > max(chance)
    assert ours >= 1.3 * sum(chance) / len(chance)


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda c: c["name"])
def test_a_summary_is_bounded_attributed_and_in_the_order_of_the_conversation(conversation: dict[str, Any]) -> None:
    summary = summarise_extractively(None, pairs(conversation), max_tokens=120)
    assert 0 < count_tokens(summary) <= 120
    text = " ".join(" ".join(content.split()) for _, content in pairs(conversation))
    position = 0
    for line in summary.splitlines():
        role, said = line.split(": ", 1)
        for sentence in said.split(" … "):
            owner = [r for r, content in pairs(conversation) if sentence.split(". ")[0] in " ".join(content.split())]
            assert role in owner
            position = text.index(sentence.split(". ")[0], position)


def test_small_talk_is_left_out_even_if_there_is_room() -> None:
    summary = summarise_extractively(None, pairs(CONVERSATIONS[0]), max_tokens=300)
    assert "Hamburg" in summary
    assert "Ok cool" not in summary


def test_the_previous_summary_is_taken_in() -> None:
    messages = pairs(CONVERSATIONS[0])
    first = summarise_extractively(None, messages[:8], max_tokens=100)
    second = summarise_extractively(first, messages[8:], max_tokens=100)
    assert count_tokens(second) <= 100
    assert "2,500 euros" in second or "Alfama" in second
    assert "shellfish" in second.casefold()


def test_a_long_chain_of_summaries_stays_bounded_and_keeps_something_of_its_beginning() -> None:
    summary = summarise_extractively(None, pairs(CONVERSATIONS[0]), max_tokens=256)
    for conversation in CONVERSATIONS[1:]:
        messages = pairs(conversation)
        for start in range(0, len(messages), 6):
            summary = summarise_extractively(summary, messages[start : start + 6], max_tokens=256)
            assert count_tokens(summary) <= 256
    assert sum(facts_found(summary, conversation) > 0 for conversation in CONVERSATIONS) >= 4
    assert facts_found(summary, CONVERSATIONS[0])


def test_the_previous_summary_of_a_model_is_taken_in_as_it_is() -> None:
    previous = "The human plans a journey to Portugal. The budget is 2,500 euros.\n\n- Open question: which hotel?"
    summary = summarise_extractively(previous, [("human", "ok")], max_tokens=100)
    assert "The budget is 2,500 euros." in summary
    assert "- Open question: which hotel?" in summary


def test_without_new_messages_worth_telling_the_summary_is_stable() -> None:
    first = summarise_extractively(None, pairs(CONVERSATIONS[3]), max_tokens=150)
    assert summarise_extractively(first, [("human", ""), ("ai", "  \n ")], max_tokens=150) == first


def test_the_same_conversation_gives_the_same_summary_in_another_process() -> None:
    program = (
        "import json, sys; from graph.enrichment.extractive import summarise_extractively as s;"
        "m = json.load(sys.stdin); sys.stdout.buffer.write(s(None, m, max_tokens=100).encode())"
    )
    messages = pairs(CONVERSATIONS[2])
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(messages).encode(),
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode() == summarise_extractively(None, messages, max_tokens=100)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], ""),
        ([("human", ""), ("ai", " \n\t ")], ""),
        ([("human", "👍")], "human: 👍"),
        ([("human", "yes")], "human: yes"),
        ([("", "Lisbon is in Portugal.")], "Lisbon is in Portugal."),
        ([("a\nb", "Lisbon is\tin  Portugal.")], "a b: Lisbon is in Portugal."),
        ([("ai", "```python\nprint(1)\n```")], "ai: [code]"),
        ([("ai", "```python\nprint(1)")], "ai: [code]"),
    ],
)
def test_the_least_conversations(messages: list[tuple[str, str]], expected: str) -> None:
    assert summarise_extractively(None, messages) == expected


def test_code_blocks_are_named_and_not_quoted() -> None:
    content = (
        "Use a bounded cache:\n```python\n@lru_cache(maxsize=256)\ndef thumbnail(): ...\n```\nThen deploy tonight."
    )
    summary = summarise_extractively(None, [("ai", content)])
    assert "def thumbnail" not in summary
    assert "Use a bounded cache:" in summary


@pytest.mark.parametrize(
    ("messages", "word"),
    [
        ([("用户", "我想十月去葡萄牙旅行。预算是两千五百欧元。"), ("助手", "好的。")], "葡萄牙"),
        ([("человек", "Мы летим из Гамбурга 11 октября. Хорошо."), ("бот", "Спасибо!")], "Гамбурга"),
        ([("إنسان", "نسافر إلى البرتغال في أكتوبر. شكرا."), ("بوت", "حسنا.")], "البرتغال"),
        ([("ผู้ใช้", "ฉันจะไปโปรตุเกสในเดือนตุลาคม"), ("บอท", "โอเค")], "โปรตุเกส"),
    ],
)
def test_any_script_is_summarised(messages: list[tuple[str, str]], word: str) -> None:
    assert word in summarise_extractively(None, messages, max_tokens=60)


@pytest.mark.parametrize(
    "content",
    [
        "a" * 1_000_000,
        "word " * 200_000,
        "." * 1_000_000,
        "\n" * 1_000_000,
        "```\n" * 250_000,
        "Lisbon is old. " * 70_000,
    ],
    ids=["letters", "words", "dots", "lines", "fences", "sentences"],
)
def test_a_message_of_a_million_characters_is_summarised(content: str) -> None:
    summary = summarise_extractively(None, [("human", content), ("ai", "Porto lies on the Douro.")], max_tokens=90)
    assert count_tokens(summary) <= 90
    assert "Douro" in summary


@example(previous=None, messages=[("", "0:"), ("", "0000")], max_tokens=1)
@settings(max_examples=60, deadline=None)
@given(
    previous=st.none() | st.text(max_size=300),
    messages=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=200)), max_size=6),
    max_tokens=st.integers(1, 60),
)
def test_the_bound_holds_whatever_is_said(
    previous: str | None, messages: list[tuple[str, str]], max_tokens: int
) -> None:
    assert count_tokens(summarise_extractively(previous, messages, max_tokens=max_tokens)) <= max_tokens


# --- the language model ---


def options(server: LLMServer | str, **changes: Any) -> LLMOptions:
    values: dict[str, Any] = {
        "base_url": server if isinstance(server, str) else server.base_url,
        "model": "test-model",
        "api_key": SecretStr(KEY),
        "timeout": 5.0,
        "backoff": 0.01,
        **changes,
    }
    return LLMOptions(**values)


@asynccontextmanager
async def asking(*replies: Reply, **changes: Any) -> AsyncIterator[tuple[ChatCompletionsSummariser, LLMServer]]:
    with LLMServer(*replies) as server:
        async with ChatCompletionsSummariser(options(server, **changes)) as llm:
            yield llm, server


async def test_the_model_is_asked_in_the_protocol_and_given_the_previous_summary() -> None:
    async with asking(Reply(completion(" A summary. \n"))) as (llm, server):
        assert await llm.summarise("They met in Lisbon.", MESSAGES) == "A summary."
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["model"] == "test-model"
    assert request.body["max_tokens"] == 256
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]
    assert "256 tokens" in request.body["messages"][0]["content"]
    assert request.material == (
        "Summary so far:\nThey met in Lisbon.\n\n"
        "New messages:\nhuman: Who was Octavia Butler?\nai: She was an American science fiction author."
    )


async def test_prompt_and_body_can_be_set() -> None:
    changes = {"prompt": "Fasse zusammen, $max_tokens Token, für $5.", "max_output_tokens": 99}
    extra = {"max_tokens": None, "max_completion_tokens": 99, "temperature": 0}
    async with asking(Reply(), **changes, extra_body=extra, api_key=None) as (llm, server):
        await llm.summarise(None, MESSAGES)
    (request,) = server.requests
    assert request.body["messages"][0]["content"] == "Fasse zusammen, 99 Token, für $5."
    assert "max_tokens" not in request.body
    assert (request.body["max_completion_tokens"], request.body["temperature"]) == (99, 0)
    assert "authorization" not in request.headers


async def test_what_is_sent_is_bounded_and_keeps_the_previous_summary_and_the_newest_messages() -> None:
    messages = [("human", f"Message number {n}. " + "word " * 40) for n in range(200)]
    messages[-2] = ("ai", "x " * 500_000)
    async with asking(max_input_tokens=1_500) as (llm, server):
        await llm.summarise("They met in Lisbon.", messages)
    (request,) = server.requests
    assert sum(count_tokens(message["content"]) for message in request.body["messages"]) <= 1_500
    assert "They met in Lisbon." in request.material
    assert "Message number 199." in request.material
    assert "x x […]" in request.material
    assert "Message number 0." not in request.material
    assert "earlier messages are left out" in request.material


async def test_a_longer_answer_than_wanted_is_cut_and_thoughts_are_left_out() -> None:
    reply = Reply(completion("<think>Hm.\nHm.</think>\n\nA summary" + " that goes on" * 100))
    async with asking(reply, max_output_tokens=20) as (llm, _):
        summary = await llm.summarise(None, MESSAGES)
    assert summary.startswith("A summary that goes on")
    assert count_tokens(summary) <= 20


BROKEN = [
    Reply({"error": {"message": "oops"}}, 500),
    Reply(b"<html>Bad gateway</html>", 502, {"Content-Type": "text/html"}),
    Reply(b'{"choices": [{"mess'),
    Reply(b"[" * 100_000),
    Reply(b'"\\ud800"'),
    Reply(b""),
    Reply({"choices": []}),
    Reply([]),
    Reply({"choices": [{"message": None}]}),
    Reply(completion(None)),
    Reply(completion("  \n")),
    Reply(completion("x" * (1 << 20))),
    Reply(b"not gzip", headers={"Content-Encoding": "gzip"}),
    Reply(drop=True),
    Reply({}, 429),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda r: f"{r.status} {r.payload[:20]!r} {r.drop}")
async def test_a_broken_answer_is_asked_for_again(broken: Reply) -> None:
    async with asking(broken, Reply(completion("A summary."))) as (llm, server):
        assert await llm.summarise(None, MESSAGES) == "A summary."
    assert len(server.requests) == 2


@pytest.mark.parametrize("broken", BROKEN, ids=lambda r: f"{r.status} {r.payload[:20]!r} {r.drop}")
async def test_attempts_are_bounded(broken: Reply) -> None:
    async with asking(broken, max_attempts=2) as (llm, server):
        with pytest.raises(LLMUnavailable, match="at attempt 2"):
            await llm.summarise(None, MESSAGES)
    assert len(server.requests) == 2


@pytest.mark.parametrize("slow", [Reply(delay=60), Reply(drip=0.1)], ids=["silent", "dripping"])
async def test_a_slow_answer_is_given_up_and_asked_for_again(slow: Reply) -> None:
    async with asking(slow, Reply(completion("A summary.")), timeout=0.5) as (llm, server):
        assert await llm.summarise(None, MESSAGES) == "A summary."
    assert len(server.requests) == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_server_that_asks_to_wait_is_asked_again_no_sooner(form: str) -> None:
    # A date has no fractions of a second.
    value = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    async with asking(Reply({}, 429, {"Retry-After": value}), Reply(completion("A summary."))) as (llm, _):
        begun = time.monotonic()
        assert await llm.summarise(None, MESSAGES) == "A summary."
        assert time.monotonic() - begun >= 0.99


async def test_a_server_that_asks_to_wait_too_long_is_not_asked_again() -> None:
    async with asking(Reply({}, 429, {"Retry-After": "3600"})) as (llm, server):
        with pytest.raises(LLMUnavailable, match="HTTP 429"):
            await llm.summarise(None, MESSAGES)
    assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["soon", "-1", "", "Wed, 99 Foo 2020 00:00:00 GMT"])
async def test_a_malformed_retry_after_is_passed_over(value: str) -> None:
    async with asking(Reply({}, 429, {"Retry-After": value}), Reply(completion("A summary."))) as (llm, _):
        assert await llm.summarise(None, MESSAGES) == "A summary."


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
async def test_a_refusal_is_final_and_explained_without_the_key(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refusal = Reply({"error": {"message": f"The model does not exist. Your key was {KEY}."}}, status)
    async with asking(refusal) as (llm, server):
        with pytest.raises(LLMUnavailable, match=f"HTTP {status}") as caught:
            await llm.summarise(None, MESSAGES)
    assert len(server.requests) == 1
    assert ("does not exist" in caught.value.reason) == (status not in {401, 403})
    assert KEY not in f"{caught.value!r} {caught.getrepr(showlocals=False)} {caplog.text}"
    assert "Octavia" not in f"{caught.value!r} {caplog.text}"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"base_url": "localhost:8000/v1"}, "RECALLQL_LLM_BASE_URL"),
        ({"base_url": "http://[::1"}, "RECALLQL_LLM_BASE_URL"),
        ({"base_url": "http://user:hunter2@localhost/v1"}, "RECALLQL_LLM_BASE_URL"),
        ({"model": " "}, "RECALLQL_LLM_MODEL"),
        ({"api_key": SecretStr("schlüssel-geheim")}, "RECALLQL_LLM_API_KEY"),
        ({"api_key": SecretStr("two\r\nlines")}, "RECALLQL_LLM_API_KEY"),
        ({"max_input_tokens": 300}, "RECALLQL_LLM_MAX_INPUT_TOKENS"),
    ],
)
def test_options_that_cannot_work_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(StartupError, match=named) as caught:
        ChatCompletionsSummariser(options("http://localhost:1/v1", **changes))
    assert "hunter2" not in str(caught.value)
    assert "geheim" not in str(caught.value)


# --- both together ---


async def test_the_summary_of_the_model_is_marked_as_such() -> None:
    async with asking(Reply(completion("A summary."))) as (llm, _):
        summary = await Summariser(llm).summarise(None, MESSAGES)
    assert (summary.content, summary.source, summary.fell_back_reason) == ("A summary.", "LLM", None)
    assert summary.token_count == count_tokens("A summary.")


async def test_without_a_model_the_summary_is_extractive() -> None:
    summary = await Summariser().summarise(None, MESSAGES)
    assert (summary.source, summary.fell_back_reason) == ("EXTRACTIVE", None)
    assert summary.content == summarise_extractively(None, MESSAGES)
    assert summary.token_count == count_tokens(summary.content)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(delay=60), "no answer within 0.3 s"),
        (Reply({}, 500), "HTTP 500"),
        (Reply({}, 429, {"Retry-After": "0"}), "HTTP 429"),
        (Reply(b"{"), "not JSON"),
        (Reply({"choices": []}), "without choices"),
        (Reply({}, 401), "RECALLQL_LLM_API_KEY"),
    ],
)
async def test_the_extractive_summary_stands_in_for_a_model_that_stays_down(reply: Reply, reason: str) -> None:
    async with asking(reply, timeout=0.3, max_attempts=2) as (llm, _):
        summary = await Summariser(llm).summarise("They met in Lisbon.", MESSAGES)
    assert summary.source == "EXTRACTIVE"
    assert reason in str(summary.fell_back_reason)
    assert "They met in Lisbon." in summary.content


async def test_the_extractive_summary_stands_in_when_nobody_listens() -> None:
    async with ChatCompletionsSummariser(options(f"http://127.0.0.1:{free_port()}/v1")) as llm:
        summary = await Summariser(llm).summarise(None, MESSAGES)
    assert summary.source == "EXTRACTIVE"
    assert summary.fell_back_reason == "the connection failed (ConnectError), at attempt 3"


async def test_a_model_that_stays_down_is_left_alone_for_a_while() -> None:
    now = 0.0
    replies = [*[Reply({}, 400)] * 3, Reply(completion("A summary."))]
    async with asking(*replies) as (llm, server):
        summariser = Summariser(llm, clock=lambda: now)
        for _ in range(5):
            assert (await summariser.summarise(None, MESSAGES)).source == "EXTRACTIVE"
        assert len(server.requests) == 3
        now = 16.0
        assert (await summariser.summarise(None, MESSAGES)).source == "LLM"
