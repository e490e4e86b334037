"""Command-line flags made from the settings, so that each is described once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from graph.settings import (
    NO_FLAG,
    PREFIX,
    RENAMED,
    EnrichmentSettings,
    LLMSettings,
    LoggingSettings,
    MongoDBSettings,
    RecallSettings,
    SummarySettings,
    TelemetrySettings,
    TokenSettings,
    load_settings,
)
from graph.settings.types import CheckedSettings


def with_settings(*groups: type[CheckedSettings]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of these groups of settings, and call it with `settings=`.

    A flag wins over the environment variable, which wins over `.env`. The command gets all settings, since those
    without a flag come from the environment.
    """
    fields = {
        name: (field, _panel(group))
        for base in groups
        for group in _parts(base)
        for name, field in group.model_fields.items()
        if NO_FLAG not in field.metadata
    }

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(command, eval_str=True)
        old = [_old_flag(name, new) for name, new in RENAMED.items() if new in fields]
        flags = [*(_flag(name, *of) for name, of in fields.items()), *old]

        @wraps(command)
        def wrapper(**arguments: Any) -> Any:
            chosen = {flag.name: arguments.pop(flag.name) for flag in flags}
            return command(settings=load_settings(**{name: chosen[name] for name in fields}), **arguments)

        parameters = [parameter for name, parameter in own.parameters.items() if name != "settings"]
        wrapper.__signature__ = inspect.Signature([*parameters, *flags])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *flags]}
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


def _parts(group: type[CheckedSettings]) -> list[type[CheckedSettings]]:
    """The groups that a class of settings combines, in their declared order; itself where it combines none."""
    bases = [base for base in reversed(group.__bases__) if base is not CheckedSettings]
    return bases or [group]


def _panel(group: type[CheckedSettings]) -> str:
    """The heading of a group's flags in the help."""
    return group.__name__.removesuffix("Settings")


def _flag(name: str, field: FieldInfo, panel: str) -> inspect.Parameter:
    default = field.get_default(call_default_factory=True, validated_data={})
    is_switch = field.annotation is bool
    flag = _spelled(name)
    option = typer.Option(
        f"{flag}/--no-{flag.removeprefix('--')}" if is_switch else flag,
        help=f"{field.description} \\[{PREFIX}{name.upper()}]{_shown(default, is_switch=is_switch)}",
        show_default=False,
        rich_help_panel=panel,
        metavar=None if is_switch else _metavar(field),
    )
    # Texts, but for switches: the settings class parses and checks them.
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[bool | None, option] if is_switch else Annotated[str | None, option],
    )


def _old_flag(name: str, new: str) -> inspect.Parameter:
    """The flag of a setting's earlier name, which says the present one."""

    def refuse(value: str | None) -> None:
        if value is not None:
            raise typer.BadParameter(f"it is now {_spelled(new)}: rename it")

    option = typer.Option(_spelled(name), hidden=True, callback=refuse)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _shown(default: Any, *, is_switch: bool) -> str:
    if default is None or default in ((), {}):
        return ""
    value = ",".join(default) if isinstance(default, tuple) else default
    text = ("on" if default else "off") if is_switch else value
    return f" \\[default: {text}]"


def _metavar(field: FieldInfo) -> str:
    kinds = {int: "NUMBER", float: "NUMBER", Path: "PATH"}
    if get_origin(field.annotation) is Literal:
        return "|".join(map(str, get_args(field.annotation)))
    return next((kinds[kind] for kind in _kinds(field.annotation) if kind in kinds), "TEXT")


def _kinds(annotation: Any) -> list[Any]:
    """The types in an optional or annotated type."""
    return [annotation, *(kind for part in get_args(annotation) for kind in _kinds(part))]


with_worker_settings = with_settings(
    MongoDBSettings,
    TokenSettings,
    EnrichmentSettings,
    RecallSettings,
    SummarySettings,
    LLMSettings,
    LoggingSettings,
    TelemetrySettings,
)
"""Give a command the flags of an enrichment worker."""
