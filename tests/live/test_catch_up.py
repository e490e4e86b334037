"""What followers read who were not told everything: all of it, page by page, by an index."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any

from pymongo.read_concern import ReadConcern
from starlette.applications import Starlette

from graph.live.memory import Memory
from graph.live.messages import MessagesAdded, MessagesUpdated, UpdatePlace
from graph.live.sessions import SessionsUpdated
from graph.store.database import Database
from graph.store.documents import now
from graph.store.driver.streams import change_stream, next_batch
from graph.store.driver.types import awaited
from graph.store.editing.edits import delete_message
from graph.store.feed import following
from graph.store.feed.changes import Change, Opened, watch
from graph.store.scope import EVERYTHING, Scope
from graph.store.sessions import delete_contents, delete_session
from graph.store.visible import Visible
from tests.support.commands import Commands
from tests.support.graphql_client import Client
from tests.support.live import add, url, watching
from tests.support.live_client import SESSIONS, UPDATED, Socket, socket_to
from tests.support.plans import assert_by_index
from tests.support.untyped import untyped


@asynccontextmanager
async def missing_events(app: Starlette, ids: set[str]) -> AsyncIterator[None]:
    """Lose the events of what happens in the block, as when the oplog no longer reaches back to it.

    Args:
        app: the app whose subscribers miss the events.
        ids: of the messages and sessions that change; the block ends when the events of all of them have been lost.
    """
    hub = app.state.backend.hub
    lost: set[str | None] = set()
    publish, hub._publish = (
        hub._publish,
        lambda _topic, _place, event, _committed=None: lost.add(event.get("uuid") or event.get("sessionId")),
    )
    yield
    async with asyncio.timeout(60):
        while not lost >= ids:  # noqa: ASYNC110 - the hub has no signal for an event that nobody gets
            await asyncio.sleep(0.05)
    hub._publish = publish
    hub._hand_out(Opened(hub.at, lost=True), lost=False)


async def received(socket: Socket, field: str, wanted: set[tuple[Any, ...]], *selected: str) -> set[tuple[Any, ...]]:
    """Read until all that is wanted has come. What changed just before may come once more."""
    told: set[tuple[Any, ...]] = set()
    while not told >= wanted:
        event = (await socket.data())[field]
        told.add(tuple(event[name] for name in selected))
    return told


async def test_all_edits_and_enrichments_are_told_however_many(
    client: Client, app: Starlette, database: Database
) -> None:
    for _ in range(3):
        await add(client, "s", 800)
    uuids = {message["_id"] for message in await database.messages.find({}, {"_id": 1})}
    async with socket_to(url(client)) as socket:
        await socket.subscribe(UPDATED, {"id": "s"})
        await watching(app)
        async with missing_events(app, uuids):
            at = now()
            changes = {"updatedAt": at, "editedAt": at, "sessionRevision": 9, "enrichment": {"state": "DONE", "at": at}}
            await database.messages.update_many({"sessionId": "s"}, {"$set": changes})
        wanted = {(kind, seq) for kind in ("EDITED", "ENRICHED") for seq in range(1, 2_401)}
        assert await received(socket, "messageUpdated", wanted, "kind", "seq") == wanted


async def test_all_changed_sessions_are_told_however_many(client: Client, app: Starlette, database: Database) -> None:
    await add(client, "0", userId="ada")
    (one,) = await database.sessions.find({})
    async with socket_to(url(client)) as socket:
        await socket.subscribe(SESSIONS, {"user": "ada"})
        await watching(app)
        at = now()
        others: list[dict[str, Any]] = [
            {**one, "_id": str(number), "uuid": f"{number:032}", "number": number + 1, "updatedAt": at}
            for number in range(1, 2_301)
        ]
        async with missing_events(app, {other["_id"] for other in others}):
            await untyped(database, "sessions").insert_many(others)
        wanted = {(str(number),) for number in range(2_301)}
        assert await received(socket, "sessionUpdated", wanted, "sessionId") == wanted


async def test_missed_deletions_are_told(client: Client, app: Starlette, database: Database) -> None:
    for name in ("kept", "gone"):
        await add(client, name, 5, userId="ada")
    found = await database.messages.find({"sessionId": "kept"}, sort=[("seq", 1)])
    async with socket_to(url(client)) as messages, socket_to(url(client)) as sessions:
        await messages.subscribe(UPDATED, {"id": "kept"})
        await sessions.subscribe(SESSIONS, {"user": "ada"})
        await watching(app, followers=2)
        async with missing_events(app, {found[1]["_id"], "gone"}):
            await delete_contents(database, EVERYTHING, "gone")
            await delete_session(database, EVERYTHING, "gone")
            await delete_message(database, EVERYTHING, found[1]["_id"])
        wanted: set[tuple[Any, ...]] = {("DELETED", 2)}
        assert await received(messages, "messageUpdated", wanted, "kind", "seq") == wanted
        wanted = {("DELETED", "gone"), ("CHANGED", "kept")}
        assert await received(sessions, "sessionUpdated", wanted, "kind", "sessionId") >= wanted


async def test_a_page_is_bounded_in_bytes(database: Database, client: Client) -> None:
    await add(client, "s", 40)
    await database.messages.update_many({"seq": {"$gt": 10}}, {"$set": {"content": "x" * 300_000}})
    seq, sizes = 0, []
    while True:
        page = await following.messages_after(database, Visible("s", seq), after=None)
        sizes.append((len(page.items), page.size))
        assert page.size <= following.PAGE_BYTES
        if page.end is None:
            break
        (seq,) = page.end
    assert sum(count for count, _ in sizes) == 40
    assert len(sizes) == 10  # three large ones each, the first with the small ones
    await database.messages.update_many({"seq": 3}, {"$set": {"content": "x" * 3_000_000}})
    assert len((await following.messages_after(database, Visible("s", 2), after=None)).items) == 1


async def test_every_read_is_by_an_index_in_its_order(client: Client, database: Database, commands: Commands) -> None:
    await add(client, "s", 300, userId="ada")
    at = now()
    changes = {"editedAt": at, "sessionRevision": 9, "enrichment": {"state": "DONE", "at": at}}
    await database.messages.update_many({}, {"$set": changes})
    since = at - timedelta(minutes=1)
    common: dict[str, Any] = {"database": database, "scope": EVERYTHING, "place": since}
    sources = [
        MessagesAdded(**{**common, "place": 0}, session_id="s", session_uuid=None),
        MessagesUpdated(**{**common, "place": UpdatePlace(0, since)}, session_id="s", session_uuid=None),
        SessionsUpdated(**common, user_id=None),
        SessionsUpdated(**{**common, "scope": Scope("ada")}, user_id="ada"),
    ]
    await add(client, "other", userId="ada")
    await delete_session(database, EVERYTHING, "other")
    with commands.recorded() as sent:
        for source in sources:
            async with aclosing(source.stored(Memory(), None)) as events:
                assert [event async for event in events]
    assert len(await assert_by_index(database, sent)) > 20


async def test_a_quiet_stream_s_token_moves_on_while_others_write(database: Database) -> None:
    """MongoDB counts what the pipeline held back, so that the token does not age out of the oplog of a busy cluster."""
    other = database.client.get_database(f"{database.name}_other")
    try:
        async with change_stream(database.client.get_database(database.name), [], max_await_time_ms=200) as stream:
            first = await next_batch(stream)
            await other.noise.insert_many([{"n": number} for number in range(100)])
            for _ in range(50):
                later = await next_batch(stream)
                assert later.events == []
                if later.token != first.token:
                    break
            assert later.token is not None
            assert later.token != first.token
            await untyped(database, "counters").insert_many([{"n": number} for number in range(250)])
            seen: list[Any] = []
            while len(seen) < 250:
                seen += (await next_batch(stream)).events
            assert [event["fullDocument"]["n"] for event in seen] == list(range(250))
    finally:
        await database.client.drop_database(other.name)


async def test_a_stream_that_saw_nothing_resumes_after_its_token(database: Database, commands: Commands) -> None:
    other = database.client.get_database(f"{database.name}_other")
    admin = database.client.admin
    async with aclosing(watch(database)) as changes:
        assert isinstance(await anext(changes), Opened)
        coming = asyncio.ensure_future(_take_all(changes))
        try:
            await other.noise.insert_one({})
            await asyncio.sleep(2.5)  # two looks at the stream
            with commands.recorded() as sent:
                async with asyncio.timeout(60):
                    while not (again := [body for name, body in sent if name == "aggregate" and _follows(body)]):
                        await _kill_cursors(admin, database.name)
                        await asyncio.sleep(0.1)
            (stage, *_) = again[0]["pipeline"]
            assert "resumeAfter" in stage["$changeStream"]
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            await database.client.drop_database(other.name)


async def _take_all(changes: AsyncIterator[Change | Opened]) -> None:
    """Take every change: the first may be of the emptying of the database, at the moment where the stream begins."""
    async for _ in changes:
        pass


def _follows(body: dict[str, Any]) -> bool:
    return "$changeStream" in body["pipeline"][0]


async def _kill_cursors(admin: Any, name: str) -> None:
    # The second is the name while a getMore waits, which is nearly always.
    spaces = [f"{name}.$cmd.aggregate", f"{name}.$cmd"]
    pipeline = [{"$currentOp": {"idleCursors": True, "allUsers": True}}, {"$match": {"ns": {"$in": spaces}}}]
    local = admin.with_options(read_concern=ReadConcern("local"))
    async for operation in await awaited(local.aggregate(pipeline)):
        cursor = operation.get("cursor", {}).get("cursorId")
        if cursor:
            await admin.client.get_database(name).command("killCursors", "$cmd.aggregate", cursors=[cursor])
