"""Forks: new sessions with the first messages of others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.errors import NotFound, Unavailable
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.forking import forks
from graph.store.jobs import erasure, forking
from graph.store.jobs.pending import keep_running
from graph.store.scope import Scope
from graph.store.sessions import delete_session
from graph.store.transfer.documents import Contents
from graph.store.transfer.staging import Staging
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client
from tests.support.mentions import read_once, recount, shown

FORK = """mutation($i: ForkSessionInput!) { forkSession(input: $i) { replayed session {
  sessionId uuid messageCount forkedFrom { sessionId seq } } } }"""
STATE = "query($id: ID!) { fork(newSessionId: $id) { newSessionId sessionId throughSeq state progress reason } }"
READ = """query($id: ID!) { session(sessionId: $id) {
  title metadata messageCount tokenCount revision readSeq unreadCount user { userId } forkedFrom { sessionId seq }
  messages(first: 100) { edges { node { uuid seq createdAt role name toolCallId content parts metadata tokenCount
    entities { name } enrichment { state } } } }
  memories { edges { node { uuid createdAt tokenCount metadata messages { uuid } } } }
  entities { edges { node { name mentionCount firstSeenAt lastSeenAt } } } } }"""
DELETE = "mutation($uuid: UUID!) { deleteMessage(input: { uuid: $uuid }) { deletedId } }"
MARK = 'mutation { markRead(input: { sessionId: "s", seq: 3 }) { session { readSeq } } }'
TITLE = 'mutation { updateSession(input: { sessionId: "s", title: "Names" }) { session { title } } }'


async def add(client: Client, *contents: str, session_id: str = "s", **more: Any) -> list[dict[str, Any]]:
    messages = [{"role": "user", "content": content, "metadata": {"n": content}} for content in contents]
    sent = {"sessionId": session_id, "messages": messages, **more}
    found: list[dict[str, Any]] = (await client.data(ADD, input=sent))["addMemory"]["memory"]["messages"]
    return found


async def fork(client: Client, through_seq: int, new: str = "t", source: str = "s", **more: Any) -> dict[str, Any]:
    sent = {"sessionId": source, "throughSeq": through_seq, "newSessionId": new, **more}
    payload: dict[str, Any] = (await client.data(FORK, i=sent))["forkSession"]
    return payload


async def refused(client: Client, through_seq: int, new: str = "t", source: str = "s", **more: Any) -> tuple[str, str]:
    sent = {"sessionId": source, "throughSeq": through_seq, "newSessionId": new, **more}
    error = await client.error(FORK, i=sent)
    return error["code"], error["message"]


async def read(client: Client, session_id: str) -> dict[str, Any]:
    """A session, with lists in place of connections."""
    session: dict[str, Any] = (await client.data(READ, id=session_id))["session"]
    for name in ("messages", "memories", "entities"):
        session[name] = [edge["node"] for edge in session[name]["edges"]]
    return session


async def enriched(database: Database) -> None:
    while await read_once(database):
        continue


async def test_the_messages_up_to_a_number_are_copied(client: Client, database: Database) -> None:
    first, *_ = await add(client, "0 1", "1 7", metadata={"kept": True}, userId="ada")
    rich = {
        "role": "tool",
        "name": "weather",
        "toolCallId": "c1",
        "content": "4 4",
        "parts": [{"type": "text", "text": "4 4"}],
        "createdAt": "2024-05-01T10:00:00.000Z",
    }
    await client.data(ADD, input={"sessionId": "s", "messages": [rich, {"role": "ai", "content": "9 0"}]})
    await client.data(DELETE, uuid=first["uuid"])
    await client.data(TITLE)
    await client.data(MARK)
    await enriched(database)
    before = await read(client, "s")
    payload = await fork(client, 3)
    origin = {"sessionId": "s", "seq": 3}
    assert (payload["replayed"], payload["session"]["messageCount"], payload["session"]["forkedFrom"]) == (
        False,
        2,
        origin,
    )
    assert await read(client, "s") == before
    copied = await read(client, "t")
    assert (copied["title"], copied["metadata"], copied["user"]) == ("Names", {"kept": True}, {"userId": "ada"})
    assert (copied["readSeq"], copied["unreadCount"], copied["revision"]) == (2, 0, 1)
    assert copied["tokenCount"] == sum(message["tokenCount"] for message in before["messages"][:2])
    old, new = before["messages"][:2], copied["messages"]
    assert [message.pop("seq") for message in new] == [1, 2]
    assert [message.pop("seq") for message in old] == [2, 3]
    uuids = [message.pop("uuid") for message in new]
    assert not {message.pop("uuid") for message in old} & set(uuids)
    assert new == old
    assert all(message["enrichment"] == {"state": "DONE"} for message in new)
    assert [memory["messages"] for memory in copied["memories"]] == [[{"uuid": uuid}] for uuid in uuids]
    for memory, source, message in zip(copied["memories"], before["memories"], new, strict=True):
        assert (memory["createdAt"], memory["metadata"]) == (source["createdAt"], source["metadata"])
        assert memory["tokenCount"] == message["tokenCount"]
        assert memory["uuid"] != source["uuid"]
    assert {entity["name"] for entity in copied["entities"]} == {
        name["name"] for one in new for name in one["entities"]
    }
    assert await shown(database) == await recount(database)
    waiting = await database.recall.find({"sessionId": "t"}, sort=[("seq", 1)])
    assert [found["_id"] for found in waiting] == uuids
    assert not any("vector" in found for found in waiting)
    (added,) = await add(client, "7", session_id="t")
    assert added["seq"] == 3
    await client.data(DELETE, uuid=uuids[0])
    assert await shown(database) == await recount(database)


async def test_messages_that_wait_for_their_entities_get_them(client: Client, database: Database) -> None:
    await add(client, "0 1", "7")
    await fork(client, 2)
    assert {message["enrichment"]["state"] for message in (await read(client, "t"))["messages"]} == {"PENDING"}
    await enriched(database)
    copied = await read(client, "t")
    assert [len(message["entities"]) for message in copied["messages"]] == [2, 1]
    assert await shown(database) == await recount(database)


async def test_a_fork_is_summarised_like_another_session(client: Client, database: Database) -> None:
    await add(client, *["0"] * 20)
    await fork(client, 20)
    session = await database.sessions.find_one({"_id": "t"})
    assert session is not None
    assert session["summarising"]["attempts"] == 0
    assert session["summarySeq"] == 0


async def test_a_fork_that_is_sent_again_changes_nothing(client: Client) -> None:
    await add(client, "0", "1", "4")
    answers = await asyncio.gather(*(fork(client, 2) for _ in range(5)))
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 4
    assert len({answer["session"]["uuid"] for answer in answers}) == 1
    await add(client, "7", session_id="t")
    before = await read(client, "t")
    assert (await fork(client, 2))["replayed"]
    assert await read(client, "t") == before
    in_use = "newSessionId is 't', and this session exists already: choose another id"
    assert await refused(client, 3) == ("CONFLICT", in_use)
    assert await refused(client, 1, new="s") == ("CONFLICT", in_use.replace("'t'", "'s'"))
    again = await fork(client, 1, new="u", source="t")
    assert again["session"]["forkedFrom"] == {"sessionId": "t", "seq": 1}


async def test_wrong_forks_are_refused(client: Client, database: Database) -> None:
    await add(client, "0", userId="ada")
    assert (await refused(client, 0))[0] == "BAD_USER_INPUT"
    later = "throughSeq is 2, and the newest message has 1: send the seq of a message"
    assert await refused(client, 2) == ("BAD_USER_INPUT", later)
    assert (await refused(client, 1, new=""))[0] == "BAD_USER_INPUT"
    assert (await refused(client, 1, source="none"))[0] == "NOT_FOUND"
    assert (await refused(client, 1, userId="bob"))[0] == "CONFLICT"
    assert await database.sessions.find_one({"_id": "t"}) is None
    await add(client, "0", session_id="nobodys")
    await fork(client, 1, new="given", source="nobodys", userId="ada")
    assert (await read(client, "given"))["user"] == {"userId": "ada"}


@pytest.fixture
def _unbegun(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large fork is made when the test runs its job, and not before."""
    monkeypatch.setattr(forks, "MOST_AT_ONCE", 5)
    monkeypatch.setattr(forking, "AT_ONCE", 2)
    monkeypatch.setattr(forking, "begin", lambda _database: None)


