"""The types of settings that need a check of their own, and the checks that each setting has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from graph.addresses import origin, web_address

PREFIX = "RECALLQL_"
FILE = ".env"
ENCODING = "utf-8-sig"  # editors of Windows put a mark of three bytes first

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUL = re.compile(r"\x00")
# Of a number that has no bound of its own: far above use, exact as a float, and a time that every library takes.
_MOST: Mapping[type, float] = {int: 10**12, float: 31_536_000}
_METRICS_ADDRESS = re.compile(r"(?:[^\s:\[\]]{1,253}|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
_MOST_PORT = 65_535
_LONGEST_HOST = 253  # characters, the most that DNS has
_LONGEST_DATABASE_NAME = 38  # bytes: with the name of a collection, within the limit of MongoDB
_RESERVED_DATABASES = ("admin", "config", "local")  # MongoDB has no transactions in them
_LONGEST_ROLE = 256  # bytes, as of any message's role
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")  # a token, as RFC 9110 has it
_ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,20}")
_LONGEST_ROOT_PATH = 200  # characters
_ROUTES = ("api", "console", "graphql", "health", "healthz", "mcp", "metrics", "ready")
_NOT_IN_DATABASE_NAMES = re.compile(r"""[\s/\\."$*<>:|?\x00-\x1f]""")


SEVERAL_LINES: Final = "several lines"
"""Marks a setting whose value may have line breaks, in the `Annotated` around its whole type."""
NO_FLAG: Final = "no flag"
"""Marks a secret: other users of a machine can read the flags of a process."""


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("there is no such user: name a path without ~") from None


def _host(value: str) -> str:
    if re.search(r"\s", value) or len(value) > _LONGEST_HOST:
        raise ValueError("a host is one name or address, as localhost, 0.0.0.0 or ::1")
    return value


def _database_name(value: str) -> str:
    if _NOT_IN_DATABASE_NAMES.search(value) or len(value.encode()) > _LONGEST_DATABASE_NAME:
        raise ValueError('a database has a name of at most 38 bytes, without white space and / \\ . " $ * < > : | ?')
    if value in _RESERVED_DATABASES:
        raise ValueError(f"{', '.join(_RESERVED_DATABASES)} are MongoDB's own databases: choose another name")
    return value


def _session_prefix(value: str) -> str:
    if value.count("{sub}") != 1 or value.endswith("{sub}"):
        raise ValueError(
            "a prefix holds {sub} once, for the user's id, and ends with a text that is in no user's id, as {sub}:"
        )
    return value


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(origin, value))


def _header_names(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("the name of a header has letters, digits and hyphens, as x-tenant")
    return tuple(name.lower() for name in value)


def _roles(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or any(len(role.encode()) > _LONGEST_ROLE for role in value):
        raise ValueError("one or more roles of at most 256 bytes are needed, as user,human")
    return value


def _web_address(value: str) -> str:
    web_address(value)
    return value


def _root_path(value: str) -> str:
    if not _ROOT_PATH.fullmatch(value) or len(value) > _LONGEST_ROOT_PATH:
        raise ValueError(
            "a prefix begins with a slash and ends with none, as /memory, and has letters, digits and ._~-"
        )
    if (first := value.split("/")[1]) in _ROUTES:
        raise ValueError(f"/{first} is a path of the service itself: choose another prefix")
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for network in value:
        try:
            network == "*" or ip_network(network)
        except ValueError:
            raise ValueError(
                "proxies are addresses or networks with commas between, as 127.0.0.1,10.0.0.0/8, or *"
            ) from None
    return value


def _metrics_address(value: str) -> str:
    found = _METRICS_ADDRESS.fullmatch(value)
    if value != "key" and (found is None or int(found[1]) > _MOST_PORT):
        raise ValueError("metrics are served at an address with a port, as 127.0.0.1:9464, or to a service key: key")
    return value


def _models(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping) or not all(map(_is_model, value.items())):
        raise ValueError('a JSON object of language codes and models is needed, as {"de": "de_core_news_sm"}')
    return value


UserPath = Annotated[Path, AfterValidator(_expanded)]
"""A path, in which a leading `~` is the home of a user."""
Host = Annotated[str, AfterValidator(_host)]
DatabaseName = Annotated[str, AfterValidator(_database_name)]
SessionPrefix = Annotated[str, AfterValidator(_session_prefix)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_origins)]
Roles = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_roles)]
RootPath = Annotated[str, AfterValidator(_root_path)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_networks)]
HeaderNames = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_header_names)]
MetricsAddress = Annotated[str, AfterValidator(_metrics_address)]
LanguageModels = Annotated[dict[str, str], NoDecode, BeforeValidator(_models)]


class CheckedSettings(BaseSettings):
    """The source of settings, and the checks of every one of them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=FILE,
        env_file_encoding=ENCODING,
        env_ignore_empty=True,  # as compose passes a variable that is not set: ${X:-}
        allow_inf_nan=False,
        hide_input_in_errors=True,
        extra="ignore",
    )

    @field_validator("*")
    @classmethod
    def _is_bounded(cls, value: Any) -> Any:
        most = _MOST.get(type(value))
        if most is not None and value > most:
            raise ValueError(f"a value must be at most {most:,}")
        return value

    # The last one is asked first.
    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            if not value.strip():
                raise ValueError("an empty value is not allowed: give one, or leave the setting out")
            lines_allowed = SEVERAL_LINES in cls.model_fields[str(info.field_name)].metadata
            if not _is_unicode(value) or (_NUL if lines_allowed else _CONTROL).search(value):
                raise ValueError(
                    f"a value must be UTF-8 text without {'NUL' if lines_allowed else 'control characters'}"
                )
        return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_model(item: tuple[Any, Any]) -> bool:
    code, model = item
    return bool(re.fullmatch("[a-z]{2}", code)) and isinstance(model, str) and bool(model.strip())
