from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from graph.errors import Unavailable
from graph.store.database import Database
from graph.store.documents import Document, now
from graph.store.driver.collection import Collection, collection_of
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import Transaction
from graph.store.jobs.lease import Lease, Retries, renewing

LEASE = 60.0  # seconds


@pytest.fixture(params=["", "work"], ids=["in the document", "in a map"])
def lease(request: pytest.FixtureRequest) -> Lease:
    return Lease(request.param)


@pytest.fixture
def works(database: Database) -> Collection[Document]:
    return collection_of(database.client.get_database(database.name), "works", Document)


async def add(works: Collection[Document], lease: Lease, *names: str, ago: float = 0) -> None:
    state = {"dueAt": now() - timedelta(seconds=ago), "attempts": 0}
    await works.insert_many([{"_id": name, **({lease.path: state} if lease.path else state)} for name in names])


async def state(works: Collection[Document], lease: Lease, name: str = "a") -> Document:
    found = await works.find_one({"_id": name})
    assert found is not None
    return found.get(lease.path, {}) if lease.path else found


async def expire(works: Collection[Document], lease: Lease) -> None:
    await works.update_many({}, {"$set": {lease.field("dueAt"): now() - timedelta(milliseconds=1)}})


async def claimed(works: Collection[Document], lease: Lease, token: str) -> Any:
    found = await lease.claim_next(works, {}, token, seconds=LEASE, fields={})
    return None if found is None else found["_id"]


async def test_the_work_that_is_due_longest_is_claimed_first_and_only_once(
    works: Collection[Document], lease: Lease
) -> None:
    await add(works, lease, "a", ago=5)
    await add(works, lease, "b", ago=50)
    assert [await claimed(works, lease, token) for token in ("1", "2", "3")] == ["b", "a", None]


async def test_many_workers_claim_each_piece_of_work_once(works: Collection[Document], lease: Lease) -> None:
    names = [f"w{number}" for number in range(20)]
    await add(works, lease, *names)
    found = await asyncio.gather(*(claimed(works, lease, f"t{number}") for number in range(30)))
    assert sorted(name for name in found if name) == sorted(names)


async def test_one_claim_takes_several_which_others_then_miss(works: Collection[Document], lease: Lease) -> None:
    await add(works, lease, "a", "b", "c")
    match = {"_id": {"$in": ["a", "b"]}, **lease.due(now())}
    assert await lease.claim(works, match, "1", seconds=LEASE, also={lease.field("together"): 2}) == 2
    assert await lease.claim(works, match, "2", seconds=LEASE) == 0
    assert {work["_id"] for work in await works.find(lease.held("1"))} == {"a", "b"}
    assert (await state(works, lease))["together"] == 2


async def test_what_a_dead_worker_held_is_due_again_with_its_attempt_counted(
    works: Collection[Document], lease: Lease
) -> None:
    await add(works, lease, "a")
    assert await claimed(works, lease, "dead") == "a"
    await expire(works, lease)
    assert await claimed(works, lease, "next") == "a"
    assert (await state(works, lease))["attempts"] == 2
    assert not await lease.renew(works, lease.held("dead"), seconds=LEASE)  # it was only slow: it has nothing any more
    assert await lease.renew(works, lease.held("next"), seconds=LEASE)


async def test_a_late_worker_can_neither_release_nor_postpone_nor_end_the_work_of_another(
    works: Collection[Document], lease: Lease
) -> None:
    await add(works, lease, "a")
    await claimed(works, lease, "late")
    await expire(works, lease)
    await claimed(works, lease, "next")
    before = await works.find_one({})
    await lease.release(works, lease.held("late"))
    await lease.postpone(works, lease.held("late"), now())
    assert not await lease.end(works, lease.held("late"))
    assert await works.find_one({}) == before


async def test_a_renewed_lease_is_not_claimed(works: Collection[Document], lease: Lease) -> None:
    await add(works, lease, "a")
    await claimed(works, lease, "1")
    await expire(works, lease)
    assert await lease.renew(works, lease.held("1"), seconds=LEASE)
    assert await claimed(works, lease, "2") is None


