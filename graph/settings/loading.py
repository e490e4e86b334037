"""Settings from the command line, the environment and `.env`."""

from __future__ import annotations

import os
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, get_args

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from graph.errors import StartupError
from graph.settings.files import SECRETS, secrets_from_files, variable
from graph.settings.groups import Settings
from graph.settings.types import ENCODING, FILE, PREFIX

_SHOWN = 100  # characters of a wrong value

RENAMED = {"workers": "web_processes", "worker_processes": "enrichment_processes", "max_tokens": "max_query_tokens"}
"""Names of settings that are no longer accepted, and the present ones."""


def load_settings(**flags: object) -> Settings:
    """Settings from flags, the environment and `.env`, in that order of precedence; secrets from files, too.

    Raises:
        StartupError: a value is wrong; one line names each setting that is.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    files: dict[str, str] = {}
    try:
        _refuse_old_names()
        files = secrets_from_files(_environment(), given)
        return Settings(**given, **files)  # type: ignore[arg-type]
    except ValidationError as error:
        raise StartupError("; ".join(_problem(item, files) for item in error.errors(include_url=False))) from None
    except SettingsError as error:
        raise StartupError(f"the settings can't be read: {error}") from None
    except UnicodeDecodeError as error:
        raise StartupError(f".env is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except OSError as error:
        raise StartupError(f".env can't be read: {error.strerror or error}") from None


def unknown_settings() -> list[str]:
    """A line for each name in the environment or `.env` that begins as a setting does and is none."""
    names = [*(f"{PREFIX}{name.upper()}" for name in Settings.model_fields), *map(variable, SECRETS)]
    unknown = sorted(name for name in _names_in_environment() if name.startswith(PREFIX) and name not in names)
    return [f"{name[:_SHOWN]} is no setting and has no effect{_nearest(name, names)}" for name in unknown]


def _nearest(name: str, names: list[str]) -> str:
    # Without the prefix, which would make all names alike.
    found = get_close_matches(name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in names], n=1)
    return f": the nearest setting is {PREFIX}{found[0]}" if found else ""


def _names_in_environment() -> set[str]:
    return set(_environment())


def _environment() -> dict[str, str | None]:
    """The variables of the environment and `.env`, with names in upper case."""
    values: dict[str, str | None] = {**dotenv_values(FILE, encoding=ENCODING), **os.environ}
    return {name.upper(): value for name, value in values.items()}


def _refuse_old_names() -> None:
    """Refuse to start with a setting that would have no effect.

    Raises:
        StartupError: the environment or `.env` has a name of earlier versions.
    """
    names = _names_in_environment()
    for old, new in RENAMED.items():
        if f"{PREFIX}{old.upper()}" in names:
            raise StartupError(f"{PREFIX}{old.upper()} is now {PREFIX}{new.upper()}: rename it")


def _problem(item: Any, files: Collection[str]) -> str:
    """The error of one setting, whose value may have come from a file."""
    name = str(item["loc"][0])
    cause = item.get("ctx", {}).get("error")
    text = str(cause) if isinstance(cause, ValueError) else item["msg"]
    field = Settings.model_fields[name]
    may_be_shown = not {field.annotation, *get_args(field.annotation)} & {SecretStr} and name != "llm_base_url"
    shown = repr(item["input"]) if may_be_shown else ""
    if "not '" in text:  # it shows the part that is wrong
        shown = ""
    said = f", not {shown[:_SHOWN]}{'…' if len(shown) > _SHOWN else ''}" if shown else ""
    return f"{variable(name) if name in files else PREFIX + name.upper()}: {text[0].lower()}{text[1:]}{said}"
