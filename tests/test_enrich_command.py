"""`recallql enrich` and `recallql worker`, as a user starts them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.memories import NewMemory, NewMessage, add_memory
from graph.store.scope import EVERYTHING


async def run(uri: str, settings: Settings, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "RECALLQL_MONGODB_URI": uri, "RECALLQL_DATABASE": settings.database}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "graph", *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def say(database: Database, session_id: str, *contents: str) -> None:
    messages = [NewMessage("human", content, 4) for content in contents]
    await add_memory(database, EVERYTHING, NewMemory(session_id, messages))


async def test_enrich_works_off_what_is_pending_and_ends(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    await say(database, "s", *["Ada lives in Paris."] * 12)
    await say(database, "t", "Grace lives in Rome.")
    assert await run(mongodb_uri, settings, "enrich", "--session", "t") == (
        0,
        "1 messages enriched; now 1 done, 0 pending, 0 failed\n",
    )
    assert await database.messages.count_documents({"enrichment.state": "PENDING"}) == 12
    status, out = await run(mongodb_uri, settings, "enrich")
    assert (status, out) == (0, "12 messages enriched; now 13 done, 0 pending, 0 failed\n")
    assert (await database.summaries.find_one({"sessionId": "s"}))["lastSeq"] == 6


async def test_enrich_tells_failures_by_its_status_and_begins_them_again_when_asked(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    await say(database, "s", "Ada lives in Paris.")
    failed = {"state": "FAILED", "attempts": 5, "at": now(), "reason": "because"}
    await database.messages.update_one({}, {"$set": {"enrichment": failed}})
    status, out = await run(mongodb_uri, settings, "enrich")
    assert (status, out) == (1, "0 messages enriched; now 0 done, 0 pending, 1 failed\n")
    status, out = await run(mongodb_uri, settings, "enrich", "--failed")
    assert (status, out) == (0, "1 messages enriched; now 1 done, 0 pending, 0 failed\n")


async def test_a_worker_ends_with_status_0_when_it_is_told_to(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    environment = {**os.environ, "RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "graph", "worker", env=environment)
    await say(database, "s", "Ada lives in Paris.")
    while await database.messages.count_documents({"enrichment.state": "PENDING"}):  # noqa: ASYNC110 - in a process
        await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


@pytest.mark.parametrize("command", ["serve", "worker", "enrich"])
async def test_a_missing_model_is_one_line_that_says_how_to_install_it(
    mongodb_uri: str, settings: Settings, command: str
) -> None:
    port = ["--port", "0"] if command == "serve" else []
    environment = {**os.environ, "RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "graph", command, *port, "--spacy-model", "de_core_news_sm"),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == 2
    (line,) = complaint.decode().splitlines()
    assert "python -m spacy download de_core_news_sm" in line
