"""No secret is in what a server logs, at any level, answers, or says when it does not start."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import token
from tests.support.graphql_client import ADD
from tests.support.live_client import socket_to
from tests.support.llm_server import LLMServer, Reply
from tests.support.server_process import ServerProcess, clean_environment, served

JWT_SECRET = "the-secret-of-jwts-that-nobody-may-read-anywhere"
PASSWORD = "the-password-of-mongodb"
API_KEY = "sk-the-key-of-the-model"
MODULE = [sys.executable, "-m", "graph"]


@pytest.fixture
async def secretive(mongodb_uri: str, settings: Settings, database: Database, tmp_path: Path) -> Any:
    """The environment of a server with every secret there is, and the API that writes its summaries."""
    await database.client.admin.command("createUser", "keeper", pwd=PASSWORD, roles=["root"])
    with LLMServer(Reply({"error": {"message": "no"}}, status=401)) as llm:
        yield {
            "RECALLQL_MONGODB_URI": mongodb_uri.replace("mongodb://", f"mongodb://keeper:{PASSWORD}@")
            + "&authSource=admin",
            "RECALLQL_DATABASE": settings.database,
            "RECALLQL_JWT_SECRET": JWT_SECRET,
            "RECALLQL_LLM_BASE_URL": llm.base_url,
            "RECALLQL_LLM_MODEL": "m",
            "RECALLQL_LLM_API_KEY": API_KEY,
            "RECALLQL_LOG_LEVEL": "debug",
        }
    await database.client.admin.command("dropUser", "keeper")


def _upgrade(url: str, headers: dict[str, str]) -> str:
    """What comes of opening a WebSocket with credentials in a header, as programs can."""
    asked = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    asked |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-protocol": "graphql-transport-ws"}
    with httpx.stream("GET", f"{url}/graphql", headers={**headers, **asked}) as response:
        return f"{response.status_code} {response.headers}"


def _leaked(text: str, *more: str) -> list[str]:
    return [secret for secret in (JWT_SECRET, PASSWORD, API_KEY, *more) if secret in text]


async def test_no_secret_is_logged_or_answered(secretive: dict[str, str], tmp_path: Path) -> None:
    good, bad = token("ada", key=JWT_SECRET), token("ada", key="x" * 40)
    key = "rql_0123456789ab_" + "k" * 43
    said = []

    def run(server: ServerProcess) -> None:
        messages = [{"role": "human", "content": f"number {n} of many messages"} for n in range(14)]
        body = {"query": ADD, "variables": {"input": {"sessionId": "s", "messages": messages}}}
        for bearer in (good, bad, key, good[:-2]):
            headers = {"authorization": f"Bearer {bearer}"}
            said.append(httpx.post(f"{server.url}/graphql", json=body, headers=headers, timeout=30).text)
            said.append(httpx.get(f"{server.url}/api/v1/sessions/s/memory", headers=headers, timeout=60).text)
            stream = {**headers, "accept": "text/event-stream"}
            answer = httpx.post(f"{server.url}/graphql", json={"query": "{ __typename }"}, headers=stream, timeout=60)
            said.append(answer.text)
            asyncio.run(over_a_socket(server, bearer))
            said.append(_upgrade(server.url, headers))

    async def over_a_socket(server: ServerProcess, bearer: str) -> None:
        async with socket_to(server.url, acknowledged=False) as socket:
            await socket.send(type="connection_init", payload={"Authorization": f"Bearer {bearer}"})
            try:
                said.append(json.dumps(await socket.receive()))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is read
                said.append(repr(error))

    def serve() -> str:
        with served(tmp_path / "data", **secretive) as server:
            run(server)
            for _ in range(600):  # until a summary was asked for in vain
                if "401" in server.stderr():
                    break
                asyncio.run(asyncio.sleep(0.1))
        return server.banner + server.stderr()

    logged = await anyio.to_thread.run_sync(serve)
    assert "DEBUG" in logged
    assert "401" in logged
    assert _leaked(logged, good, good.rsplit(".", 1)[1], bad, key, "k" * 12) == []
    assert _leaked("\n".join(said), good, bad, key) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"RECALLQL_MONGODB_URI": f"mongodb://keeper:{PASSWORD}@127.0.0.1:1/?serverSelectionTimeoutMS=100"},
        {"RECALLQL_MONGODB_URI": f"mongodb://keeper:{PASSWORD}@:x/"},
        {"RECALLQL_MONGODB_URI": f"nonsense://keeper:{PASSWORD}@host/"},
        {"RECALLQL_JWT_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----"},
        {"RECALLQL_PORT": "x"},
        {"RECALLQL_LOG_LEVEL": "loud"},
    ],
    ids=str,
)
def test_no_secret_is_in_a_refusal_to_start(tmp_path: Path, changed: dict[str, str]) -> None:
    secrets = {"RECALLQL_JWT_SECRET": JWT_SECRET, "RECALLQL_LLM_API_KEY": API_KEY, "RECALLQL_MONGODB_TIMEOUT": "0.5"}
    environment = {**clean_environment(), **secrets, "RECALLQL_LOG_LEVEL": "debug", **changed}
    done = subprocess.run(
        [*MODULE, "serve", "--port", "0"] if "RECALLQL_PORT" not in changed else [*MODULE, "serve"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert _leaked(done.stdout + done.stderr) == []


@pytest.mark.parametrize("command", ["serve", "worker", "doctor", "token list"])
def test_no_secret_is_in_the_help(tmp_path: Path, command: str) -> None:
    secrets = {
        "RECALLQL_MONGODB_URI": f"mongodb://keeper:{PASSWORD}@host/",
        "RECALLQL_JWT_SECRET": JWT_SECRET,
        "RECALLQL_LLM_API_KEY": API_KEY,
    }
    done = subprocess.run(
        [*MODULE, *command.split(), "--help"],
        cwd=tmp_path, env={**clean_environment(), **secrets}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert _leaked(done.stdout + done.stderr) == []
