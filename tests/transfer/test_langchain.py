"""Imports of LangChain's histories in MongoDB, by the command."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import aclosing
from typing import Any, get_args

import anyio
import pytest
from bson import ObjectId

from graph.errors import TransferError
from graph.settings import Settings
from graph.store.database import Database
from graph.store.driver.types import DriverName
from graph.transfer.langchain import Histories, read_histories
from tests.support.graphql_client import Client
from tests.support.paths import ROOT
from tests.support.python_tools import FRAMEWORKS, run_tool
from tests.support.server_process import clean_environment

SESSIONS = """
{ sessions(first: 10) { edges { node { sessionId messageCount user { userId }
    messages(first: 1) { edges { node { content createdAt } } } } } } }
"""


@pytest.mark.slow
async def test_each_message_comes_back_equal(client: Client, settings: Settings, mongodb_uri: str) -> None:
    histories = f"{settings.database}_histories"

    def langchain(command: str) -> None:
        program = str(FRAMEWORKS / "langchain_mongodb_histories.py")
        variables = {
            "PYTHONPATH": str(ROOT / "clients" / "python" / "src"),
            "RECALLQL_URL": str(client.http.base_url),
        }
        done = run_tool(program, command, mongodb_uri, histories, cwd=ROOT, home=FRAMEWORKS, **variables)
        assert done.returncode == 0, done.stderr

    def imported() -> str:
        command = [sys.executable, "-m", "graph", "import-langchain", mongodb_uri, "--history-database", histories]
        stored_in = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database}
        done = subprocess.run(
            [*command, "--user", "ada"],
            capture_output=True,
            text=True,
            check=False,
            env={**clean_environment(), **stored_in},
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    await anyio.to_thread.run_sync(langchain, "write")
    try:
        assert await anyio.to_thread.run_sync(imported) == "imported 1 users, 2 sessions and 14 messages\n"
        assert "2 sessions were stored already" in await anyio.to_thread.run_sync(imported)
        await anyio.to_thread.run_sync(langchain, "compare")
    finally:
        await anyio.to_thread.run_sync(langchain, "drop")
    found = [edge["node"] for edge in (await client.data(SESSIONS))["sessions"]["edges"]]
    assert {one["sessionId"]: one["messageCount"] for one in found} == {"talk": 13, "other/talk": 1}
    assert {one["user"]["userId"] for one in found} == {"ada"}


async def test_histories_are_read_with_the_chosen_driver(database: Database, mongodb_uri: str) -> None:
    histories = database.client.get_database(database.name)["histories"]
    await histories.insert_many([{"SessionId": name, "History": "{}"} for name in ("talk", "other", "talk")])
    driver_name: DriverName
    for driver_name in get_args(DriverName):
        read = read_histories(mongodb_uri, database.name, "histories", driver_name)
        async with aclosing(read) as batches:
            found = [one["SessionId"] async for documents in batches for one in documents]
        assert found == ["other", "talk", "talk"]


def document(message: Any, **more: Any) -> dict[str, Any]:
    history = message if isinstance(message, str) else json.dumps(message)
    return {"_id": ObjectId("65539f000000000000000000"), "SessionId": "talk", "History": history, **more}


def test_the_time_is_that_of_the_document() -> None:
    said = {"type": "human", "data": {"content": "Hello", "type": "human"}}
    session, message = Histories("ada").records_of([document(said)])
    assert session == {"type": "session", "sessionId": "talk", "userId": "ada"}
    assert message["createdAt"] == "2023-11-14T16:23:28+00:00"
    assert (message["role"], message["content"]) == ("user", "Hello")


@pytest.mark.parametrize(
    "broken",
    [
        document("no JSON"),
        document([]),
        document({"type": "human"}),
        document({"type": "human", "data": {"content": None}}),
        document({"type": "ai", "data": {"content": "", "tool_calls": [{}]}}),
        {"_id": 1},
    ],
)
def test_another_document_is_refused_in_one_line(broken: dict[str, Any]) -> None:
    with pytest.raises(TransferError, match="not as LangChain stores messages") as refused:
        list(Histories(None).records_of([broken]))
    assert "\n" not in str(refused.value)
