"""Messages that are written piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.enrichment.tokens import load_counter
from graph.errors import OperationError
from graph.operations import streaming as operations
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.jobs import enrichment
from graph.store.jobs.batches import Limits
from graph.store.scope import EVERYTHING
from graph.store.streams.documents import Piece
from graph.store.streams.writing import MOST_BYTES, Appended, append_pieces, interrupt_silent
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.commands import Commands
from tests.support.contents import exported, imported
from tests.support.graphql_client import ADD, Client
from tests.support.live_client import socket_to
from tests.support.pieces import ABORT, APPEND, FINISH, MESSAGE, START, append, finish, pieces, started
from tests.support.untyped import untyped

READ = f"query($u: UUID!) {{ message(uuid: $u) {{ {MESSAGE} }} }}"
SESSION = f"""query {{ session(sessionId: "s") {{ messageCount tokenCount
  messages {{ edges {{ node {{ {MESSAGE} }} }} }} memories {{ edges {{ node {{ tokenCount }} }} }} }} }}"""


async def read(client: Client, uuid: str) -> Any:
    return (await client.data(READ, u=uuid))["message"]


async def assert_nothing_left(database: Database) -> None:
    assert await database.streams.find() == []
    assert await database.pieces.find() == []


async def test_a_message_is_written_in_pieces(client: Client, database: Database) -> None:
    message = await started(client, name="bot", metadata={"a": 1})
    assert (message["seq"], message["status"], message["content"], message["tokenCount"]) == (1, "STREAMING", "", 0)
    uuid = message["uuid"]
    assert await append(client, uuid, 0, "Hello") == 1
    assert await append(client, uuid, 1, ", wor", "ld") == 3
    assert (await read(client, uuid))["content"] == ""
    finished = await finish(client, uuid, metadata={"b": 2})
    assert (finished["content"], finished["status"], finished["name"]) == ("Hello, world", "COMPLETE", "bot")
    assert finished["metadata"] == {"a": 1, "b": 2}
    tokens = await load_counter().count_message_async("assistant", "Hello, world")
    assert finished["tokenCount"] == tokens
    assert finished["revision"] > message["revision"]
    session = (await client.data(SESSION))["session"]
    assert (session["messageCount"], session["tokenCount"]) == (1, tokens)
    assert session["memories"]["edges"][0]["node"]["tokenCount"] == tokens
    assert await read(client, uuid) == finished
    await assert_nothing_left(database)


async def test_the_number_is_assigned_at_the_start(client: Client) -> None:
    first = await started(client)
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "user", "content": "stop"}]})
    second = await started(client)
    await finish(client, second["uuid"], content="two")
    await finish(client, first["uuid"], content="one")
    nodes = [edge["node"] for edge in (await client.data(SESSION))["session"]["messages"]["edges"]]
    assert [(node["seq"], node["content"]) for node in nodes] == [(1, "one"), (2, "stop"), (3, "two")]


async def test_a_start_with_the_same_uuid_changes_nothing(client: Client) -> None:
    uuid = str(uuid4())
    await started(client, uuid=uuid)
    await append(client, uuid, 0, "a")
    again = (await client.data(START, i={"sessionId": "s", "role": "assistant", "uuid": uuid}))["startMessage"]
    assert again["replayed"]
    assert again["session"]["messageCount"] == 1
    assert await append(client, uuid, 1, "b") == 2
    finished = await finish(client, uuid)
    assert finished["content"] == "ab"
    again = (await client.data(START, i={"sessionId": "s", "role": "assistant", "uuid": uuid}))["startMessage"]
    assert (again["replayed"], again["message"]) == (True, finished)
    error = await client.error(START, i={"sessionId": "s", "role": "tool", "uuid": uuid})
    assert error["code"] == "CONFLICT"
    other = await client.error(START, i={"sessionId": "other", "role": "assistant", "uuid": uuid})
    assert other["code"] == "CONFLICT"


async def test_a_message_that_was_added_whole_can_not_be_started(client: Client) -> None:
    uuid = str(uuid4())
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "assistant", "content": "x", "uuid": uuid}]})
    error = await client.error(START, i={"sessionId": "s", "role": "assistant", "uuid": uuid})
    assert error["code"] == "CONFLICT"
    assert (await client.error(APPEND, i=pieces(uuid, 0, "y")))["extensions"]["status"] == "COMPLETE"
    assert (await client.error(FINISH, i={"uuid": uuid, "content": "z"}))["code"] == "CONFLICT"
    assert (await read(client, uuid))["content"] == "x"


async def test_gaps_are_refused_and_repeats_are_ignored(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a", "b")
    gap = await client.error(APPEND, i=pieces(uuid, 3, "d"))
    assert (gap["code"], gap["extensions"]["expectedIndex"]) == ("CONFLICT", 2)
    assert await append(client, uuid, 0, "a") == 2
    assert await append(client, uuid, 1, "b", "c") == 3
    other = await client.error(APPEND, i=pieces(uuid, 1, "B", "c", "d"))
    assert (other["code"], other["extensions"]["expectedIndex"]) == ("CONFLICT", 3)
    assert (await finish(client, uuid))["content"] == "abc"


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [{"index": -1, "text": "a"}],
        [{"index": 0, "text": "a"}, {"index": 2, "text": "b"}],
        [{"index": 0, "text": "a" * (operations.MAX_PIECE_BYTES + 1)}],
        [{"index": index, "text": ""} for index in range(operations.MAX_PIECES_AT_ONCE + 1)],
        [{"index": index, "text": "a" * operations.MAX_PIECE_BYTES} for index in range(17)],
        [{"index": 0, "text": "\ud800"}],
        [{"index": 0, "text": "a", "data": "a" * (operations.MAX_PIECE_BYTES + 1)}],
        [{"index": index, "text": "", "data": "a" * operations.MAX_PIECE_BYTES} for index in range(17)],
        [{"index": 0, "text": "a", "data": "\ud800"}],
    ],
    ids=[
        *("no piece", "negative", "holes", "long piece", "many pieces", "long message", "surrogate"),
        *("long data", "much data", "surrogate in data"),
    ],
)
async def test_wrong_pieces_are_refused_and_change_nothing(client: Client, sent: list[dict[str, Any]]) -> None:
    uuid = (await started(client))["uuid"]
    error = await client.error(APPEND, i={"uuid": uuid, "pieces": sent})
    assert error["code"] == "BAD_USER_INPUT"
    assert (await finish(client, uuid))["content"] == ""


async def test_the_pieces_together_are_bounded(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    half = ["a" * operations.MAX_PIECE_BYTES] * 8
    assert len("".join(half)) * 2 == MOST_BYTES
    await append(client, uuid, 0, *half)
    await append(client, uuid, 8, *half)
    assert (await client.error(APPEND, i=pieces(uuid, 16, "a")))["code"] == "BAD_USER_INPUT"
    assert len((await finish(client, uuid))["content"]) == MOST_BYTES


async def test_data_is_beside_the_text(client: Client, database: Database) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a")
    assert await append(client, uuid, 1, "b", "c", data="\0{}") == 3
    assert await append(client, uuid, 1, "b", "c", data="\0{}") == 3
    others: list[dict[str, str]] = [{}, {"data": ""}, {"data": "{}"}]
    for other in others:
        error = await client.error(APPEND, i=pieces(uuid, 2, "c", **other))
        assert (error["code"], error["extensions"]["expectedIndex"]) == ("CONFLICT", 3)
        assert "another data" in error["message"]
    assert (await finish(client, uuid))["content"] == "abc"
    await assert_nothing_left(database)


async def test_a_finished_message_ends_once(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "pieces")
    finished = await finish(client, uuid, content="all of it")
    assert finished["content"] == "all of it"
    assert await finish(client, uuid, content="all of it") == finished == await finish(client, uuid)
    error = await client.error(FINISH, i={"uuid": uuid, "content": "another"})
    assert (error["code"], error["extensions"]["status"]) == ("CONFLICT", "COMPLETE")
    assert (await client.error(ABORT, i={"uuid": uuid}))["code"] == "CONFLICT"
    assert (await client.error(APPEND, i=pieces(uuid, 1, "x")))["extensions"]["status"] == "COMPLETE"


async def test_an_aborted_message_keeps_the_pieces_that_came(client: Client, database: Database) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "as far", " as this")
    aborted = (await client.data(ABORT, i={"uuid": uuid}))["abortMessage"]["message"]
    assert (aborted["status"], aborted["content"]) == ("ABORTED", "as far as this")
    assert (await client.data(ABORT, i={"uuid": uuid}))["abortMessage"]["message"] == aborted
    assert (await client.error(FINISH, i={"uuid": uuid}))["extensions"]["status"] == "ABORTED"
    await assert_nothing_left(database)


async def test_a_message_is_finished_with_parts(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "Hi")
    parts = [{"type": "text", "text": "Hi"}, {"type": "tool-call", "toolName": "weather", "args": {"city": "Rome"}}]
    finished = await finish(client, uuid, parts=parts)
    assert (finished["content"], finished["parts"]) == ("Hi", parts)
    assert finished["tokenCount"] > await load_counter().count_message_async("assistant", "Hi")


async def test_of_two_writers_each_piece_is_stored_once(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    texts = [f"{number} " for number in range(30)]

    async def write() -> None:
        for index, text in enumerate(texts):
            await append(client, uuid, index, text)

    await asyncio.gather(write(), write())
    assert (await finish(client, uuid))["content"] == "".join(texts)


async def test_of_two_writers_with_other_texts_one_is_refused(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    answers = await asyncio.gather(*(client.send(APPEND, i=pieces(uuid, 0, text)) for text in "ab"))
    (refused,) = [answer for answer in answers if "errors" in answer]
    assert refused["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert (await finish(client, uuid))["content"] in {"a", "b"}


def appending(database: Database, uuid: str, index: int, *texts: str) -> asyncio.Task[Appended]:
    given = [Piece(place, text) for place, text in enumerate(texts, index)]
    due = now() + timedelta(seconds=60)
    return asyncio.ensure_future(append_pieces(database, EVERYTHING, uuid, given, due))


async def outcomes(*tasks: asyncio.Task[Appended]) -> list[Any]:
    """The next index of each append, or the error's `expectedIndex`, negative, or its code."""
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    found: list[Any] = []
    for answer in answers:
        if isinstance(answer, Appended):
            found.append(answer.next_index)
        else:
            assert isinstance(answer, OperationError), answer
            found.append(-answer.extensions["expectedIndex"] if "expectedIndex" in answer.extensions else answer.code)
    return found