unbegun = pytest.mark.usefixtures("_unbegun")
begin_jobs, run_jobs = forking.begin, forking.run_pending
"""Before the fixture `client` starts a server, whose own look for jobs must not take those of the test."""


@pytest.fixture
def _unlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_database: Database) -> int:
        return 0

    monkeypatch.setattr(forking, "run_pending", nothing)


@pytest.fixture
async def large(_unlooked: None, _unbegun: None, client: Client, database: Database) -> Client:
    """A client, and a session `s` of 8 messages in 3 memories, with entities."""
    await add(client, "0 1", "1 7", "2 2", metadata={"kept": True}, userId="ada")
    await add(client, "3 1")
    await add(client, "4 4", "5 1", "6 0", "7 0")
    await client.data(TITLE)
    await client.data(MARK)
    await enriched(database)
    return client


async def state(client: Client, new: str = "t") -> dict[str, Any] | None:
    found: dict[str, Any] | None = (await client.data(STATE, id=new))["fork"]
    return found


async def left(database: Database, session_id: str = "t") -> dict[str, int]:
    """What is stored of a session, visible or not."""
    within = {"sessionId": session_id}
    counts = {
        name: await getattr(database, name).count_documents(within)
        for name in ("messages", "memories", "recall", "entities", "erasures")
    }
    return {name: count for name, count in counts.items() if count}


