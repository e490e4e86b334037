"""`recallql schema`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from graph.errors import StartupError

app = typer.Typer()

_SHOWN = 200  # characters of a wrong path


@app.command()
def schema(
    check: Annotated[
        Path | None, typer.Option("--check", help="Compare with this file instead; exit status 1 when they differ.")
    ] = None,
) -> None:
    """Print the GraphQL schema."""
    from graph.schema.build import schema_text

    text = schema_text()
    if check is None:
        sys.stdout.write(text)
    elif _contents(check) != text:
        typer.echo(f"{check} is stale: run `recallql schema > {check}`", err=True)
        raise typer.Exit(1)


def _contents(file: Path) -> str | None:
    """The text of a file, or None where there is no such file."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise StartupError(f"--check {str(file)[:_SHOWN]} is not UTF-8") from None
    except OSError as error:
        raise StartupError(f"--check {str(file)[:_SHOWN]} can't be read: {error.strerror}") from None