async def test_appends_that_wait_are_stored_together(client: Client, database: Database, commands: Commands) -> None:
    uuid = (await started(client))["uuid"]
    with commands.recorded() as sent:
        calls = [appending(database, uuid, 2 * number, f"{number} ", "") for number in range(40)]
        assert await outcomes(*calls) == [2 * number + 2 for number in range(40)]
    names = [name for name, _ in sent]
    assert [names.count("commitTransaction"), names.count("insert")] == [1, 1]
    assert await outcomes(*(appending(database, uuid, 2 * number, f"{number} ", "") for number in range(41))) == [
        *[80] * 40,
        82,
    ]
    assert (await finish(client, uuid))["content"] == "".join(f"{number} " for number in range(41))
    await assert_nothing_left(database)


async def test_each_of_the_appends_that_wait_has_its_own_answer(client: Client, database: Database) -> None:
    uuid = (await started(client))["uuid"]
    sent = [(0, "a"), (1, "b"), (1, "B"), (2, "c"), (2, "c"), (3, "d"), (5, "f"), (6, "g"), (0, "a"), (4, "e")]
    calls = [appending(database, uuid, index, text) for index, text in sent]
    assert await outcomes(*calls) == [1, 2, -2, 3, 3, 4, -4, -4, 4, 5]
    assert (await finish(client, uuid))["content"] == "abcde"
    assert await outcomes(*(appending(database, uuid, index, "x") for index in (5, 6))) == ["CONFLICT", "CONFLICT"]


