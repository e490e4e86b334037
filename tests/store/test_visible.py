"""What is visible of a session is one value, which every read of its contents takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from graph.store.database import Database
from graph.store.documents import SessionDocument, SummaryDocument, now
from graph.store.visible import Visible, erased_until, visible_by_id
from tests.support.source_code import PACKAGE, modules

CONTENTS = {"memories", "messages", "summaries", "entities", "user_items"}
"""The collections that an erasure hides before it deletes their documents."""
BOUNDING = {"Visible", "Scope", "Transaction"}
"""Types of parameters that bound a read: a look-up within a scope finds what is visible by itself, and what a
transaction reads is not shown but written."""
OTHERWISE = {
    "entities/reading.py list_sessions_that_mention": "each session that it names is then looked up",
    "entities/reading.py list_messages": "the uuids are those of messages that were found visible",
    "entities/reading.py list_messages_of_user_that_mention": "of many sessions, by their erasures under way",
    "entities/reading.py keys_by_session": "the keys alone, of sessions whose visible messages its caller then reads",
    "feed/following.py messages_by_id": "of many sessions, of each of which it reads what is visible",
    "feed/following.py time_of_revision": "the time of an add alone, in a session that its caller found visible",
    "reading/overviews.py of_each": "each pipeline begins with the visible part of its session",
    "recall.py changed_messages": "the times of changes alone, of which its caller takes those of visible messages",
}
"""Reads that are bounded in another way, and why."""


def reads() -> Iterator[tuple[str, set[str]]]:
    """The public functions of the store that read contents, with the types of their parameters."""
    for path in modules():
        module = path.relative_to(PACKAGE).as_posix()
        # Jobs and transfers read without a caller: they work on what their own filters say.
        if not module.startswith("store/") or module.startswith(("store/jobs/", "store/transfer/")):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                attributes = {found.attr for found in ast.walk(node) if isinstance(found, ast.Attribute)}
                if attributes & CONTENTS:
                    annotations = [argument.annotation for argument in [*node.args.args, *node.args.kwonlyargs]]
                    names = {
                        name.id
                        for annotation in annotations
                        if annotation is not None
                        for name in ast.walk(annotation)
                        if isinstance(name, ast.Name)
                    }
                    yield f"{module.removeprefix('store/')} {node.name}", names


def test_every_read_of_contents_takes_what_is_visible() -> None:
    found = dict(reads())
    assert len(found) > 20
    assert {name for name, types in found.items() if not types & BOUNDING} == OTHERWISE.keys()


def test_one_module_looks_up_what_erasures_hide() -> None:
    """Others take `Visible`, or manage the jobs themselves."""
    managing = ("store/jobs/erasure.py", "store/transfer/", "store/checkup.py", "store/database.py")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if re.search(r"\.erasures\.", path.read_text("utf-8"))
    }
    assert {path for path in found if not path.startswith(managing)} == {"store/hidden.py"}


def session_of(erased_seq: int | None = None) -> SessionDocument:
    session: SessionDocument = {
        "_id": "s",
        "uuid": "u",
        "metadata": {},
        "createdAt": now(),
        "updatedAt": now(),
        "lastSeq": 9,
        "messageCount": 4,
        "tokenCount": 0,
        "summarySeq": 0,
    }
    if erased_seq is not None:
        session["erasedSeq"] = erased_seq
    return session


def summary_of(seq: int) -> SummaryDocument:
    return {
        "_id": str(seq),
        "sessionId": "s",
        "firstSeq": seq,
        "lastSeq": seq,
        "lastMessageUuid": "m",
        "content": "",
        "tokenCount": 0,
        "source": "EXTRACTIVE",
        "entities": [],
        "createdAt": now(),
    }


def test_all_of_a_session_is_visible_until_some_of_it_is_erased() -> None:
    assert Visible.of(session_of()) == Visible("s", 0)
    assert Visible.of(session_of(5)) == Visible("s", 5)
    assert visible_by_id([session_of(5)]) == {"s": Visible("s", 5)}


def test_a_part_is_never_larger_than_the_whole() -> None:
    visible = Visible("s", 5)
    assert not visible.sees(5)
    assert visible.sees(6)
    assert visible.first_seq == 6
    assert visible.beyond(3) == visible
    assert visible.beyond(7) == Visible("s", 7)


def test_a_memory_has_its_own_messages_and_a_session_s_memory_what_is_not_erased() -> None:
    assert Visible.of_memory({"sessionId": "s", "firstSeq": 4}) == Visible("s", 3)
    assert Visible.of_memory({"sessionId": "s", **erased_until(2)}) == Visible("s", 2)
    assert Visible.of_memory({"sessionId": "s"}) == Visible("s", 0)
    assert Visible.of_entity({"sessionId": "s", "firstSeq": 4}) == Visible("s", 3)


@pytest.mark.parametrize("erased", [None, 0, 3])
async def test_the_filters_find_what_python_sees(database: Database, erased: int | None) -> None:
    session = session_of(erased)
    await database.sessions.insert_one(session)
    await database.summaries.insert_many([summary_of(seq) for seq in range(1, 7)])
    visible = Visible.of(session)
    found = await database.summaries.find(visible.match("lastSeq", 5))
    assert sorted(summary["lastSeq"] for summary in found) == [seq for seq in range(1, 6) if visible.sees(seq)]
    assert await database.sessions.count_documents(visible.unchanged()) == 1
    await database.sessions.update_one({"_id": "s"}, {"$set": erased_until(4)})
    assert await database.sessions.count_documents(visible.unchanged()) == 0
