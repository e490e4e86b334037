"""The main job, as a new user tries it: the real command, the real mongod, the real spaCy model."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.graphql_client import ADD, OCTAVIA
from tests.support.server_process import ServerProcess, clean_environment, served, until
from tests.support.tcp import free_port

MEMORY = """query { memory(sessionId: "octavia") { messages {
  uuid createdAt seq role content metadata tokenCount enrichment { state }
  entities { name label matches { start end text } } } } }"""


def messages(server: ServerProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.graphql(MEMORY)["memory"]["messages"]
    return found


def enriched(server: ServerProcess) -> list[dict[str, Any]] | None:
    found = messages(server)
    return found if all(message["enrichment"]["state"] == "DONE" for message in found) else None


@pytest.mark.timeout(240)
def test_the_main_job(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data) as server:
        assert "/graphql" in server.banner
        assert "Explorer" in server.banner
        server.graphql(ADD, input={"sessionId": "octavia", "messages": OCTAVIA})
        found = until(lambda: enriched(server))
        people = [
            (entity["name"], match["start"], match["end"], match["text"])
            for message in found[:1]
            for entity in message["entities"]
            if entity["label"] == "PERSON"
            for match in entity["matches"]
        ]
        assert people == [("Octavia Butler", 8, 22, "Octavia Butler")]
        started = server.children()
        assert {child.name() for child in started} >= {"mongod"}
        assert server.stop(signal.SIGINT) == 0
        assert psutil.wait_procs(started, timeout=20)[1] == []
    with served(data) as again:
        assert messages(again) == found


@pytest.mark.timeout(240)
def test_entity_offsets_are_right_in_every_script(tmp_path: Path) -> None:
    texts = [
        "👩‍👩‍👧‍👦 🎉 Octavia Butler lives in Paris.",
        "אוקטביה באטלר. My friend Octavia Butler lives in Paris.",
        "Cafe\u0301, cafe\u0301. My friend Octavia Butler lives in Paris.",
        "My friend Octavia Butler lives in Paris. \n" * 1_000,
    ]
    with served(tmp_path / "data") as server:
        server.graphql(
            ADD, input={"sessionId": "octavia", "messages": [{"role": "human", "content": text} for text in texts]}
        )
        found = until(lambda: enriched(server), 200)
    for text, message in zip(texts, found, strict=True):
        matches = [match for entity in message["entities"] for match in entity["matches"]]
        assert "Octavia Butler" in {match["text"] for match in matches}
        assert all(text[match["start"] : match["end"]] == match["text"] for match in matches)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_killed_server_leaves_nothing_that_the_next_start_does_not_clean_up(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data, "--enrichment-processes", "1") as server:
        server.graphql(ADD, input={"sessionId": "octavia", "messages": OCTAVIA})
        left = server.children()
        server.stop(signal.SIGKILL)
        with served(data) as again:
            assert len(messages(again)) == 3
            assert psutil.wait_procs(left, timeout=20)[1] == []


def test_a_second_server_says_who_holds_the_directory(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--enrichment-processes", "0") as server:
        second = run("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), cwd=tmp_path)
        assert second.returncode == 2
        assert str(server.process.pid) in second.stderr
        assert len(second.stderr.splitlines()) == 1


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graph", *arguments],
        capture_output=True,
        text=True,
        env={**clean_environment(), **environment},
        cwd=cwd,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("flags", "environment", "said"),
    [
        (["--port", "99999"], {}, "RECALLQL_PORT: input should be less than or equal to 65535, not '99999'"),
        ([], {"RECALLQL_MESSAGE_WINDOW": "many"}, "RECALLQL_MESSAGE_WINDOW: input should be a valid integer"),
        (
            [],
            {"RECALLQL_MONGODB_URI": "http://nonsense"},
            "RECALLQL_MONGODB_URI is not a usable",
        ),
        ([], {"RECALLQL_TOKEN_ENCODING": "nope"}, "nope"),
        (["--host", "203.0.113.7"], {}, "RECALLQL_HOST 203.0.113.7"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(
    tmp_path: Path, flags: list[str], environment: dict[str, str], said: str
) -> None:
    result = run(
        "serve",
        "--data-dir",
        str(tmp_path / "data"),
        "--enrichment-processes",
        "0",
        *flags,
        cwd=tmp_path,
        **environment,
    )
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_setting_in_the_env_file_is_used_and_a_flag_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RECALLQL_PORT=99999\n")
    assert "RECALLQL_PORT" in run("serve", cwd=tmp_path).stderr
    (tmp_path / ".env").write_text("RECALLQL_ENRICHMENT_PROCESSES=-1\n")
    with served(tmp_path / "data", "--enrichment-processes", "0") as server:
        assert server.graphql("{ __typename }") == {"__typename": "Query"}


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--enrichment-processes", "0") as server:
        port = server.url.rpartition(":")[2]
        second = run("serve", "--port", port, "--data-dir", str(tmp_path / "other"), cwd=tmp_path)
        assert second.returncode == 2
        assert port in second.stderr
        assert len(second.stderr.splitlines()) == 1


def test_a_standalone_mongod_is_refused(tmp_path: Path) -> None:
    from graph.mongod.program import find_mongod

    (tmp_path / "db").mkdir()
    port = str(free_port())
    mongod = subprocess.Popen(
        [str(find_mongod()), "--dbpath", str(tmp_path / "db"), "--port", port, "--bind_ip", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
    )
    try:
        result = run("serve", "--port", "0", "--mongodb-uri", f"mongodb://127.0.0.1:{port}", cwd=tmp_path)
    finally:
        mongod.terminate()
        mongod.wait()
    assert result.returncode == 2
    assert "--replSet" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_help_shows_the_flags_that_mirror_the_settings(tmp_path: Path) -> None:
    text = run("serve", "--help", cwd=tmp_path, COLUMNS="200").stdout
    for flag in ("--port", "RECALLQL_PORT", "--data-dir", "--mongodb-uri", "--message-window", "RECALLQL_SPACY_MODEL"):
        assert flag in text
    assert run("--help", cwd=tmp_path).returncode == 0
