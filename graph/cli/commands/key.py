"""`recallql key`: making, listing and revoking service keys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from graph.cli.options import with_settings
from graph.errors import OperationError, StartupError
from graph.settings import MongoDBSettings, Settings

if TYPE_CHECKING:
    from graph.store.database import Database

T = TypeVar("T")

app = typer.Typer(name="key", help="Make, list and revoke the service keys of backends.", no_args_is_help=True)

_Anyway = Annotated[
    bool, typer.Option("--anyway", help="Do it also in a store that nobody serves here, while another is being served.")
]

_with_database = with_settings(MongoDBSettings)


@app.command()
@_with_database
def create(
    settings: Settings,
    name: Annotated[str, typer.Argument(help="Unique name that says which service uses the key.")],
    scope: Annotated[
        Literal["read", "write", "admin"],
        typer.Option(help="read: queries and subscriptions. write: mutations too. admin: also deleteUser and retries."),
    ] = "write",
    anyway: _Anyway = False,
) -> None:
    """Make a key and print it: it is not kept, and can't be shown again."""
    from graph.access import keys
    from graph.access.caller import Right

    where = _place(settings, anyway=anyway)
    key, token = _run(settings, lambda database: keys.create_key(database, name, Right[scope.upper()]))
    typer.echo(f"Key {key.id} ({scope}) for {key.name}, in {where}. Keep it now, it can't be shown again:", err=True)
    sys.stdout.write(f"{token}\n")


@app.command(name="list")
@_with_database
def list_(settings: Settings, anyway: _Anyway = False) -> None:
    """List the keys, with when they were last used (to the minute)."""
    from rich.console import Console
    from rich.table import Table

    from graph.access import keys

    where = _place(settings, anyway=anyway)
    found = _run(settings, keys.list_keys)
    typer.echo(f"The keys in {where}:", err=True)
    table = Table("Id", "Name", "Scope", "Created", "Last used", box=None)
    for key in found:
        table.add_row(key.id, key.name, key.right.name.lower(), _time(key.created_at), _time(key.last_used_at))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@app.command()
@_with_database
def revoke(
    settings: Settings,
    key: Annotated[str, typer.Argument(help="Name or id of the key.")],
    anyway: _Anyway = False,
) -> None:
    """Make a key void at once."""
    from graph.access import keys

    where = _place(settings, anyway=anyway)
    revoked = _run(settings, lambda database: keys.revoke_key(database, key))
    typer.echo(f"Key {revoked.id} for {revoked.name}, in {where}, is void.")


def _time(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def _place(settings: Settings, *, anyway: bool) -> str:
    """Return the location of the keys in words, with the process that serves them.

    Raises:
        StartupError: no process serves this store, but one serves another store, which does not accept the keys.
    """
    from graph.runtime.served import Store, all_served

    store, served = Store.of(settings), all_served()
    for found in served:
        if found.store.is_same(store):
            return f"{found.store}, which process {found.pid} serves"
    if served and not anyway:
        raise StartupError(
            f"nobody serves {store} here, while process {served[0].pid} serves {served[0].store}: name that one with"
            " --data-dir, or with --mongodb-uri and --database, or add --anyway"
        )
    return f"{store}, which nobody serves here now"


def _run(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    from graph.operations.opening import opened
    from graph.runtime.deployment import mongodb

    async def with_database(uri: str) -> T:
        async with opened(settings, uri) as database:
            return await work(database)

    with mongodb(settings, attach=True, anyway=True) as uri:
        try:
            return asyncio.run(with_database(uri))
        except OperationError as error:
            raise StartupError(str(error)) from None
