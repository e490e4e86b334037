"""`recallql key`: where it writes, and where it refuses to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graph.runtime.served import Store, all_served, noted
from graph.settings import Settings
from tests.support.server_process import clean_environment, served


def recallql(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graph", *arguments],
        cwd=cwd,
        env={**clean_environment(), "XDG_DATA_HOME": str(cwd / "share"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def contents(directory: Path) -> list[str]:
    return sorted(str(path) for path in directory.rglob("*"))


def test_a_store_that_nobody_serves_is_refused_while_another_is_served(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with served(data_dir, "--enrichment-processes", "0") as server:
        who = f"process {server.process.pid} serves database 'recallql' in the data directory {data_dir}"
        # Without a directory, in another one, and in another database of the right one.
        for where in ([], ["--data-dir", str(tmp_path / "other")], ["--data-dir", str(data_dir), "--database", "b"]):
            refused = recallql("key", "create", "backend", *where, cwd=tmp_path)
            assert refused.returncode == 2
            assert who in refused.stderr
            assert len(refused.stderr.splitlines()) == 1
            assert refused.stdout == ""
        assert contents(tmp_path / "share") == contents(tmp_path / "other") == []
        # Nor does another command begin a store of its own beside it unasked.
        refused = recallql("export", cwd=tmp_path)
        assert refused.returncode == 2
        assert who in refused.stderr
        assert contents(tmp_path / "share") == []
        made = recallql("key", "create", "backend", "--data-dir", str(data_dir), cwd=tmp_path)
        assert made.returncode == 0
        assert f"in database 'recallql' in the data directory {data_dir}" in made.stderr
        assert f"which process {server.process.pid} serves" in made.stderr


def test_a_key_can_be_made_before_the_first_start_and_where_it_is_asked_for(tmp_path: Path, settings: Settings) -> None:
    made = recallql("key", "create", "backend", cwd=tmp_path)
    assert made.returncode == 0
    assert f"{tmp_path / 'share' / 'recallql'}, which nobody serves here now" in made.stderr
    with noted(Store.of(settings)):
        assert recallql("key", "list", cwd=tmp_path).returncode == 2
        listed = recallql("key", "list", "--anyway", cwd=tmp_path)
        assert "backend" in listed.stdout
    assert all_served() == []


def test_the_old_name_is_refused_with_the_new_one(tmp_path: Path) -> None:
    refused = recallql("token", "create", "my backend", "--scope", "read", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "recallql: `recallql token` is called `recallql key` now: run `recallql key create 'my backend' --scope read`"
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("mongodb://localhost/?replicaSet=a", "mongodb://u:p@127.0.0.1:27017/x", True),
        ("mongodb://B:1,a:2", "mongodb://a:2,b:1/?w=1", True),
        ("mongodb://[::1]:1", "mongodb://[::1]:1/", True),
        ("mongodb://a", "mongodb://a:2", False),
    ],
)
def test_stores_are_one_where_the_servers_are(settings: Settings, one: str, other: str, same: bool) -> None:
    first, second = (
        Store.of(Settings.model_validate({**settings.model_dump(), "mongodb_uri": uri})) for uri in (one, other)
    )
    assert first.is_same(second) is same
    assert "p@" not in str(second)


def test_a_server_that_was_killed_serves_nothing(tmp_path: Path) -> None:
    hold = """
import sys
from graph.runtime.served import Store, noted
with noted(Store(("somewhere",), "recallql")):
    print("noted", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"noted\n"
        assert [(found.pid, str(found.store)) for found in all_served()] == [
            (process.pid, "database 'recallql' in somewhere")
        ]
        os.kill(process.pid, signal.SIGKILL)
    assert all_served() == []