async def test_of_the_appends_that_wait_those_up_to_the_maximum_are_stored(client: Client, database: Database) -> None:
    uuid = (await started(client))["uuid"]
    large = "a" * operations.MAX_PIECE_BYTES
    calls = [appending(database, uuid, index, large) for index in range(18)]
    assert await outcomes(*calls) == [*range(1, 17), "BAD_USER_INPUT", -16]
    assert len((await finish(client, uuid))["content"]) == MOST_BYTES


@pytest.mark.parametrize("cancelled", [0, 1, 5])
async def test_an_append_that_is_given_up_takes_no_other_with_it(
    client: Client, database: Database, cancelled: int
) -> None:
    uuid = (await started(client))["uuid"]
    texts = [f"{index} " for index in range(20)]
    calls = [appending(database, uuid, index, text) for index, text in enumerate(texts)]
    await asyncio.sleep(0)
    calls[cancelled].cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert await outcomes(*(appending(database, uuid, index, text) for index, text in enumerate(texts)))
    assert (await finish(client, uuid))["content"] == "".join(texts)


async def test_nothing_is_extracted_and_found_before_the_end(client: Client, database: Database) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "Octavia Butler")
    limits = Limits(messages=10, tokens=1_000, attempts=5)
    assert (await enrichment.claim(database, limits, lease_seconds=60)).messages == []
    search = '{ search(query: "Octavia", mode: LEXICAL) { edges { node { uuid } } } }'
    assert (await client.data(search))["search"]["edges"] == []
    await finish(client, uuid)
    (held,) = (await enrichment.claim(database, limits, lease_seconds=60)).messages
    assert held["content"] == "Octavia Butler"
    assert [edge["node"]["uuid"] for edge in (await client.data(search))["search"]["edges"]] == [uuid]


