"""The entities of sessions and users, compared with a recount from the messages after all that happens to them."""

from __future__ import annotations

import asyncio

import pytest

from graph.store import sessions
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import EntityDocument
from graph.store.jobs import enrichment, erasure, handover
from graph.store.jobs.enrichment import Outcome
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from tests.support.commands import Commands
from tests.support.mentions import LIMITS, Life, expire_leases, read_once, recount, shown


@pytest.fixture(params=["at once", "by jobs"])
def deletions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletions and gifts to users do all in their transaction, or leave jobs, which others then meet."""
    if request.param == "by jobs":
        monkeypatch.setattr(erasure, "SMALL", 0)
        monkeypatch.setattr(erasure, "SESSIONS_AT_ONCE", 2)
        monkeypatch.setattr(erasure, "ENTITIES_AT_ONCE", 0)
        monkeypatch.setattr(erasure, "BATCH", 3)
        monkeypatch.setattr(handover, "ENTITIES_AT_ONCE", 0)
        monkeypatch.setattr(handover, "BATCH", 3)


@pytest.mark.usefixtures("deletions")
@pytest.mark.parametrize("seed", range(3))
async def test_entities_equal_a_recount_after_every_step(database: Database, seed: int) -> None:
    life = Life(database, seed)
    for _ in range(60):
        await life.step()
        assert await shown(database) == await recount(database)


@pytest.mark.usefixtures("deletions")
@pytest.mark.parametrize("seed", range(3))
async def test_entities_equal_a_recount_after_deletions_that_died(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Processes that ended after the transaction of a deletion or a gift, and before what it has to do next."""

    async def die(_database: Database, _job: str) -> None:
        return

    monkeypatch.setattr(erasure, "ENTITIES_AT_ONCE", 0)
    monkeypatch.setattr(erasure, "forget_entities", die)
    monkeypatch.setattr(handover, "ENTITIES_AT_ONCE", 0)
    monkeypatch.setattr(handover, "settle", die)
    lives = [Life(database, 200 * seed + number) for number in range(3)]

    async def live(life: Life) -> None:
        for _ in range(25):
            await life.step()
            if life.random.random() < 0.1:
                await life.clear_any()

    await asyncio.gather(*map(live, lives))
    while await read_once(database):
        continue
    await expire_leases(database)
    while await erasure.run_pending(database) + await handover.run_pending(database):
        continue
    assert await shown(database) == await recount(database)


@pytest.mark.usefixtures("deletions")
@pytest.mark.parametrize("seed", range(2))
async def test_entities_equal_a_recount_after_many_at_once(database: Database, seed: int) -> None:
    lives = [Life(database, 100 * seed + number) for number in range(5)]

    async def live(life: Life) -> None:
        for _ in range(25):
            await life.step()

    await asyncio.gather(*map(live, lives))
    while await read_once(database):
        continue
    assert await shown(database) == await recount(database)
    await expire_leases(database)
    while await erasure.run_pending(database):
        continue
    assert await shown(database) == await recount(database)
    assert not await database.messages.count_documents({"enrichment.state": "PENDING"})
    left = await database.entities.distinct("owner")
    there = [f"s:{owner['_id']}" for owner in await database.sessions.find()]
    there += [f"u:{user['_id']}" for user in await database.users.find()]
    assert set(left) <= set(there)


async def test_the_users_entities_that_a_session_shares_are_looked_up_together(
    database: Database, commands: Commands
) -> None:
    """Else a session that shares thousands of them with another could not be deleted in one transaction."""
    counts = []
    for number in (20, 60):
        user_id = f"u{number}"
        for session_id in (f"a{number}", f"b{number}"):
            await add_memory(
                database, EVERYTHING, NewMemory(session_id, [NewMessage("human", "x", 1)], user_id=user_id)
            )
            held = await enrichment.claim(database, LIMITS, lease_seconds=60)
            found: list[EntityDocument] = [
                {"key": f"ORG:{n}", "name": str(n), "label": "ORG", "matches": [{"start": 0, "end": 1, "text": "x"}]}
                for n in range(number)
            ]
            await enrichment.complete(database, held.lease, [Outcome(held.uuids[0], 1, found)])
        with commands.recorded() as sent:
            await sessions.delete_session(database, EVERYTHING, f"b{number}")
        counts.append(len(sent))
        assert await shown(database) == await recount(database)
    assert counts[0] == counts[1]
