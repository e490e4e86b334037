"""Command-line flags made from the settings, so that each is described once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from graph.settings import Settings, load_settings
from graph.settings_rules import PREFIX

MONGODB_SETTINGS = (
    "mongodb_uri",
    "database",
    "data_dir",
    "mongod_path",
    "mongod_cache_mb",
    "mongod_oplog_hours",
    "mongod_oplog_mb",
    "mongodb_pool_size",
    "mongodb_timeout",
    "write_deadline",
)
"""The flags of every command that opens the database."""


def with_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of these settings, and call it with `settings=`.

    A flag wins over the environment variable, which wins over `.env`.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(command, eval_str=True)
        flags = [_flag(name, Settings.model_fields[name]) for name in names]

        @wraps(command)
        def wrapper(**given: Any) -> Any:
            chosen = {name: given.pop(name) for name in names}
            return command(settings=load_settings(**chosen), **given)

        kept = [parameter for name, parameter in own.parameters.items() if name != "settings"]
        wrapper.__signature__ = inspect.Signature([*kept, *flags])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in [*kept, *flags]}
        return wrapper

    return decorate


def given_text(value: str | None) -> str | None:
    """Check the text of a flag or argument that is no setting: the callback of its option.

    Raises:
        typer.BadParameter: it is empty, or not UTF-8.
    """
    if value is not None:
        if not value.strip():
            raise typer.BadParameter("it is empty: give a value, or leave it out")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise typer.BadParameter("it is not UTF-8") from None
    return value


def _flag(name: str, field: FieldInfo) -> inspect.Parameter:
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = "" if default is None else f" [default: {default}]"
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=f"{field.description} \\[{PREFIX}{name.upper()}]{shown.replace('[', chr(92) + '[', 1)}",
        show_default=False,
        metavar=_metavar(field),
    )
    # Texts: the settings class is the one that parses and checks them.
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _metavar(field: FieldInfo) -> str:
    kinds = {int: "NUMBER", float: "SECONDS", Path: "PATH", SecretStr: "TEXT", str: "TEXT", bool: "BOOLEAN"}
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    for candidate in (annotation, *get_args(annotation)):
        if candidate in kinds:
            return kinds[candidate]
    return "TEXT"
