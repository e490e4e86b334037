"""RecallQL as the user of a MongoDB with authentication, with the rights that `create-user.js` grants and no others."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from graph.settings import variable
from tests.support.graphql_client import PLAIN
from tests.support.live_client import ADDED
from tests.support.paths import ROOT
from tests.support.replica_set import ReplicaSet
from tests.support.server_process import ServerProcess, clean_environment, served, until

SCRIPT = ROOT / "deploy" / "compose" / "create-user.js"
ADD = "mutation($input: AddMemoryInput!) { addMemory(input: $input) { session { messageCount } } }"
ENTITIES = "query($id: ID!) { session(sessionId: $id) { entities { edges { node { name } } } } }"
DELETE = "mutation($input: DeleteSessionInput!) { deleteSession(input: $input) { deletedId } }"


@pytest.fixture
def uri(tmp_path: Path) -> Iterator[str]:
    """The connection string of the user on a real mongod that demands authentication."""
    key = tmp_path / "key"
    key.write_text("a key of tests, without white space".replace(" ", "").replace(",", ""))
    key.chmod(0o400)
    members = ReplicaSet(tmp_path, size=1, flags=("--keyFile", str(key)))
    try:
        members.initiate()
        with members.direct(members.ports[0]) as client:  # the first user may be made without one, from this machine
            client.admin.command("createUser", "root", pwd="root", roles=["root"])
        roles = [{"role": role, "db": db} for role, db in re.findall(r'role: "(\w+)", db: "(\w+)"', SCRIPT.read_text())]
        assert roles
        root: MongoClient[dict[str, Any]]
        with MongoClient(
            "127.0.0.1", members.ports[0], username="root", password="root", directConnection=True
        ) as root:
            root.admin.command("createUser", "recallql", pwd="p", roles=roles)
        yield members.uri.replace("mongodb://", "mongodb://recallql:p@") + "&authSource=admin"
    finally:
        members.stop()


@pytest.mark.slow
def test_the_rights_of_the_user_suffice(uri: str, tmp_path: Path) -> None:
    secret = tmp_path / "uri"
    secret.write_text(f"{uri}\n")
    environment = {variable("mongodb_uri"): str(secret)}
    with served(tmp_path / "data", **environment) as server:
        for number in range(2):
            message = {"role": "user", "content": f"Ada Lovelace lived in London, {number}."}
            server.graphql(ADD, input={"sessionId": "s", "messages": [message] * 20})
        until(lambda: {"Ada Lovelace", "London"} <= _names(server))  # the worker has read them
        body = {"query": ADDED, "variables": {"id": "s", "after": 39}}
        with httpx.stream(
            "POST",
            f"{server.url}/graphql",
            json=body,
            headers={"accept": "text/event-stream"},
            timeout=60,
            verify=PLAIN,
        ) as events:
            assert '"seq":40' in next(events.iter_text())
        for command in (["key", "create", "k"], ["export", str(tmp_path / "out.jsonl")], ["doctor"]):
            done = subprocess.run(
                [sys.executable, "-m", "graph", *command],
                env={**clean_environment(), **environment},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert "not authorized" not in done.stdout + done.stderr, command
            assert done.returncode == 0, (command, done.stdout, done.stderr)
        server.graphql(DELETE, input={"sessionId": "s"})
        until(lambda: httpx.get(f"{server.url}/ready", timeout=10, verify=PLAIN).status_code == 200)
    assert not re.search("not authorized|requires authentication|Traceback", server.stderr())


def _names(server: ServerProcess) -> set[str]:
    edges = server.graphql(ENTITIES, id="s")["session"]["entities"]["edges"]
    return {edge["node"]["name"] for edge in edges}
