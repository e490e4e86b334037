"""A context fits: whatever is packed, and however tokens are counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.enrichment.tokens import load_counter
from graph.operations.packing import Packing, Recalled
from graph.store.documents import MessageDocument, SummaryDocument
from tests.support.encoding_files import o200k_base

COUNT = load_counter().count
START = datetime(2024, 5, 7, 12, tzinfo=UTC)


def of_bytes(text: str) -> int:
    """As an encoding that has a token for each byte."""
    return len(text.encode("utf-8", "surrogatepass"))


def of_o200k_base(text: str) -> int:
    return o200k_base().count(text)


def message(session_id: str, seq: int, content: str, role: str = "user") -> MessageDocument:
    return cast(
        "MessageDocument",
        {
            "_id": f"{session_id} {seq}",
            "sessionId": session_id,
            "seq": seq,
            "role": role,
            "content": content,
            "createdAt": START + timedelta(minutes=seq),
        },
    )


def summary(content: str) -> SummaryDocument:
    return cast("SummaryDocument", {"_id": "summary", "content": content, "lastSeq": 3})


PARTS = st.sampled_from(["Yes. ", "I moved to Kyoto. ", "\n\n", "図書館。", "   ", "🎉", "e.g. ", "\t"])
CONTENTS = st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=80).map("".join))


@given(
    budget=st.one_of(st.integers(1, 200), st.integers(1, 100_000)),
    summarised=st.none() | CONTENTS,
    latest=st.lists(CONTENTS, max_size=5),
    recalled=st.lists(st.tuples(st.sampled_from("abc"), CONTENTS, st.none() | CONTENTS, st.floats(0, 1)), max_size=8),
    count=st.sampled_from([COUNT, of_o200k_base, of_bytes]),
)
def test_the_text_never_has_more_tokens_than_asked(
    budget: int, summarised: str | None, latest: list[str], recalled: list[Any], count: Callable[[str], int]
) -> None:
    packing = Packing(count, budget)
    packing.take_summary(None if summarised is None else summary(summarised))
    packing.take_latest([message("here", 100 - place, content) for place, content in enumerate(latest)])
    packing.take_recalled(
        [
            Recalled(
                message(session_id, 2 * place + 2, content),
                score,
                None if question is None else message(session_id, 2 * place + 1, question),
            )
            for place, (session_id, content, question, score) in enumerate(recalled)
        ]
    )
    text, tokens = packing.finish()
    assert tokens == count(text) <= budget
    packed = packing.packed
    ids = [one["_id"] for one in packed.messages] + [one["_id"] for one, _ in packed.recalled]
    assert len(ids) == len(set(ids))
    assert all(packed.line(one) in text for one in packed.messages)
    assert [one["seq"] for one in packed.messages] == list(range(101 - len(packed.messages), 101))


def test_the_text_stands_in_time_order_with_dates_and_roles() -> None:
    packing = Packing(COUNT, 1_000)
    packing.take_summary(summary("They talked about Kyoto."))
    packing.take_latest([message("here", 5, "Where did I move?"), message("here", 4, "Hello")])
    answer, question = message("old", 2, "To Kyoto.", "assistant"), message("old", 1, "Where did you move?")
    packing.take_recalled([Recalled(message("here", 1, "I moved."), 0.2), Recalled(answer, 0.9, question)])
    text, _ = packing.finish()
    assert text == (
        "From session here:\n[2024-05-07 12:01] user: I moved.\n\n"
        "From session old:\n[2024-05-07 12:01] user: Where did you move?\n[2024-05-07 12:02] assistant: To Kyoto.\n\n"
        "Summary of the conversation so far:\nThey talked about Kyoto.\n\n"
        "[2024-05-07 12:04] user: Hello\n[2024-05-07 12:05] user: Where did I move?"
    )
    assert [(one["_id"], score) for one, score in packing.packed.recalled] == [
        ("old 1", 0.9),
        ("old 2", 0.9),
        ("here 1", 0.2),
    ]


@pytest.mark.parametrize("recalled", [False, True])
def test_a_message_that_does_not_fit_alone_is_cut_at_the_end_of_a_sentence(recalled: bool) -> None:
    packing = Packing(COUNT, 60)
    long = message("here", 1, "I moved to Kyoto in May. " * 40)
    if recalled:
        packing.take_recalled([Recalled(long, 0.5)])
    else:
        packing.take_latest([long])
    text, tokens = packing.finish()
    assert tokens <= 60
    assert text.endswith("I moved to Kyoto in May. […]")
    assert text.count("Kyoto") > 2


def test_latest_messages_have_no_hole() -> None:
    packing = Packing(COUNT, 60)
    packing.take_latest([message("here", 3, "short"), message("here", 2, "long " * 100), message("here", 1, "short")])
    packing.finish()
    assert [one["seq"] for one in packing.packed.messages] == [3]
