"""`recallql token`, the old name of `recallql key`."""

from __future__ import annotations

import shlex

import typer

from graph.errors import StartupError

app = typer.Typer()


@app.command(hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def token(context: typer.Context) -> None:
    """Refuse the old name."""
    rest = shlex.join(context.args)
    raise StartupError(f"`recallql token` is called `recallql key` now: run `{f'recallql key {rest}'.strip()}`")