async def test_work_that_was_released_is_due_at_once_and_its_attempt_is_taken_back(
    works: Collection[Document], lease: Lease
) -> None:
    await add(works, lease, "a")
    await lease.claim(works, lease.due(now()), "1", seconds=LEASE, also={lease.field("together"): 1})
    await lease.release(works, lease.held("1"), unset={lease.field("together"): ""})
    found = await state(works, lease)
    assert found["attempts"] == 0
    assert "lease" not in found
    assert "together" not in found
    assert await claimed(works, lease, "2") == "a"


async def test_postponed_work_is_due_later_and_its_attempt_counts(works: Collection[Document], lease: Lease) -> None:
    await add(works, lease, "a")
    await claimed(works, lease, "1")
    until = now() + timedelta(seconds=LEASE)
    await lease.postpone(works, lease.held("1"), until)
    found = await state(works, lease)
    assert (found["attempts"], found["dueAt"], "lease" in found) == (1, until, False)
    assert await claimed(works, lease, "2") is None


async def test_ended_work_is_not_due(works: Collection[Document], lease: Lease) -> None:
    await add(works, lease, "a")
    await claimed(works, lease, "1")
    assert await lease.end(works, lease.held("1"))
    assert await works.find_one({}) == {"_id": "a"}
    assert await claimed(works, lease, "2") is None


async def test_a_job_that_several_do_is_kept_from_other_runners_while_one_is_at_it(
    works: Collection[Document], lease: Lease
) -> None:
    await add(works, lease, "a")
    first = await lease.join(works, lease.due(now()), seconds=LEASE, unset={"importing": ""})
    assert first is not None
    assert await lease.join(works, lease.due(now()), seconds=LEASE) is None
    assert await lease.join(works, {"_id": "a"}, seconds=LEASE) is not None  # who must have it done joins
    await works.delete_one({"_id": "a"})
    assert await lease.join(works, {"_id": "a"}, seconds=LEASE) is None


async def test_a_renewal_is_part_of_a_transaction(
    works: Collection[Document], lease: Lease, database: Database
) -> None:
    await add(works, lease, "a")
    await claimed(works, lease, "1")
    before = await works.find_one({})

    async def attempt(tx: Transaction) -> None:
        assert await lease.renew(works, lease.held("1"), seconds=10 * LEASE, tx=tx)
        raise ValueError("the work failed")

    with pytest.raises(ValueError, match="the work failed"):
        await in_transaction(database.client, attempt, deadline=10)
    assert await works.find_one({}) == before


def test_failed_work_is_tried_again_after_pauses_that_double_up_to_five_minutes() -> None:
    retries = Retries(attempts=20, backoff=2.0)
    for attempts in range(1, 20):
        longest = min(300.0, 2.0 * 2 ** (attempts - 1))
        at = now()
        pauses = []
        for _ in range(50):
            due_at = retries.due_at(attempts)
            assert due_at is not None
            pauses.append((due_at - at).total_seconds())
        assert longest / 2 <= min(pauses)
        assert max(pauses) < longest + 60  # the machine may be slow
        assert len(set(pauses)) > 1, "without jitter, all workers would meet again"
    assert retries.due_at(20) is None
    assert Retries(attempts=1, backoff=2.0).due_at(1) is None


async def test_leases_are_renewed_until_the_block_ends_even_where_mongodb_was_away() -> None:
    renewals = asyncio.Queue[int]()
    number = 0

    async def renew() -> None:
        nonlocal number
        number += 1
        renewals.put_nowait(number)
        if number == 1:
            raise Unavailable("MongoDB is away")

    async with renewing(renew, seconds=0.1):
        for expected in (1, 2, 3):
            assert await asyncio.wait_for(renewals.get(), 10) == expected
    assert len([task for task in asyncio.all_tasks() if task is not asyncio.current_task()]) == 0
