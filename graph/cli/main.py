"""The `recallql` command: the commands of `graph.cli.commands`, and how a refusal is reported."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from graph.cli import commands
from graph.errors import OperationError, StartupError, TransferError, named_thread_limit


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"recallql {version('recallql')}")
        raise typer.Exit


def _recallql(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options of `recallql` itself."""


def _commands() -> Iterator[typer.Typer]:
    """The `app` of each module in `graph.cli.commands`, in the order of their names."""
    for module in pkgutil.iter_modules(commands.__path__, f"{commands.__name__}."):
        command: typer.Typer = import_module(module.name).app
        yield command


def _recallql_app() -> typer.Typer:
    app = typer.Typer(
        name="recallql",
        help="Conversation memory for chat apps and agents, over GraphQL, kept in MongoDB.",
        callback=_recallql,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for command in _commands():
        app.add_typer(command)
    return app


app = _recallql_app()


def main() -> None:
    """Run the command. A refusal is one line on standard error, with status 1, or 2 when the command can't start."""
    status: object
    try:
        with named_thread_limit():
            status = app(standalone_mode=False)
    except typer.TyperException as error:  # a flag or argument that typer refuses
        status = _refused(error.format_message(), error.exit_code)
    except typer.Abort:
        status = _refused("stopped", 1)
    except (TransferError, OperationError) as error:
        status = _refused(str(error), 1)
    except StartupError as error:
        status = _refused(str(error), 2)
    sys.exit(status if isinstance(status, int) else None)


def _refused(text: str, status: int) -> int:
    typer.echo(f"recallql: {' '.join(text.split())}", err=True)
    return status
