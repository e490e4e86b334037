"""The conversations in tests/data/recall keep their format."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "data" / "recall"
FILES = sorted(FOLDER.glob("*.json"))
LANGUAGES = {"en", "de", "ja"}
HALVES = ("tune", "held out")
KINDS = {"fact", "hops", "time", "paraphrase", "name", "number", "quoted"}
LEAST_CONVERSATIONS = 17
LEAST_QUESTIONS = 600
SHARES_OF_A_HALF = (0.4, 0.6)
LEAST_SHARE_OF_A_KIND = 0.04
LONG_ANSWER = 700
"""Characters of an answer that does not fit into a line of a prompt."""


def read(path: Path) -> dict[str, Any]:
    """Return the conversation in the file."""
    conversation: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return conversation


def messages_of(conversation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of all sessions in order."""
    return [m for session in conversation["sessions"] for m in session["messages"]]


def questions_of(conversations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the questions about all the conversations."""
    return [question for conversation in conversations for question in conversation["questions"]]


def in_half(half: str) -> list[dict[str, Any]]:
    """Return the conversations of one half of the set."""
    return [conversation for conversation in CONVERSATIONS if conversation["half"] == half]


CONVERSATIONS = [read(path) for path in FILES]
each = pytest.mark.parametrize("conversation", CONVERSATIONS, ids=[p.stem for p in FILES])


def test_number_does_not_fall() -> None:
    assert len(CONVERSATIONS) >= LEAST_CONVERSATIONS
    assert sum(len(c["questions"]) for c in CONVERSATIONS) >= LEAST_QUESTIONS


def test_languages_are_covered() -> None:
    assert {c["language"] for c in CONVERSATIONS} == LANGUAGES


def test_each_half_has_its_share_of_the_questions() -> None:
    assert {c["half"] for c in CONVERSATIONS} == set(HALVES)
    least, most = SHARES_OF_A_HALF
    total = len(questions_of(CONVERSATIONS))
    for half in HALVES:
        assert least <= len(questions_of(in_half(half))) / total <= most


@pytest.mark.parametrize("half", HALVES)
def test_each_half_has_every_kind_of_question(half: str) -> None:
    questions = questions_of(in_half(half))
    counts = Counter(q["kind"] for q in questions)
    assert {kind for kind in KINDS if counts[kind] < LEAST_SHARE_OF_A_KIND * len(questions)} == set()


@pytest.mark.parametrize("half", HALVES)
def test_each_half_has_every_sort_of_message(half: str) -> None:
    messages = [m for c in in_half(half) for m in messages_of(c)]
    assert {m["role"] for m in messages} == {"user", "assistant", "tool"}
    assert any("name" in m for m in messages)
    assert any("```" in m["content"] for m in messages)
    assert any(m["role"] == "assistant" and len(m["content"]) > LONG_ANSWER for m in messages)


def test_names_match_files() -> None:
    assert [c["name"] for c in CONVERSATIONS] == [p.stem for p in FILES]


def test_ids_are_unique() -> None:
    sessions = [s["id"] for c in CONVERSATIONS for s in c["sessions"]]
    messages = [m["id"] for c in CONVERSATIONS for m in messages_of(c)]
    assert len(set(sessions)) == len(sessions)
    assert len(set(messages)) == len(messages)


def test_no_content_is_in_two_conversations() -> None:
    counts = Counter(text for c in CONVERSATIONS for text in {m["content"] for m in messages_of(c)})
    assert [text for text, count in counts.items() if count > 1] == []


@each
def test_conversation_is_long_enough(conversation: dict[str, Any]) -> None:
    assert len(conversation["sessions"]) >= 4
    assert len(messages_of(conversation)) >= 60


@each
def test_times_ascend(conversation: dict[str, Any]) -> None:
    times = []
    for session in conversation["sessions"]:
        times.append(session["startedAt"])
        times.extend(m["createdAt"] for m in session["messages"])
    parsed = [datetime.fromisoformat(time) for time in times]
    assert parsed == sorted(set(parsed))


@each
def test_speakers_are_listed(conversation: dict[str, Any]) -> None:
    spoken = {m.get("name", m["role"]) for m in messages_of(conversation)}
    assert spoken == set(conversation["speakers"])


@each
def test_evidence_exists(conversation: dict[str, Any]) -> None:
    known = {m["id"] for m in messages_of(conversation)}
    for question in conversation["questions"]:
        assert question["evidence"]
        assert set(question["evidence"]) <= known
        assert len(set(question["evidence"])) == len(question["evidence"])


@each
def test_question_of_several_hops_has_several_messages(conversation: dict[str, Any]) -> None:
    for question in conversation["questions"]:
        if question["kind"] == "hops":
            assert len(question["evidence"]) > 1


@each
def test_questions_are_distinct_and_of_a_known_kind(conversation: dict[str, Any]) -> None:
    texts = [q["question"] for q in conversation["questions"]]
    assert len(set(texts)) == len(texts)
    assert {q["kind"] for q in conversation["questions"]} <= KINDS


@each
def test_quoted_text_occurs(conversation: dict[str, Any]) -> None:
    content = {m["id"]: m["content"] for m in messages_of(conversation)}
    for question in conversation["questions"]:
        if question["kind"] == "quoted":
            quoted = question["question"].split('"')[1]
            assert any(quoted in content[i] for i in question["evidence"])