async def test_a_large_fork_is_made_by_a_job(large: Client, database: Database) -> None:
    payload = await fork(large, 7)
    assert (payload["session"], payload["replayed"]) == (None, False)
    making = {"newSessionId": "t", "sessionId": "s", "throughSeq": 7, "state": "MAKING", "progress": 0, "reason": None}
    assert await state(large) == making
    assert (await fork(large, 7))["replayed"]
    assert (await refused(large, 6))[0] == "CONFLICT"
    assert (await large.data('{ session(sessionId: "t") { uuid } }'))["session"] is None
    assert await run_jobs(database) == 1
    assert await state(large) == {**making, "state": "DONE", "progress": 1}
    made, source = await read(large, "t"), await read(large, "s")
    assert (await fork(large, 7))["session"]["uuid"]
    assert [message.pop("seq") for message in made["messages"]] == [1, 2, 3, 4, 5, 6, 7]
    originals = source["messages"][:7]
    assert not {one.pop("uuid") for one in made["messages"]} & {one.pop("uuid") for one in originals}
    assert made["messages"] == [{key: one[key] for key in made["messages"][0]} for one in originals]
    assert [len(memory["messages"]) for memory in made["memories"]] == [3, 1, 3]
    assert [memory["metadata"] for memory in made["memories"]] == [{"kept": True}, {}, {}]
    assert (made["title"], made["messageCount"], made["revision"]) == ("Names", 7, 1)
    assert (made["readSeq"], made["user"]) == (3, {"userId": "ada"})
    assert made["tokenCount"] == sum(message["tokenCount"] for message in made["messages"])
    assert await shown(database) == await recount(database)
    assert await database.forks.count_documents({}) == 0


