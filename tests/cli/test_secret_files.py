"""Secrets in files that `RECALLQL_<NAME>_FILE` names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from graph.errors import StartupError
from graph.runtime.supervisor import _as_environment
from graph.settings import PREFIX, SECRETS, Settings, load_settings, unknown_settings, variable

ALL = ("mongodb_uri", "jwt_secret", "embedding_api_key", "llm_api_key", "mcp_key")
SECRET = "mongodb://ada:hunter2@db.example/?replicaSet=one"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # away from any .env


def value_of(settings: Settings, name: str) -> Any:
    secret = getattr(settings, name)
    return None if secret is None else secret.get_secret_value()


def refused() -> str:
    with pytest.raises(StartupError) as error:
        load_settings()
    line = str(error.value)
    assert "\n" not in line
    assert "hunter2" not in line
    return line


def test_every_secret_can_be_in_a_file() -> None:
    assert set(SECRETS) == set(ALL)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_its_file(name: str, end: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(f"{SECRET}{end}".encode("utf-8-sig"))
    monkeypatch.setenv(variable(name), str(tmp_path / "secret"))
    assert value_of(load_settings(), name) == SECRET
    assert unknown_settings() == []


def test_lines_within_a_secret_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one\ntwo\n")
    monkeypatch.setenv("RECALLQL_JWT_SECRET_FILE", "secret")
    assert value_of(load_settings(), "jwt_secret") == "one\ntwo"


@pytest.mark.parametrize("name", ALL)
def test_a_secret_that_is_given_twice_is_refused(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / ".env").write_text(f"{PREFIX}{name.upper()}={SECRET}\n")
    monkeypatch.setenv(variable(name).lower(), "secret")
    line = refused()
    assert line == f"{PREFIX}{name.upper()} and {variable(name)} are both set: keep one of them"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read (No such file or directory)"),
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"hunter2\xff", "is not UTF-8 (byte 7)"),
        (b"hunter2" * 20_000, "has more than 65,536 bytes"),
        (b"hunter2\0", "must be UTF-8 text without"),
    ],
)
@pytest.mark.parametrize("name", ALL)
def test_a_file_that_cannot_be_used_is_refused(
    name: str, content: bytes | None, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "hunter2").write_bytes(content)
    monkeypatch.setenv(variable(name), str(tmp_path / "hunter2"))
    line = refused()
    assert line.startswith(f"{variable(name)}: ")
    assert reason in line


@pytest.mark.parametrize("path", ["/", "/dev/zero", "~nobody-at-all/x", "a\udcffb", "x" * 5_000, "hunter2" * 100])
def test_a_path_that_names_no_file_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECALLQL_JWT_SECRET_FILE", path)
    assert refused().startswith("RECALLQL_JWT_SECRET_FILE: ")


def test_an_unreadable_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "one")
    monkeypatch.setenv("RECALLQL_MCP_KEY_FILE", str(tmp_path / "pipe" / "one"))
    assert refused() == "RECALLQL_MCP_KEY_FILE: that is no file: name the file that holds the secret"


def test_a_flag_wins_over_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECALLQL_MONGODB_URI_FILE", "missing")
    assert value_of(load_settings(mongodb_uri=SECRET), "mongodb_uri") == SECRET


def test_an_empty_variable_is_as_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECALLQL_MONGODB_URI_FILE", "")
    assert load_settings().mongodb_uri is None


def test_the_processes_of_a_server_get_the_secrets_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A child has the same `.env`, which names the file, and the secret in its environment."""
    (tmp_path / "secret").write_text("s" * 40)
    (tmp_path / ".env").write_text("RECALLQL_JWT_SECRET_FILE=secret\n")
    for name, value in _as_environment(load_settings()).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "secret").unlink()
    assert value_of(load_settings(), "jwt_secret") == "s" * 40
