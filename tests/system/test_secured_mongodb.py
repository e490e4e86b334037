"""`recallql serve` on a MongoDB with TLS and authentication, as a user with the least rights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.live_client import ADDED, socket_to
from tests.support.secured import ROLES, secured_mongod
from tests.support.server_process import clean_environment, served, until

ADD = """mutation { addMemory(input: {sessionId: "s", userId: "ann", awaitEntities: true, messages: [
  {role: "user", content: "Octavia Butler was born in Pasadena."}]}) { replayed } }"""
SEARCH = '{ search(query: "Pasadena", sessionId: "s") { edges { node { content } } } }'
ENTITIES = '{ session(sessionId: "s") { entities { edges { node { name } } } } }'


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_everything_works_over_tls_with_the_least_rights(tmp_path: Path) -> None:
    with secured_mongod(tmp_path, ROLES) as mongodb:
        for number, uri in enumerate((mongodb.by_password, mongodb.by_certificate)):
            (home := tmp_path / f"home{number}").mkdir()
            with served(home / "data", RECALLQL_MONGODB_URI=uri) as server:
                server.graphql(ADD)
                until(lambda: server.graphql(ENTITIES)["session"]["entities"]["edges"], 120)
                async with socket_to(server.url) as socket:
                    await socket.subscribe(ADDED, {"id": "s", "after": 0})
                    assert (await socket.seqs(1)) == [1]
                found = until(lambda: server.graphql(SEARCH)["search"]["edges"])
                assert "Pasadena" in found[0]["node"]["content"]
                server.graphql('mutation { deleteUser(input: { userId: "ann" }) { deletedId } }')
                assert server.graphql("{ users { totalCount } }")["users"]["totalCount"] == 0
                for command in (["key", "create", f"app{number}"], ["export", str(home / "out.jsonl")], ["doctor"]):
                    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs
                        [sys.executable, "-m", "graph", *command],
                        env={**clean_environment(), "RECALLQL_MONGODB_URI": uri},
                        cwd=home,
                        capture_output=True,
                        text=True,
                        timeout=120,
                        check=False,
                    )
                    assert (done.returncode, "not authorized" in done.stdout) == (0, False), (command, done)
                log = server.stderr()
            assert "Traceback" not in log
            assert "not authorized" not in log
        refused = subprocess.run(  # noqa: ASYNC221 - nothing else runs
            [sys.executable, "-m", "graph", "serve", "--port", "0", "--enrichment-processes", "0"],
            env={**clean_environment(), "RECALLQL_MONGODB_URI": mongodb.by_password_without_tls},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert refused.returncode == 2
    assert refused.stderr.startswith("recallql: ")
    assert refused.stderr.count("\n") == 1
