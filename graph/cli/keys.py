"""`recallql token`: making, listing and revoking service keys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from graph.cli.options import with_settings
from graph.errors import OperationError, StartupError
from graph.settings import Settings

if TYPE_CHECKING:
    from graph.store.database import Database

# Every command loads this module: what takes long to import is imported where it is used.
# ruff: noqa: PLC0415

T = TypeVar("T")

app = typer.Typer(help="Make, list and revoke the service keys of backends.", no_args_is_help=True)

_with_database = with_settings("mongodb_uri", "database", "data_dir")


@app.command()
@_with_database
def create(
    settings: Settings,
    name: Annotated[str, typer.Argument(help="What the key is for; unique.")],
    scope: Annotated[
        Literal["read", "write", "admin"],
        typer.Option(help="read: queries and subscriptions. write: mutations too. admin: also deleteUser and retries."),
    ] = "write",
) -> None:
    """Make a key and print it: it is not kept, and can't be shown again."""
    from graph.access import keys
    from graph.access.caller import Right

    key, token = _run(settings, lambda database: keys.create_key(database, name, Right[scope.upper()]))
    typer.echo(f"Key {key.id} ({scope}) for {key.name}. Keep it now, it can't be shown again:", err=True)
    sys.stdout.write(f"{token}\n")


@app.command(name="list")
@_with_database
def list_(settings: Settings) -> None:
    """List the keys, with when they were last used (to the minute)."""
    from rich.console import Console
    from rich.table import Table

    from graph.access import keys

    found = _run(settings, keys.list_keys)
    table = Table("Id", "Name", "Scope", "Created", "Last used", box=None)
    for key in found:
        table.add_row(key.id, key.name, key.right.name.lower(), _time(key.created_at), _time(key.last_used_at))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@app.command()
@_with_database
def revoke(settings: Settings, key: Annotated[str, typer.Argument(help="Name or id of the key.")]) -> None:
    """Make a key void at once."""
    from graph.access import keys

    revoked = _run(settings, lambda database: keys.revoke_key(database, key))
    typer.echo(f"Key {revoked.id} for {revoked.name} is void.")


def _time(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def _run(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    from graph.runtime.deployment import mongodb
    from graph.store.database import open_database

    async def with_database(uri: str) -> T:
        database = await open_database(uri, name=settings.database, timeout=settings.mongodb_timeout)
        try:
            return await work(database)
        finally:
            await database.close()

    with mongodb(settings, attach=True) as uri:
        try:
            return asyncio.run(with_database(uri))
        except OperationError as error:
            raise StartupError(str(error)) from None