async def test_new_content_by_an_edit_ends_the_stream(client: Client, database: Database) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "first")
    update = f"mutation($i: UpdateMessageInput!) {{ updateMessage(input: $i) {{ message {{ {MESSAGE} }} }} }}"
    renamed = (await client.data(update, i={"uuid": uuid, "metadata": {"a": 1}}))["updateMessage"]["message"]
    assert (renamed["status"], renamed["metadata"]) == ("STREAMING", {"a": 1})
    assert await append(client, uuid, 1, "second") == 2
    edited = (await client.data(update, i={"uuid": uuid, "content": "other"}))["updateMessage"]["message"]
    assert (edited["status"], edited["content"]) == ("COMPLETE", "other")
    assert (await client.error(APPEND, i=pieces(uuid, 2, "x")))["extensions"]["status"] == "COMPLETE"
    await assert_nothing_left(database)


@pytest.mark.parametrize(
    "deletion",
    [
        "deleteMessage(input: { uuid: $u }) { deletedId }",
        'popMessage(input: { sessionId: "s" }) { deletedId }',
        'replaceFrom(input: { sessionId: "s", seq: 1, messages: [{ role: "user", content: "n" }] }) { deletedIds }',
        'deleteMemory(input: { sessionId: "s" }) { deletedId }',
        'deleteSession(input: { sessionId: "s" }) { deletedId }',
        'deleteUser(input: { userId: "ann" }) { deletedId }',
    ],
)
async def test_a_deletion_takes_the_pieces(client: Client, database: Database, deletion: str) -> None:
    uuid = (await started(client, userId="ann"))["uuid"]
    await append(client, uuid, 0, "secret")
    declared = "($u: UUID!)" if "$u" in deletion else ""
    await client.data(f"mutation{declared} {{ {deletion} }}", **({"u": uuid} if declared else {}))
    async with asyncio.timeout(60):
        while await database.erasures.find_one({}) is not None:  # noqa: ASYNC110 - another task's work
            await asyncio.sleep(0.05)
    assert (await client.error(APPEND, i=pieces(uuid, 1, "x")))["code"] == "NOT_FOUND"
    assert (await client.error(FINISH, i={"uuid": uuid}))["code"] == "NOT_FOUND"
    await assert_nothing_left(database)


async def test_a_silent_stream_is_interrupted_with_what_there_is(client: Client, database: Database) -> None:
    silent, other = (await started(client))["uuid"], (await started(client))["uuid"]
    await append(client, silent, 0, "half of ")
    await append(client, other, 0, "going on")
    await untyped(database, "streams").update_one({"_id": silent}, {"$set": {"dueAt": now()}})
    assert await interrupt_silent(database, load_counter().count_message_async) == 1
    assert await interrupt_silent(database, load_counter().count_message_async) == 0
    message = await read(client, silent)
    assert (message["status"], message["content"]) == ("INTERRUPTED", "half of ")
    assert message["tokenCount"] == await load_counter().count_message_async("assistant", "half of ")
    error = await client.error(APPEND, i=pieces(silent, 1, "the answer"))
    assert (error["code"], error["extensions"]["status"]) == ("CONFLICT", "INTERRUPTED")
    assert (await read(client, other))["status"] == "STREAMING"