async def test_a_fork_whose_maker_died_is_made_once(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fork(large, 8)

    async def killed(*_arguments: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(Staging, "finish", killed)
        with pytest.raises(asyncio.CancelledError):
            await run_jobs(database)
    assert (await left(database))["messages"] == 8
    assert (await large.data('{ session(sessionId: "t") { uuid } sessions { totalCount } }')) == {
        "session": None,
        "sessions": {"totalCount": 1},
    }
    made = await state(large)
    assert made is not None
    assert (made["state"], made["progress"]) == ("MAKING", 1)
    error = await large.error(ADD, input={"sessionId": "t", "messages": [{"role": "user", "content": "x"}]})
    assert (error["code"], "is being made by forkSession" in error["message"]) == ("CONFLICT", True)
    assert await run_jobs(database) == 0  # the dead maker still holds the job
    await database.forks.update_one({"_id": "t"}, {"$set": {"dueAt": now()}})
    assert await run_jobs(database) == 1
    assert (await left(database))["messages"] == 8
    assert "erasures" not in await left(database)
    assert (await read(large, "t"))["messageCount"] == 8


@unbegun
async def test_a_fork_costs_the_messages_that_it_copies(
    settings: Settings, mongodb_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.request.budget._PERIOD", 1e6)  # seconds: nothing is given back during the test
    given = {"jwt_secret": SecretStr(SECRET), "user_budget": 120}
    async with served_with(settings, mongodb_uri, **given) as client:
        for user, least in (("ada", 3), ("bob", 9)):
            _, key = await create_key(database, f"backend of {user}", Right.WRITE)
            as_caller(client, key)
            await add(client, *["0"] * least, session_id=user, userId=user)
            as_caller(client, token(user))
            made = 0
            while True:
                sent = {"sessionId": user, "throughSeq": least, "newSessionId": f"{user} {made}"}
                answer = await client.send(FORK, i=sent)
                if "errors" in answer:
                    break
                made += 1
                if made == 1:
                    assert (await client.data(FORK, i=sent))["forkSession"]["replayed"]  # copies nothing
            (error,) = answer["errors"]
            assert error["extensions"]["code"] == "TOO_COSTLY"
            assert await database.sessions.count_documents({"_id": f"{user} {made}"}) == 0
            assert await database.forks.count_documents({"_id": f"{user} {made}"}) == 0
            own = 13  # of the mutation, its payload and its objects
            assert (error["extensions"]["cost"]["requested"], made) == (
                (own, 6) if user == "ada" else (least, 4)  # 120 less a replay, in parts of 16 or 22
            )


DELETIONS = {
    "the source": 'mutation { deleteSession(input: { sessionId: "s" }) { deletedId } }',
    "the user": 'mutation { deleteUser(input: { userId: "ada" }) { deletedId } }',
    "the fork": 'mutation { deleteSession(input: { sessionId: "t" }) { deletedId } }',
}


@pytest.mark.parametrize(
    ("deleted", "after"),
    [
        ("the source", "add"),
        ("the user", "begin"),
        ("the user", "add"),
        ("the fork", "add"),
        ("the fork", "_add_entities"),
    ],
)
async def test_a_fork_of_what_was_deleted_meanwhile_leaves_nothing(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch, deleted: str, after: str
) -> None:
    await fork(large, 8)
    work = getattr(Staging, after)
    answers = []

    async def delete_then(self: Staging, *arguments: Any) -> None:
        await work(self, *arguments)
        answers.append(await large.send(DELETIONS[deleted]))

    monkeypatch.setattr(Staging, after, delete_then)
    await run_jobs(database)
    assert "errors" not in answers[0]
    found = await state(large)
    if deleted == "the source":
        assert found is not None
        assert (found["state"], found["reason"]) == ("FAILED", "the session with the messages was deleted")
    else:
        assert found is None
    async with asyncio.timeout(20):
        while await left(database):  # noqa: ASYNC110 - another task's work
            await asyncio.sleep(0.05)
    await add(large, "0", session_id="t")
    assert (await read(large, "t"))["messageCount"] == 1


@pytest.mark.parametrize("deleted", ["the user", "the fork"])
async def test_a_fork_that_is_deleted_before_its_making_is_not_made(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch, deleted: str
) -> None:
    await fork(large, 8)
    begin_staging = Staging.begin

    async def delete_first(self: Staging, *arguments: Any) -> None:
        await large.data(DELETIONS[deleted])
        await begin_staging(self, *arguments)

    monkeypatch.setattr(Staging, "begin", delete_first)
    await run_jobs(database)
    assert (await left(database), await state(large)) == ({}, None)
    await large.error(DELETIONS["the fork"])


async def test_the_forks_under_way_are_counted_before_the_messages_are_read(
    large: Client, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "MOST_UNDER_WAY", 2)
    for new in ("t", "u"):
        await fork(large, 8, new=new)
    with commands.recorded() as sent:
        code, message = await refused(large, 8, new="v")
    assert (code, "2 forks of the user's sessions" in message) == ("TOO_COSTLY", True)
    assert [name for name, command in sent if command[name] == "messages"] == []
    assert (await fork(large, 8, new="u"))["replayed"]


async def test_a_fork_without_the_memories_of_its_messages_fails(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "LOOK_PAUSE", 0.001, raising=False)
    await fork(large, 8)
    await database.memories.delete_one({"sessionId": "s", "firstSeq": 5})
    async with asyncio.timeout(20):
        assert await run_jobs(database) == 1
    found = await state(large)
    assert found is not None
    reason = "messages to copy have no memory, or are being deleted: send forkSession again"
    assert (found["state"], found["reason"], await left(database)) == ("FAILED", reason, {})


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RuntimeError("secret"), "an internal error, which the log of the server has"),
        (Unavailable("MongoDB does not answer"), "MongoDB does not answer"),
        (asyncio.CancelledError(), "the end of its process"),
    ],
)
async def test_a_fork_that_fails_each_time_says_the_cause(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch, error: BaseException, cause: str
) -> None:
    monkeypatch.setattr(forking, "MOST_ATTEMPTS", 2)
    await fork(large, 8)

    async def fail(*_arguments: object) -> None:
        raise error

    for attempt in (Unavailable("MongoDB failed before"), error):
        error = attempt
        with monkeypatch.context() as patched:
            patched.setattr(Staging, "finish", fail)
            with pytest.raises(type(error)):
                await run_jobs(database)
        await database.forks.update_one({"_id": "t"}, {"$set": {"dueAt": now()}})
    await run_jobs(database)
    found = await state(large)
    assert found is not None
    reason = f"2 attempts to make the fork failed; the cause of the last: {cause}"
    assert (found["state"], found["reason"], await left(database)) == ("FAILED", reason, {})
    assert not (await fork(large, 8))["replayed"]


