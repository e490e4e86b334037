"""Secrets from files: `RECALLQL_<NAME>_FILE` names the file with a secret, as Docker and Kubernetes mount them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, get_args

from pydantic import SecretStr

from graph.errors import StartupError
from graph.settings.groups import Settings
from graph.settings.types import ENCODING, PREFIX

SECRETS: Final = tuple(
    name
    for name, field in Settings.model_fields.items()
    if SecretStr in {field.annotation, *get_args(field.annotation)}
)
"""The settings that a file can hold."""

_MOST_BYTES: Final = 65_536


def variable(name: str) -> str:
    """Return the name of the variable that names the file of a secret."""
    return f"{PREFIX}{name.upper()}_FILE"


def secrets_from_files(environment: Mapping[str, str | None], flags: Collection[str]) -> dict[str, str]:
    """Return the secrets that files hold, without the line ends after them.

    Args:
        environment: the variables, with names in upper case; an empty one is as one that is not set.
        flags: the settings that flags give, which win over files.

    Raises:
        StartupError: a secret is given in a variable, too, or its file can't be used. No line has a part of a path,
            which may be a secret in the wrong variable.
    """
    secrets = {}
    for name in SECRETS:
        path = environment.get(variable(name))
        if not path or name in flags:
            continue
        if environment.get(f"{PREFIX}{name.upper()}"):
            raise StartupError(f"{PREFIX}{name.upper()} and {variable(name)} are both set: keep one of them")
        try:
            secrets[name] = _read(Path(path))
        except ValueError as error:
            raise StartupError(f"{variable(name)}: {error}") from None
    return secrets


def _read(path: Path) -> str:
    """Return the text of a file.

    Raises:
        ValueError: the file can't be read, or holds no secret.
    """
    try:
        path = path.expanduser()
        if path.exists() and not path.is_file():  # a pipe without a writer would never end
            raise ValueError("that is no file: name the file that holds the secret")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the file can't be read ({error.strerror or 'error'})") from None
    except RuntimeError:
        raise ValueError("there is no such user: name a path without ~") from None
    if len(content) > _MOST_BYTES:
        raise ValueError(f"the file has more than {_MOST_BYTES:,} bytes, and a secret has fewer")
    try:
        text = content.decode(ENCODING).rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"the file is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    if not text.strip():
        raise ValueError("the file is empty: write the secret into it")
    return text
