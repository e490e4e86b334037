"""What an add will do, decided without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.errors import Conflict, ErasureUnderWay, Forbidden
from graph.store.adding.add_plan import (
    Append,
    ExistingDocuments,
    NewMemory,
    NewMessage,
    Replay,
    Update,
    plan_add,
    session_changes,
    tokens_added,
)
from graph.store.documents import JSON, JSONObject, MemoryDocument, MessageDocument, SessionDocument, pending
from graph.store.editing.merge import merged_metadata
from graph.store.scope import EVERYTHING, Scope

PURE = settings(max_examples=50, deadline=None)
AT = datetime(2026, 1, 31, tzinfo=UTC)
KEYS = st.sampled_from(["a", "b", "c"])
VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([1.0, "", "x"]),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(KEYS, below, max_size=2),
    max_leaves=4,
)
METADATA: st.SearchStrategy[JSONObject] = st.dictionaries(KEYS, VALUES, max_size=3)
UUIDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(6)]
MESSAGES = st.builds(
    NewMessage,
    role=st.sampled_from(["human", "ai"]),
    content=st.sampled_from(["", "hello", "goodbye"]),
    token_count=st.integers(0, 50),
    metadata=METADATA,
)


@st.composite
def named_memories(draw: st.DrawFn) -> NewMemory:
    """Memories whose messages all have a uuid."""
    uuids = draw(st.lists(st.sampled_from(UUIDS), min_size=1, unique=True))
    messages = [replace(draw(MESSAGES), uuid=uuid) for uuid in uuids]
    return NewMemory("chat", messages, draw(METADATA), draw(st.sampled_from([None, "mia"])), digest="d")


def stored(new: NewMemory) -> ExistingDocuments:
    """What the database has after `new` was added to a new session."""
    session: SessionDocument = {
        "_id": new.session_id,
        "uuid": "session",
        "metadata": new.metadata,
        "createdAt": AT,
        "updatedAt": AT,
        "lastSeq": len(new.messages),
        "messageCount": len(new.messages),
        "tokenCount": 0,
        "summarySeq": 0,
    }
    if new.user_id is not None:
        session["userId"] = new.user_id
    messages = {message.uuid: message_document(message, seq) for seq, message in enumerate(new.messages, 1)}
    return ExistingDocuments(
        messages={uuid: found for uuid, found in messages.items() if uuid is not None}, session=session
    )


def message_document(message: NewMessage, seq: int) -> MessageDocument:
    return {
        "_id": message.uuid or f"message-{seq}",
        "sessionId": "chat",
        "memoryId": "memory",
        "seq": seq,
        "role": message.role,
        "content": message.content,
        "metadata": message.metadata,
        "tokenCount": message.token_count,
        "entities": [],
        "createdAt": AT,
        "updatedAt": AT,
        "enrichment": pending(AT),
    }


def memory_document(new: NewMemory) -> MemoryDocument:
    return {
        "_id": "memory",
        "sessionId": new.session_id,
        "firstSeq": 1,
        "lastSeq": len(new.messages),
        "tokenCount": 0,
        "metadata": new.metadata,
        "createdAt": AT,
        "idempotencyKey": "key",
        "payloadDigest": "d",
    }


@PURE
@given(named_memories())
def test_the_first_add_appends_everything(new: NewMemory) -> None:
    assert plan_add(new, ExistingDocuments(), EVERYTHING) == Append(tuple(new.messages), ())


@PURE
@given(named_memories())
def test_what_is_stored_merges_to_itself(new: NewMemory) -> None:
    assert merged_metadata({}, merged_metadata({}, new.metadata)) == merged_metadata({}, new.metadata)


def without_nulls(new: NewMemory) -> NewMemory:
    """The same as it reads after it was merged: a null removes a key, so metadata that is sent again has none."""
    messages = [replace(message, metadata=merged_metadata({}, message.metadata)) for message in new.messages]
    return replace(new, messages=messages, metadata=merged_metadata({}, new.metadata))


@PURE
@given(named_memories().map(without_nulls))
def test_the_same_messages_again_are_a_replay(new: NewMemory) -> None:
    known = stored(new)
    assert known.session is not None
    assert plan_add(new, known, EVERYTHING) == Replay("memory", known.session)


@PURE
@given(named_memories().map(without_nulls), st.data())
def test_changed_messages_are_an_update_of_exactly_these(new: NewMemory, data: st.DataObject) -> None:
    known = stored(new)
    chosen = data.draw(st.sets(st.integers(0, len(new.messages) - 1), min_size=1))
    messages = [
        replace(message, content=f"{message.content} changed", token_count=message.token_count + 3)
        if place in chosen
        else message
        for place, message in enumerate(new.messages)
    ]
    plan = plan_add(replace(new, messages=messages), known, EVERYTHING)
    assert isinstance(plan, Update)
    assert {old["_id"] for old, _ in plan.edits} == {new.messages[place].uuid for place in chosen}
    assert all(old == known.messages[message.uuid or ""] for old, message in plan.edits)
    assert tokens_added(plan.edits) == 3 * len(chosen)
    assert plan.session_changes == {}


@PURE
@given(named_memories().map(without_nulls), st.lists(MESSAGES, min_size=1, max_size=3))
def test_new_messages_beside_known_ones_are_appended(new: NewMemory, more: list[NewMessage]) -> None:
    plan = plan_add(replace(new, messages=[*new.messages, *more]), stored(new), EVERYTHING)
    assert plan == Append(tuple(more), ())
    assert tokens_added((), more) == sum(message.token_count for message in more)


@PURE
@given(named_memories().map(without_nulls), METADATA)
def test_the_session_changes_by_a_merge_and_never_twice(new: NewMemory, metadata: JSONObject) -> None:
    session = stored(new).session
    assert session is not None
    sent = replace(new, metadata=metadata)
    changed = cast("SessionDocument", {**session, **session_changes(session, sent, EVERYTHING)})
    assert changed["metadata"] == merged_metadata(session["metadata"], metadata)
    assert session_changes(changed, sent, EVERYTHING) == {}
    assert changed.get("userId") == new.user_id


def test_a_session_is_given_to_a_user_once() -> None:
    new = NewMemory("chat", [NewMessage("human", "hello", 1, uuid=UUIDS[0])])
    known = stored(new)
    plan = plan_add(replace(new, user_id="mia"), known, EVERYTHING)
    assert isinstance(plan, Update)
    assert (plan.edits, plan.session_changes) == ((), {"userId": "mia"})
    of_mia = stored(replace(new, user_id="mia"))
    with pytest.raises(Conflict, match="belongs to another user"):
        plan_add(replace(new, user_id="ben"), of_mia, EVERYTHING)


@PURE
@given(named_memories())
def test_an_idempotency_key_replays_its_payload_and_refuses_another(new: NewMemory) -> None:
    known = ExistingDocuments(earlier=memory_document(new), session=stored(new).session)
    assert known.session is not None
    assert plan_add(new, known, EVERYTHING) == Replay("memory", known.session)
    with pytest.raises(Conflict, match="another payload"):
        plan_add(replace(new, digest="other"), known, EVERYTHING)


def test_a_memory_from_before_digests_is_replayed() -> None:
    new = NewMemory("chat", [NewMessage("human", "hello", 1)], digest="d")
    earlier = memory_document(new)
    del earlier["payloadDigest"]
    assert isinstance(
        plan_add(new, ExistingDocuments(earlier=earlier, session=stored(new).session), EVERYTHING), Replay
    )


@PURE
@given(named_memories(), st.integers(0, 9))
def test_nothing_is_built_on_what_is_being_erased(new: NewMemory, erased_seq: int) -> None:
    known = stored(new)
    assert known.session is not None
    known.session["erasedSeq"] = erased_seq
    for case in (known, ExistingDocuments(earlier=memory_document(new), session=known.session)):
        if erased_seq >= 1:
            with pytest.raises(ErasureUnderWay):
                plan_add(new, case, EVERYTHING)
        with pytest.raises(ErasureUnderWay):
            plan_add(new, replace(case, session=None), EVERYTHING)


@PURE
@given(named_memories(), st.integers(0, 9))
def test_a_uuid_of_another_session_is_refused_unless_it_is_being_erased(new: NewMemory, erased_seq: int) -> None:
    message = message_document(new.messages[0], 5)
    session = stored(new).session
    assert session is not None
    session["erasedSeq"] = erased_seq
    expected = ErasureUnderWay if erased_seq >= 5 else Conflict
    with pytest.raises(expected):
        plan_add(new, ExistingDocuments(foreign=(message, session)), EVERYTHING)
    with pytest.raises(ErasureUnderWay):
        plan_add(new, ExistingDocuments(foreign=(message, None)), EVERYTHING)


@PURE
@given(named_memories())
def test_nothing_is_planned_in_a_session_that_the_caller_may_not_see(new: NewMemory) -> None:
    with pytest.raises(Forbidden):
        plan_add(new, stored(replace(new, user_id="ben")), Scope(user_id="mia"))