async def test_a_fork_whose_id_was_taken_says_so(large: Client, database: Database) -> None:
    await fork(large, 8)
    await add(large, "mine", session_id="t")
    await run_jobs(database)
    found = await state(large)
    assert found is not None
    assert found["reason"] == "session 't' was created meanwhile: choose another newSessionId"
    assert (await read(large, "t"))["messageCount"] == 1


async def test_a_fork_whose_copies_were_erased_says_so(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fork(large, 8)
    add_portion = Staging.add

    async def erase_then(self: Staging, contents: Contents) -> None:
        await add_portion(self, contents)
        await erasure.finish(database, erasure.session_job("t"))

    monkeypatch.setattr(Staging, "add", erase_then)
    await run_jobs(database)
    found = await state(large)
    assert found is not None
    assert found["reason"] == "the copied messages were erased before the last was copied: send forkSession again"
    assert await left(database) == {}


async def test_the_bytes_of_a_large_fork_are_bounded(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = await database.messages.aggregate([{"$project": {"bytes": {"$bsonSize": "$$ROOT"}}}])
    size = sum(one["bytes"] for one in sizes)
    monkeypatch.setattr(forking, "SIZES_AT_ONCE", 3, raising=False)
    monkeypatch.setattr(forking, "MOST_COPIED_BYTES", size - 1, raising=False)
    for seq, new in ((8, "t"), (7, "u")):
        await fork(large, seq, new=new)
    await run_jobs(database)
    found = await state(large)
    assert found is not None
    assert (found["state"], f"more than {size - 1:,} bytes" in (found["reason"] or "")) == ("FAILED", True)
    assert await left(database) == {}
    assert (await read(large, "u"))["messageCount"] == 7


async def test_a_portion_of_a_fork_has_few_bytes(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "AT_ONCE", 100)
    await add(large, "x " * 12_500, "y " * 10_000, "z", "a " * 10_500)
    pipeline: list[dict[str, Any]] = [
        {"$match": {"seq": {"$lte": 9}}},
        {"$project": {"bytes": {"$bsonSize": "$$ROOT"}}},
    ]
    size = sum(one["bytes"] for one in await database.messages.aggregate(pipeline))
    monkeypatch.setattr(forking, "PORTION_BYTES", size, raising=False)
    await fork(large, 12)
    add_portion, portions = Staging.add, []

    async def noted(self: Staging, contents: Contents) -> None:
        portions.append(len(contents.messages))
        await add_portion(self, contents)

    monkeypatch.setattr(Staging, "add", noted)
    await run_jobs(database)
    assert portions == [9, 2, 1, 0]
    assert (await read(large, "t"))["messageCount"] == 12


async def test_a_fork_is_cancelled_within_the_scope_alone(large: Client, database: Database) -> None:
    await fork(large, 8)
    with pytest.raises(NotFound):
        await delete_session(database, Scope("bob"), "t")
    assert await state(large) is not None
    await delete_session(database, Scope("ada"), "t")
    assert await state(large) is None


async def test_a_fork_that_takes_long_stops_no_other_job(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fork(large, 8)
    add_portion, copying, go_on, looked = Staging.add, asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait_first(self: Staging, contents: Contents) -> None:
        copying.set()
        await go_on.wait()
        await add_portion(self, contents)

    async def look() -> None:
        if copying.is_set():
            looked.set()

    monkeypatch.setattr(Staging, "add", wait_first)
    monkeypatch.setattr(forking, "begin", begin_jobs)
    monkeypatch.setattr(forking, "run_pending", run_jobs)
    looks = asyncio.create_task(keep_running(database, ("looks", look), pause=0.01))
    try:
        async with asyncio.timeout(20):
            await copying.wait()
            await looked.wait()
            go_on.set()
            while (made := await state(large)) and made["state"] == "MAKING":  # noqa: ASYNC110 - another task's work
                await asyncio.sleep(0.01)
    finally:
        looks.cancel()
    assert (await read(large, "t"))["messageCount"] == 8


async def test_the_forks_of_users_are_made_in_turn(
    large: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("bob", "cleo"):
        await add(large, *"012345", session_id=user, userId=user)
    order = []
    begin_staging = Staging.begin

    async def noted(self: Staging, *arguments: Any) -> None:
        order.append(self._session_id)
        await begin_staging(self, *arguments)

    monkeypatch.setattr(Staging, "begin", noted)
    for new, source in (("a1", "s"), ("a2", "s"), ("a3", "s"), ("b1", "bob"), ("b2", "bob"), ("c1", "cleo")):
        await fork(large, 6, new=new, source=source)
    assert await run_jobs(database) == 6
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_a_large_fork_follows_the_path_of_its_request(large: Client, database: Database) -> None:
    history = (await read(large, "s"))["messages"]
    sent = [{"role": "user", "content": "other", "parentUuid": history[4]["uuid"]}]
    await large.data(ADD, input={"sessionId": "s", "messages": sent})
    await fork(large, 9)
    head = 'mutation($head: UUID!) { updateSession(input: { sessionId: "s", head: $head }) { session { uuid } } }'
    await large.data(head, head=history[7]["uuid"])
    await run_jobs(database)
    assert [one["content"] for one in (await read(large, "t"))["messages"]] == [
        "0 1",
        "1 7",
        "2 2",
        "3 1",
        "4 4",
        "other",
    ]


@pytest.mark.slow
async def test_the_size_of_a_fork_is_bounded(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1_000, 1):
        await add(client, *["0"] * number, session_id="long")
    for _ in range(17):
        sent = {"sessionId": "large", "messages": [{"role": "user", "content": "x" * 1_000_000}]}
        await client.data(ADD, input=sent)
    assert (await fork(client, 1_000, source="long"))["session"]["messageCount"] == 1_000
    for source, seq in (("long", 1_001), ("large", 17)):
        assert (await fork(client, seq, new=f"{source} fork", source=source))["session"] is None
        async with asyncio.timeout(60):
            while (made := await state(client, f"{source} fork")) and made["state"] == "MAKING":  # noqa: ASYNC110 - another task's work
                await asyncio.sleep(0.05)
        assert (await read(client, f"{source} fork"))["messageCount"] == seq
    monkeypatch.setattr(forks, "MOST_COPIED", 1_000)
    code, message = await refused(client, 1_001, new="u", source="long")
    assert (code, "more than 1,000" in message) == ("BAD_USER_INPUT", True)
    assert await database.sessions.find_one({"_id": "u"}) is None


async def test_end_users_fork_their_own_sessions_under_their_own_ids(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, key = await create_key(database, "backend", Right.WRITE)
    given = {"jwt_secret": SecretStr(SECRET), "jwt_session_prefix": "chat:{sub}:"}
    async with served_with(settings, mongodb_uri, **given) as client:
        as_caller(client, key)
        for user in ("ada", "bob"):
            await add(client, "0", session_id=user, userId=user)
        as_caller(client, token("ada"))
        assert (await fork(client, 1, "chat:ada:1", "ada"))["session"]["messageCount"] == 1
        refusals = {await refused(client, 1, new, "ada") for new in ("chat:bob:1", "new", "bob")}
        assert refusals == {("FORBIDDEN", "the sessionId of a new session must begin with 'chat:ada:'")}
        for seq in (1, 9):
            errors = [await refused(client, seq, "chat:ada:2", source) for source in ("bob", "none")]
            assert errors == [("NOT_FOUND", f"there is no session '{name}'") for name in ("bob", "none")]
        assert (await refused(client, 1, "chat:ada:2", "ada", userId="bob"))[0] == "FORBIDDEN"
        assert await database.sessions.count_documents({}) == 3
