"""Subscriptions: what is stored and what comes live, without a seam."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette

from graph.app import create_app
from graph.errors import BadUserInput, Forbidden
from graph.live.group import MOST_KEPT_BYTES, MOST_WAITING_BYTES, Group
from graph.live.memory import Memory
from graph.live.source import Feed
from graph.operations.following import messages_added, messages_updated, sessions_updated
from graph.settings import Settings
from graph.store.database import Database
from graph.store.editing.edits import delete_message
from graph.store.feed.changes import Opened
from graph.store.jobs import summarising
from graph.store.scope import EVERYTHING, Scope
from graph.store.sessions import delete_contents, delete_session
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client, serving
from tests.support.live import add, error, url, watching
from tests.support.live_client import ADDED, SESSIONS, UPDATED, Socket, socket_to

CREATE_SESSION = "mutation C($input: CreateSessionInput!) { createSession(input: $input) { session { sessionId } } }"
DELETE_SESSION = "mutation D($id: ID!) { deleteSession(input: {sessionId: $id}) { deletedSessionId } }"


async def session_update(socket: Socket) -> tuple[str, str, int | None]:
    """The kind of the next change of a session, its id, and how many messages it has by now."""
    update = (await socket.data())["sessionUpdated"]
    return update["kind"], update["sessionId"], update["session"] and update["session"]["messageCount"]


async def test_stored_messages_come_first_then_live_ones(client: Client) -> None:
    await add(client, "s", 5)
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s", "after": 2})
        assert await socket.seqs(3) == [3, 4, 5]
        await add(client, "s", 2)
        assert await socket.seqs(2) == [6, 7]


async def test_without_after_seq_only_new_messages_come(client: Client, app: Starlette) -> None:
    await add(client, "s", 3)
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s"})
        await watching(app)
        await add(client, "s")
        assert await socket.seqs(1) == [4]


async def test_an_unknown_session_comes_to_life(client: Client, app: Starlette) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "later"})
        await watching(app)
        await add(client, "other")
        await add(client, "later", 2)
        assert await socket.seqs(2) == [1, 2]


async def test_a_message_of_another_server_arrives(client: Client, mongodb_uri: str, settings: Settings) -> None:
    async with serving(create_app(settings, mongodb_uri)) as other, socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s", "after": 0})
        await add(other, "s", 2)
        assert await socket.seqs(2) == [1, 2]


async def test_writers_never_leave_a_seam_between_stored_and_live(client: Client) -> None:
    """Subscribers come at every moment of a burst of writes, and each gets each message once, in order."""
    total = 60

    async def write() -> None:
        for _ in range(total // 3):
            await add(client, "busy")

    async def follow(delay: float, after: int) -> list[int]:
        await asyncio.sleep(delay)
        async with socket_to(url(client)) as socket:
            await socket.subscribe(ADDED, {"id": "busy", "after": after})
            return await socket.seqs(total - after)

    await add(client, "busy")
    await add(client, "other")
    total += 1
    followers = [follow(number * 0.01, number % 2) for number in range(40)]
    *seen, _, _, _ = await asyncio.gather(*followers, write(), write(), write())
    for number, seqs in enumerate(seen):
        assert seqs == list(range(number % 2 + 1, total + 1))


async def test_the_change_stream_is_open_while_somebody_follows(client: Client, app: Starlette) -> None:
    hub = app.state.backend.hub
    assert not hub.is_watching
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s"}, "1")
        await socket.subscribe(ADDED, {"id": "s"}, "2")
        await watching(app, followers=2)
        await socket.send(id="1", type="complete")
        await asyncio.sleep(0.05)
        assert hub.is_watching
        await add(client, "s")
        assert (await socket.receive())["id"] == "2"
        await socket.send(id="2", type="complete")
        for _ in range(100):
            if not hub.is_watching:
                break
            await asyncio.sleep(0.02)
        assert not hub.is_watching


async def test_mongodb_ends_its_look_before_a_closed_service_is_gone(
    client: Client, app: Starlette, commands: Commands
) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s"})
        await watching(app)
        await add(client, "s")
        assert await socket.seqs(1) == [1]  # so that the stream is being read
        hub = app.state.backend.hub
        with commands.recorded() as sent:
            hub.drain()
            for _ in range(1_000_000):
                if not hub.is_watching:  # the last follower has gone
                    break
                await asyncio.sleep(0)
            await hub.close()
        assert "killCursors" in [name for name, _ in sent]


async def test_a_slow_subscriber_loses_nothing(client: Client, app: Starlette) -> None:
    """One that does not read for a while falls out of the payloads that are kept, and reads the store."""
    count = 600
    async with socket_to(url(client)) as fast, socket_to(url(client)) as slow:
        for socket in (fast, slow):
            await socket.subscribe(ADDED, {"id": "s", "after": 0})
        messages = [{"role": "human", "content": "x" * 20_000} for _ in range(50)]
        for _ in range(count // 50):
            await client.data(ADD, input={"sessionId": "s", "messages": messages})
        assert await fast.seqs(count) == list(range(1, count + 1))
        (group,) = app.state.backend.hub._feeds[Feed.ADDED]["s"].values()
        assert not group.reaches_back_to(count // 2)
        assert group._entries_bytes <= MOST_KEPT_BYTES
        assert await slow.seqs(count) == list(range(1, count + 1))


async def test_edits_and_finished_enrichments_are_told(client: Client, app: Starlette, database: Database) -> None:
    await add(client, "s", 2)
    found = await database.messages.find({"sessionId": "s"}, sort=[("seq", 1)])
    async with socket_to(url(client)) as socket:
        await socket.subscribe(UPDATED, {"id": "s"})
        await watching(app)
        again = {"uuid": found[0]["_id"], "role": "human", "content": "edited"}
        await client.data(ADD, input={"sessionId": "s", "messages": [again]})
        update = (await socket.data())["messageUpdated"]
        assert update == {"kind": "EDITED", "uuid": found[0]["_id"], "seq": 1, "message": {"content": "edited"}}
        await database.messages.update_one({"_id": found[1]["_id"]}, {"$set": {"enrichment": {"state": "DONE"}}})
        update = (await socket.data())["messageUpdated"]
        assert update["kind"] == "ENRICHED"
        assert update["seq"] == 2


async def test_a_list_of_sessions_stays_fresh(client: Client, app: Starlette) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(SESSIONS, {"user": "ada"})
        await watching(app)
        await add(client, "of nobody")
        await add(client, "of bob", userId="bob")
        await add(client, "of ada", 2, userId="ada")
        assert await session_update(socket) == ("CREATED", "of ada", 2)
        await add(client, "of ada")
        assert await session_update(socket) == ("CHANGED", "of ada", 3)
        for name in ("of bob", "of ada"):
            await client.data(DELETE_SESSION, id=name)
        assert await session_update(socket) == ("DELETED", "of ada", None)
        await add(client, "of ada", userId="ada")
        assert await session_update(socket) == ("CREATED", "of ada", 1)


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [2, 150])
async def test_the_sessions_of_a_deleted_user_leave_a_list(client: Client, app: Starlette, sessions: int) -> None:
    for number in range(sessions):
        await client.data(CREATE_SESSION, input={"sessionId": f"s{number}", "userId": "ada"})
    async with socket_to(url(client)) as all_users, socket_to(url(client)) as user:
        await all_users.subscribe(SESSIONS, {})
        await user.subscribe(SESSIONS, {"user": "ada"})
        await watching(app, followers=2)
        await client.data('mutation { deleteUser(input: {userId: "ada"}) { deletedUserId } }')
        wanted = {("DELETED", f"s{number}", None) for number in range(sessions)}
        for socket in (all_users, user):
            updates: set[tuple[str, str, int | None]] = set()
            while not updates >= wanted:  # the last of the changes before may come, too
                updates.add(await session_update(socket))


async def test_a_deletion_is_the_last_word_on_a_session(client: Client, app: Starlette) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(SESSIONS, {"user": "ada"})
        await watching(app)
        for number in range(30):
            await add(client, f"s{number}", userId="ada")
            await client.data(DELETE_SESSION, id=f"s{number}")
        await add(client, "last", userId="ada")
        last: dict[str, str] = {}
        while "last" not in last:
            kind, session_id, _ = await session_update(socket)
            last[session_id] = kind
        assert set(last.values()) == {"DELETED", "CREATED"}
        assert {name for name, kind in last.items() if kind == "CREATED"} == {"last"}


async def test_a_session_that_becomes_due_for_a_summary_is_no_news(
    client: Client, app: Starlette, database: Database
) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(SESSIONS, {"user": "ada"})
        await watching(app)
        await add(client, "s", 12, userId="ada")
        assert await session_update(socket) == ("CREATED", "s", 12)
        await summarising.mark_due(database, 12)
        due = await summarising.claim_session(database, lease_seconds=60)
        assert due
        await summarising.renew_session(database, due, lease_seconds=60)
        await summarising.give_up(database, due)
        await asyncio.sleep(0.5)  # in which it would be told
        await add(client, "s")
        assert await session_update(socket) == ("CHANGED", "s", 13)


async def test_events_that_wait_to_be_executed_are_bounded_in_bytes() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def execute(_event: Any) -> str:
        begun.set()
        await go_on.wait()
        return ""

    memory = Memory()
    group = Group(execute, memory)
    for seq in range(1, 101):
        group.publish(seq, memory.event({"seq": seq, "content": str(seq % 10) * 2**20, "metadata": {"list": ["x"]}}))
        assert group._waiting_bytes <= MOST_WAITING_BYTES
        assert len(group._waiting) < 17
    group.place_follower(None, group.incoming - 1)
    await begun.wait()
    assert not group.reaches_back_to(50)  # who is there reads the store
    go_on.set()
    async with asyncio.timeout(20):
        while group._waiting:  # noqa: ASYNC110 - the group's own task
            await asyncio.sleep(0.01)
    assert group._waiting_bytes == 0
    assert group.kept(group.incoming - 1) is not None
    group.publish(101, memory.event({"content": "x" * 2 * MOST_WAITING_BYTES}))
    assert len(group._waiting) == 1
    group.close()


async def test_deletions_are_told_and_leave_ids_alone(client: Client, app: Starlette, database: Database) -> None:
    await add(client, "s", 3)
    found = await database.messages.find({"sessionId": "s"}, sort=[("seq", 1)])
    async with socket_to(url(client)) as socket:
        await socket.subscribe(UPDATED, {"id": "s"})
        await watching(app)
        await delete_message(database, EVERYTHING, found[1]["_id"])
        update = (await socket.data())["messageUpdated"]
        assert update == {"kind": "DELETED", "uuid": found[1]["_id"], "seq": 2, "message": None}
        await delete_contents(database, EVERYTHING, "s")
        update = (await socket.data())["messageUpdated"]
        assert update == {"kind": "CLEARED", "uuid": None, "seq": 3, "message": None}
    tombstones = await database.deletions.find({}, {"_id": 0, "at": 0, "expiresAt": 0}, sort=[("at", 1)])
    common = {"sessionId": "s", "partOfMany": False}
    assert tombstones == [
        {**common, "kind": "MESSAGE", "uuid": found[1]["_id"], "seq": 2, "sessionRevision": 2},
        {**common, "kind": "CONTENTS", "seq": 3, "sessionRevision": 3},
    ]


async def test_nothing_is_told_of_what_is_being_erased(client: Client, app: Starlette, database: Database) -> None:
    """While most of a session has been cleared, and still stands in the collection."""
    await add(client, "s", 1_000)
    await add(client, "s", 1)
    (old,) = await database.messages.find({"seq": 7})
    done = {"$set": {"enrichment": {"state": "DONE"}}}
    async with socket_to(url(client)) as socket:
        await socket.subscribe(UPDATED, {"id": "s"})
        await watching(app)
        assert await delete_contents(database, EVERYTHING, "s") is not None
        assert (await socket.data())["messageUpdated"]["kind"] == "CLEARED"
        await database.messages.update_one({"_id": old["_id"]}, done)
        await add(client, "s")
        await database.messages.update_one({"seq": 1_002}, done)
        update = (await socket.data())["messageUpdated"]
        assert (update["kind"], update["seq"]) == ("ENRICHED", 1_002)


async def test_holes_of_deleted_messages_hold_nobody_up(client: Client, database: Database) -> None:
    await add(client, "s", 6)
    found = await database.messages.find({"sessionId": "s"}, sort=[("seq", 1)])
    for index in (1, 4, 5):
        await delete_message(database, EVERYTHING, found[index]["_id"])
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s", "after": 0})
        assert await socket.seqs(3) == [1, 3, 4]
        await add(client, "s")
        assert await socket.seqs(1) == [7]
        await delete_contents(database, EVERYTHING, "s")
        await add(client, "s")
        assert await socket.seqs(1) == [8]


async def test_a_deleted_session_completes_its_subscriptions(
    client: Client, app: Starlette, database: Database
) -> None:
    await add(client, "s")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s", "after": 0}, "1")
        assert await socket.seqs(1) == [1]
        await delete_session(database, EVERYTHING, "s")
        assert await socket.receive() == {"id": "1", "type": "complete"}
        await socket.subscribe(ADDED, {"id": "s", "after": 0}, "2")
        await watching(app)
        await add(client, "s", 2)
        assert await socket.seqs(2) == [1, 2]


async def test_another_users_sessions_list_is_forbidden(client: Client, app: Starlette) -> None:
    backend, ada = app.state.backend, Scope("ada")
    with pytest.raises(Forbidden):
        await sessions_updated(backend, ada, "bob")
    assert (await sessions_updated(backend, ada)).user_id == "ada"


async def test_another_users_session_can_t_be_told_from_one_that_does_not_exist(client: Client, app: Starlette) -> None:
    backend, ada = app.state.backend, Scope("ada")
    await add(client, "of bob", 3, userId="bob")
    await add(client, "nobody's")
    refusals, sources = set(), set()
    for session_id in ("of bob", "later", "nobody's"):
        with pytest.raises(BadUserInput) as refused:
            await messages_added(backend, ada, session_id, 1)
        refusals.add(str(refused.value))
        added = await messages_added(backend, ada, session_id)
        updated = await messages_updated(backend, ada, session_id)
        sources.add((added.place, added.session_uuid, added.is_visible))
        sources.add((updated.place.revision, updated.session_uuid, updated.is_visible))
    assert len(refusals) == 1
    assert sources == {(0, None, False)}


async def test_subscribers_with_one_request_share_its_execution(client: Client, app: Starlette) -> None:
    """Also when they start at different places."""
    async with socket_to(url(client)) as socket:
        for number in range(10):
            await socket.subscribe(ADDED, {"id": "s", "after": 0}, str(number))
        await socket.subscribe(ADDED, {"id": "s"}, "from now on")
        await socket.subscribe(ADDED.replace("content", "uuid"), {"id": "s"}, "another")
        await watching(app, followers=12)
        groups = app.state.backend.hub._feeds[Feed.ADDED]["s"]
        assert sorted(group.followers for group in groups.values()) == [1, 11]


async def test_a_subscription_sees_the_database_as_it_is_at_each_event(client: Client) -> None:
    query = """
        subscription S($id: ID!) {
          messageAdded(sessionId: $id, afterSeq: 0) { session { messageCount memory { messages { seq } } } }
        }
    """
    async with socket_to(url(client)) as socket:
        await socket.subscribe(query, {"id": "s"})
        for count in (1, 2, 3):
            await add(client, "s")
            session = (await socket.data())["messageAdded"]["session"]
            assert session == {"messageCount": count, "memory": {"messages": [{"seq": n + 1} for n in range(count)]}}


async def test_operations_of_one_socket_share_no_look_ups(client: Client) -> None:
    query = "query Q($id: ID!) { session(sessionId: $id) { memory { session { messageCount } } } }"
    async with socket_to(url(client)) as socket:
        for count in (1, 2):
            await add(client, "s")
            await socket.subscribe(query, {"id": "s"}, str(count))
            assert (await socket.data())["session"]["memory"]["session"] == {"messageCount": count}
            assert (await socket.receive())["type"] == "complete"


async def test_after_the_oplog_is_lost_subscribers_read_the_store(client: Client, app: Starlette) -> None:
    """As `Opened(lost=True)` makes the hub do; the oplog itself is outrun in the slow tests."""
    hub = app.state.backend.hub
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s", "after": 0})
        await watching(app)
        lost = asyncio.Queue[None]()
        publish, hub._publish = hub._publish, lambda *_: lost.put_nowait(None)
        await add(client, "s", 3)
        for _ in range(3):
            await asyncio.wait_for(lost.get(), 30)
        hub._publish = publish
        hub._hand_out(Opened(hub.at, lost=True), lost=False)
        assert await socket.seqs(3) == [1, 2, 3]
        await add(client, "s")
        assert await socket.seqs(1) == [4]


@pytest.mark.parametrize(
    ("after", "part"),
    [(-1, "afterSeq must be 0 or more, not -1"), (4, "the last message of the session is 3")],
)
async def test_a_wrong_after_seq_is_refused(client: Client, after: int, part: str) -> None:
    await add(client, "s", 3)
    async with socket_to(url(client)) as socket:
        code, message = await error(socket, ADDED, {"id": "s", "after": after})
        assert code == "BAD_USER_INPUT"
        assert part in message


async def test_the_hundred_and_first_operation_of_a_connection_is_refused(client: Client) -> None:
    async with socket_to(url(client)) as socket:
        for number in range(100):
            await socket.subscribe(ADDED, {"id": "s"}, str(number))
        code, message = await error(socket, ADDED, {"id": "s"})
        assert code == "TOO_COSTLY"
        assert "100 operations run on this connection" in message
        await socket.send(id="0", type="complete")
        await socket.subscribe("{ __typename }", {}, "again")
        assert (await socket.receive())["payload"] == {"data": {"__typename": "Query"}}


async def unchanged(event: Any) -> Any:
    return event
