"""The `recallql` command."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from graph import token_commands
from graph.errors import StartupError
from graph.options import with_settings
from graph.settings import Settings

app = typer.Typer(
    name="recallql",
    help="Conversation memory for chat apps and agents, over GraphQL, kept in MongoDB.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


_SUMMARY_SETTINGS = (
    "summary_max_tokens",
    "llm_base_url",
    "llm_model",
    "llm_timeout",
    "llm_attempts",
    "llm_max_input_tokens",
    "llm_prompt",
)


@app.command()
@with_settings(
    "host",
    "port",
    "mongodb_uri",
    "database",
    "data_dir",
    "mongod_path",
    "mongod_cache_mb",
    "mongodb_pool_size",
    "mongodb_timeout",
    "write_deadline",
    "auth",
    "jwt_public_key",
    "jwt_jwks_url",
    "jwt_issuer",
    "jwt_audience",
    "jwt_leeway",
    "allowed_origins",
    "body_limit",
    "max_tokens",
    "max_depth",
    "max_aliases",
    "max_directives",
    "max_root_fields",
    "max_fields",
    "max_cost",
    "report_cost",
    "user_budget",
    "service_budget",
    "trusted_documents",
    "trusted_documents_only",
    "introspection",
    "suggestions",
    "explorer",
    "get_queries",
    "request_timeout",
    "operation_timeout",
    "database_timeout",
    "message_window",
    "token_encoding",
    "keep_alive",
    "subscriptions_per_connection",
    "worker_processes",
    "await_entities_timeout",
    "spacy_model",
    "enrichment_lease",
    "enrichment_attempts",
    "enrichment_backoff",
    "enrichment_poll",
    *_SUMMARY_SETTINGS,
    "log_level",
)
def serve(settings: Settings) -> None:
    """Serve the GraphQL API and the explorer, with an enrichment worker; alone, a whole system on one machine."""
    from graph.serve import serve as run  # noqa: PLC0415 - other commands need no web server

    _exit_on_signals()
    run(settings)


_WORKER_SETTINGS = (
    "mongodb_uri",
    "database",
    "data_dir",
    "mongod_path",
    "mongodb_timeout",
    "write_deadline",
    "message_window",
    "token_encoding",
    "spacy_model",
    "enrichment_lease",
    "enrichment_attempts",
    "enrichment_backoff",
    "enrichment_poll",
    *_SUMMARY_SETTINGS,
    "log_level",
)


@app.command()
@with_settings(*_WORKER_SETTINGS)
def worker(
    settings: Settings,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="End with the process that started this one; no progress bar.")
    ] = False,
) -> None:
    """Run one enrichment worker; any number may share a MongoDB."""
    from graph.enrichment.process import run  # noqa: PLC0415 - the web process never imports spaCy

    run(settings, quiet=quiet)


@app.command()
@with_settings(*_WORKER_SETTINGS)
def enrich(
    settings: Settings,
    failed: Annotated[bool, typer.Option("--failed", help="Begin again what has failed.")] = False,
    session: Annotated[str | None, typer.Option("--session", help="Only this session.")] = None,
) -> None:
    """Work until no enrichment is pending, then end; exit status 1 when some has failed."""
    from graph.enrichment.process import drain  # noqa: PLC0415 - the web process never imports spaCy

    if drain(settings, failed=failed, session_id=session):
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
    elif not check.exists() or check.read_text(encoding="utf-8") != text:
        typer.echo(f"{check} is stale: run `recallql schema > {check}`", err=True)
        raise typer.Exit(1)


@app.command("import-zep")
@with_settings(
    "mongodb_uri",
    "database",
    "data_dir",
    "mongod_path",
    "mongod_cache_mb",
    "mongodb_timeout",
    "write_deadline",
    "token_encoding",
    "log_level",
)
def import_zep(
    settings: Settings,
    base_url: Annotated[str, typer.Argument(help="The Zep v1 server, such as http://localhost:8000.")],
    api_key: Annotated[
        str | None, typer.Option("--api-key", envvar="ZEP_API_KEY", help="Its bearer token, if it needs one.")
    ] = None,
) -> None:
    """Take over the users, sessions and messages of a Zep v1 server; run it again to continue after a break."""
    from graph import import_zep as command  # noqa: PLC0415 - other commands need no web client

    _exit_on_signals()
    try:
        report = command.run(settings, base_url, api_key)
    except SystemExit:
        typer.echo("Stopped: run it again to continue", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"Imported {command.said(report)}")
    for refused in report.refused:
        typer.echo(f"Not imported: {refused}", err=True)
    if report.refused:
        raise typer.Exit(1)


app.add_typer(token_commands.app, name="token")


def _exit_on_signals() -> None:
    """Make SIGINT and SIGTERM unwind the stack with status 0, so that everything that was started is stopped."""

    def leave(_number: int, _frame: Any) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)


def main() -> None:
    """Run the command; a start that fails is one line on standard error, and status 2."""
    try:
        app()
    except StartupError as error:
        typer.echo(f"recallql: {error}", err=True)
        sys.exit(2)