async def test_the_server_interrupts_silent_streams(mongodb_uri: str, settings: Settings, database: Database) -> None:
    async with served_with(settings, mongodb_uri, stream_timeout=2.0) as client:
        uuid = (await started(client))["uuid"]
        await append(client, uuid, 0, "half")
        async with asyncio.timeout(60):
            while (await read(client, uuid))["status"] == "STREAMING":  # noqa: ASYNC110 - another task's work
                await asyncio.sleep(0.1)
        assert ((await read(client, uuid))["status"], (await read(client, uuid))["content"]) == ("INTERRUPTED", "half")
    await assert_nothing_left(database)


@pytest.fixture
async def ada(mongodb_uri: str, settings: Settings, database: Database) -> AsyncIterator[Client]:
    """A client of the end user Ada; users may write the roles user and human."""
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        yield as_caller(client, token("ada"))


async def test_end_users_write_their_own_roles_in_their_own_sessions(ada: Client, database: Database) -> None:
    assert (await ada.error(START, i={"sessionId": "s", "role": "assistant"}))["code"] == "FORBIDDEN"
    chosen = str(uuid4())
    message = await started(ada, role="user", uuid=chosen)
    assert message["uuid"] != chosen
    assert await append(ada, chosen, 0, "dictated") == 1
    as_caller(ada, token("ben"))
    for uuid in (chosen, message["uuid"]):
        assert (await ada.error(APPEND, i=pieces(uuid, 1, "x")))["code"] == "NOT_FOUND"
        assert (await ada.error(FINISH, i={"uuid": uuid}))["code"] == "NOT_FOUND"
        assert (await ada.error(ABORT, i={"uuid": uuid}))["code"] == "NOT_FOUND"
    assert (await ada.error(START, i={"sessionId": "s", "role": "user"}))["code"] == "FORBIDDEN"
    as_caller(ada, token("ada"))
    assert (await finish(ada, chosen))["content"] == "dictated"


async def test_an_end_user_does_not_end_what_an_assistant_writes(ada: Client, database: Database) -> None:
    _, key = await create_key(database, "app", Right.WRITE)
    as_caller(ada, key)
    uuid = (await started(ada, userId="ada"))["uuid"]
    await append(ada, uuid, 0, "answer")
    as_caller(ada, token("ada"))
    for query, sent in ((APPEND, pieces(uuid, 1, "x")), (FINISH, {"uuid": uuid}), (ABORT, {"uuid": uuid})):
        assert (await ada.error(query, i=sent))["code"] == "FORBIDDEN"
    as_caller(ada, key)
    assert (await finish(ada, uuid))["content"] == "answer"


async def test_an_export_of_a_message_that_is_being_written_is_imported_as_interrupted(
    client: Client, database: Database, target: Database
) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "half")
    await imported(target, await exported(database))
    (message,) = await target.messages.find()
    assert (message["_id"], message["status"], message["content"]) == (uuid, "INTERRUPTED", "")
    assert message["enrichment"]["state"] == "PENDING"
    assert message["enrichment"]["dueAt"] <= now()


async def test_appends_over_one_socket_need_not_wait_for_their_answers(client: Client) -> None:
    total, window = 400, 40
    uuid = (await started(client))["uuid"]
    answers: dict[str, Any] = {}
    async with socket_to(str(client.http.base_url)) as socket:
        sent = completed = 0
        while completed < total:
            while sent < total and sent - completed < window:
                await socket.subscribe(APPEND, {"i": pieces(uuid, sent, f"{sent} ")}, str(sent))
                sent += 1
            message = await socket.receive()
            if message["type"] == "complete":
                completed += 1
            else:
                answers[message["id"]] = message["payload"]["data"]["appendMessage"]["nextIndex"]
    assert answers == {str(index): index + 1 for index in range(total)}
    assert (await finish(client, uuid))["content"] == "".join(f"{index} " for index in range(total))


async def test_an_append_takes_few_commands(client: Client, commands: Commands) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a")
    with commands.recorded() as sent:
        await append(client, uuid, 1, "b", "c")
    assert [name for name, _ in sent] == ["find", "find", "findAndModify", "insert", "commitTransaction"]
