"""The plans of the reads that were sent to MongoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graph.store.database import Database

_OF_FIND = ("find", "filter", "projection", "sort", "limit", "hint")


async def explained(database: Database, body: dict[str, Any]) -> dict[str, Any]:
    """The plan of a `find` with what its execution read."""
    plain = {name: body[name] for name in _OF_FIND if name in body}
    plan: dict[str, Any] = await database.client.get_database(database.name).command(
        "explain", plain, verbosity="executionStats"
    )
    return plan


async def assert_by_index(database: Database, sent: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Assert that an index answers each `find` in its order; returns the bodies of these commands."""
    finds = [body for name, body in sent if name == "find"]
    for body in finds:
        stages = str((await explained(database, body))["queryPlanner"]["winningPlan"])
        assert "COLLSCAN" not in stages, body
        assert "'SORT'" not in stages, body
        assert "IXSCAN" in stages or "IDHACK" in stages or "EOF" in stages, body
    return finds
