"""The `recallql` command."""

from __future__ import annotations

import shlex
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from graph.cli import keys
from graph.cli.options import given_text, with_settings
from graph.errors import OperationError, StartupError, TransferError
from graph.settings import (
    AuthSettings,
    EnrichmentSettings,
    LLMSettings,
    LoggingSettings,
    MongoDBSettings,
    Settings,
    SummarySettings,
    TokenSettings,
)

app = typer.Typer(
    name="recallql",
    help="Conversation memory for chat apps and agents, over GraphQL, kept in MongoDB.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"recallql {version('recallql')}")
        raise typer.Exit


_SHOWN = 200  # characters of a wrong path


@app.callback()
def recallql(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options of `recallql` itself."""


@app.command()
@with_settings(Settings)
def serve(settings: Settings) -> None:
    """Serve the GraphQL API and the explorer, with an enrichment worker; alone, a whole system on one machine."""
    from graph.runtime.serve import serve as run  # noqa: PLC0415 - other commands need no web server

    _exit_on_signals()
    run(settings)


@app.command(hidden=True)
@with_settings()
def web(
    settings: Settings,
    socket: Annotated[int, typer.Option("--socket", help="File descriptor of the listening socket.")],
) -> None:
    """Serve beside another web process: `serve --web-processes` starts it."""
    from graph.runtime.serve import serve_beside  # noqa: PLC0415 - other commands need no web server

    _exit_on_signals()
    serve_beside(settings, socket)


_with_worker_settings = with_settings(
    MongoDBSettings, TokenSettings, EnrichmentSettings, SummarySettings, LLMSettings, LoggingSettings
)


@app.command()
@_with_worker_settings
def worker(
    settings: Settings,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")] = False,
    end_with_input: Annotated[
        bool, typer.Option("--end-with-input", hidden=True, help="End when standard input does, too.")
    ] = False,
) -> None:
    """Run one enrichment worker; any number may share a MongoDB."""
    from graph.runtime.worker import run  # noqa: PLC0415 - the web process never imports spaCy

    run(settings, quiet=quiet, end_with_input=end_with_input)


@app.command()
@_with_worker_settings
def enrich(
    settings: Settings,
    failed: Annotated[bool, typer.Option("--failed", help="Begin again what has failed.")] = False,
    session: Annotated[str | None, typer.Option("--session", help="Only this session.", callback=given_text)] = None,
) -> None:
    """Work until no enrichment is pending, then end; exit status 1 when some has failed."""
    from graph.runtime.worker import drain  # noqa: PLC0415 - the web process never imports spaCy

    if drain(settings, failed=failed, session_id=session):
        raise typer.Exit(1)


@app.command(name="export")
@with_settings(MongoDBSettings)
def export_(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="Where to; - is standard output.")] = Path("-"),
    session: Annotated[
        str | None, typer.Option("--session", help="Only this session and its user.", callback=given_text)
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Only this user and its sessions.", callback=given_text)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an export to the same file that was stopped.")
    ] = False,
) -> None:
    """Write users and sessions, with all that belongs to them, as NDJSON; a server may run meanwhile."""
    from graph.cli.transfer import run_export  # noqa: PLC0415 - other commands do not need it
    from graph.transfer.export import Wanted  # noqa: PLC0415

    _interrupt_on_sigterm()
    run_export(settings, file, Wanted(session, user), resume=resume)


@app.command(name="import")
@with_settings(MongoDBSettings, TokenSettings)
def import_(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The NDJSON file; - is standard input.")] = Path("-"),
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave what is stored with other contents, rather than stop.")
    ] = False,
) -> None:
    """Store the users and sessions of an export, or of a file written by hand.

    What is there already is not stored again: an import that was stopped goes on when it is run again.
    """
    from graph.cli.transfer import run_import  # noqa: PLC0415 - other commands do not need it

    _interrupt_on_sigterm()
    run_import(settings, file, skip_existing=skip_existing)


@app.command()
@with_settings(MongoDBSettings, AuthSettings, TokenSettings, EnrichmentSettings, LLMSettings, LoggingSettings)
def doctor(settings: Settings) -> None:
    """Check MongoDB, indexes, models, token tables and disk, and name repairs; exit status 1 when a check fails."""
    from graph.cli.doctor import examine, report  # noqa: PLC0415 - loads spaCy

    if report(examine(settings)):
        raise typer.Exit(1)


@app.command()
def schema(
    check: Annotated[
        Path | None, typer.Option("--check", help="Compare with this file instead; exit status 1 when they differ.")
    ] = None,
) -> None:
    """Print the GraphQL schema, sorted."""
    from graph.schema.build import schema_text  # noqa: PLC0415 - other commands need no schema

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


@app.command("import-zep")
@with_settings(MongoDBSettings, TokenSettings, LoggingSettings)
def import_zep(
    settings: Settings,
    base_url: Annotated[str, typer.Argument(help="The Zep v1 server, such as http://localhost:8000.")],
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", envvar="ZEP_API_KEY", help="Its bearer token, if it needs one.", callback=given_text),
    ] = None,
) -> None:
    """Take over the users, sessions and messages of a Zep v1 server; run it again to continue after a break."""
    from graph.cli import import_zep as command  # noqa: PLC0415 - other commands need no web client

    _interrupt_on_sigterm()
    try:
        report = command.run(settings, base_url, api_key)
    except KeyboardInterrupt:
        typer.echo("Stopped: run it again to continue", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"Imported {command.said(report)}")
    for refused in report.refused:
        typer.echo(f"Not imported: {refused}", err=True)
    if report.refused:
        raise typer.Exit(1)


app.add_typer(keys.app, name="key")


@app.command(hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def token(context: typer.Context) -> None:
    """Refuse the old name of `recallql key`."""
    rest = shlex.join(context.args)
    raise StartupError(f"`recallql token` is called `recallql key` now: run `{f'recallql key {rest}'.strip()}`")


def _exit_on_signals() -> None:
    """Make SIGINT and SIGTERM unwind the stack with status 0, so that everything that was started is stopped."""

    def leave(_number: int, _frame: Any) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)


def _interrupt_on_sigterm() -> None:
    """Handle SIGTERM as SIGINT: started processes stop, and the exit status says that the work is incomplete."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def main() -> None:
    """Run the command; what it refuses is one line on standard error, with status 1, or 2 when it can't start."""
    status: Any
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:  # a flag or argument that typer refuses
        status = _refused(error.format_message(), error.exit_code)
    except typer.Abort:
        status = _refused("stopped", 1)
    except (TransferError, OperationError) as error:
        status = _refused(str(error), 1)
    except StartupError as error:
        status = _refused(str(error), 2)
    sys.exit(status)


def _refused(text: str, status: int) -> int:
    typer.echo(f"recallql: {' '.join(text.split())}", err=True)
    return status
