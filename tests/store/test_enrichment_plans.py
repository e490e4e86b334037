"""What a worker asks MongoDB is answered from an index."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from graph.errors import Conflict
from graph.store.database import Database
from graph.store.documents import now
from graph.store.expiry import expired_within
from tests.support.mentions import Life, read_once

pytestmark = pytest.mark.new_database

AT = {"$lte": now()}

SPANS = [(7, 8)]
QUERIES: list[tuple[str, dict[str, Any], list[tuple[str, int]]]] = [
    ("messages", {"enrichment.state": "PENDING", "enrichment.dueAt": AT}, [("enrichment.dueAt", 1)]),
    ("messages", {"enrichment.state": "PENDING"}, [("enrichment.dueAt", 1)]),
    ("messages", {"enrichment.state": "PENDING"}, [("createdAt", 1)]),
    ("messages", {"enrichment.state": "FAILED"}, []),
    ("messages", {"sessionId": "s1", "enrichment.state": "FAILED"}, []),
    ("messages", {"sessionId": "s1", "enrichment.state": "PENDING"}, [("createdAt", 1)]),
    ("sessions", {"summarising.dueAt": AT}, [("summarising.dueAt", 1)]),
    ("sessions", {"summarising.dueAt": {"$exists": True}}, [("summarising.dueAt", 1)]),
    ("sessions", expired_within(None, SPANS), []),
    ("sessions", expired_within(timedelta(days=1), SPANS), []),
    ("sessions", {"userId": "u1", **expired_within(timedelta(days=1), SPANS)}, []),
    ("entities", {"owner": "s:s1", "label": "PERSON"}, []),
    ("entities", {"userId": "u1", "key": "GPE:york"}, [("own.first.at", 1), ("sessionId", 1)]),
    ("messages", {"sessionId": "s1", "entities.key": "GPE:york"}, [("seq", 1)]),
]


def stages(plan: dict[str, Any]) -> set[str]:
    below = [plan[name] for name in ("inputStage", "queryPlan") if name in plan] + plan.get("inputStages", [])
    return {plan.get("stage", "")}.union(*map(stages, below))


@pytest.fixture
async def lived(database: Database) -> Database:
    life = Life(database, 7)
    for _ in range(20):
        with contextlib.suppress(Conflict):
            await life.add()
        await read_once(database)
    return database


async def test_no_look_for_work_scans_a_collection_or_sorts(lived: Database) -> None:
    for collection, query, order in QUERIES:
        find: dict[str, Any] = {"find": collection, "filter": query, **({"sort": dict(order)} if order else {})}
        plan = await lived.client.get_database(lived.name).command("explain", find, verbosity="queryPlanner")
        found = stages(plan["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in found, (query, found)
        assert not found & {"COLLSCAN", "SORT"}, (query, found)
