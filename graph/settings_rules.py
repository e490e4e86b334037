"""What is accepted as the value of a setting, apart from the bounds that a field declares."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from graph.addresses import origin, web_address

PREFIX = "RECALLQL_"

_OF_SEVERAL_LINES = frozenset({"jwt_public_key", "jwt_secret", "llm_api_key", "llm_prompt", "spacy_languages"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUL = re.compile(r"\x00")
# Of what has no bound of its own: far above use, exact as a float, and a time that every library takes.
_MOST: Mapping[type, float] = {int: 10**12, float: 31_536_000}
_LONGEST_HOST = 253  # characters, the most that DNS has
_RESERVED_DATABASES = ("admin", "config", "local")  # MongoDB has no transactions in them
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")  # a token, as RFC 9110 has it
_NOT_IN_DATABASE_NAMES = re.compile(r"""[\s/\\."$*<>:|?\x00-\x1f]""")


class CheckedSettings(BaseSettings):
    """The checks of `graph.settings.Settings`, whose fields they name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8-sig",  # editors of Windows put a mark of three bytes first
        env_ignore_empty=True,  # as compose passes a variable that is not set: ${X:-}
        allow_inf_nan=False,
        hide_input_in_errors=True,
        extra="ignore",
    )

    @field_validator("data_dir", "mongod_path", "trusted_documents", check_fields=False)
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        try:
            return None if value is None else value.expanduser()
        except RuntimeError:
            raise ValueError("there is no such user: name a path without ~") from None

    @field_validator("host", check_fields=False)
    @classmethod
    def _is_host(cls, value: str) -> str:
        if re.search(r"\s", value) or len(value) > _LONGEST_HOST:
            raise ValueError("a host is one name or address, as localhost, 0.0.0.0 or ::1")
        return value

    @field_validator("database", check_fields=False)
    @classmethod
    def _is_database(cls, value: str) -> str:
        if _NOT_IN_DATABASE_NAMES.search(value) or len(value.encode()) > 38:
            raise ValueError(
                'a database has a name of at most 38 bytes, without white space and / \\ . " $ * < > : | ?'
            )
        if value in _RESERVED_DATABASES:
            raise ValueError(f"{', '.join(_RESERVED_DATABASES)} are MongoDB's own databases: choose another name")
        return value

    @field_validator("jwt_session_prefix", check_fields=False)
    @classmethod
    def _ends_the_user(cls, value: str | None) -> str | None:
        if value is not None and (value.count("{sub}") != 1 or value.endswith("{sub}")):
            raise ValueError(
                "a prefix holds {sub} once, for the user's id, and ends with a text that is in no user's id, as {sub}:"
            )
        return value

    @field_validator("allowed_origins", "allowed_headers", mode="before", check_fields=False)
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("allowed_origins", check_fields=False)
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(origin, value))

    @field_validator("allowed_headers", check_fields=False)
    @classmethod
    def _are_headers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError("the name of a header has letters, digits and hyphens, as x-tenant")
        return tuple(name.lower() for name in value)

    @field_validator("llm_base_url", "jwt_jwks_url", check_fields=False)
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None:
            web_address(value)
        return value

    @field_validator("spacy_languages", mode="before", check_fields=False)
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
        if not isinstance(value, Mapping) or not all(map(_is_model, value.items())):
            raise ValueError('a JSON object of language codes and models is needed, as {"de": "de_core_news_sm"}')
        return value

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
            lines_allowed = info.field_name in _OF_SEVERAL_LINES
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
