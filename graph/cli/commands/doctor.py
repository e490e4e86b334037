"""`recallql doctor`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from graph.cli.options import with_settings
from graph.settings import (
    AuthSettings,
    EnrichmentSettings,
    LLMSettings,
    LoggingSettings,
    MongoDBSettings,
    RecallSettings,
    Settings,
    TokenSettings,
)

if TYPE_CHECKING:
    from graph.operations.diagnosis import Finding

app = typer.Typer()


@app.command()
@with_settings(
    MongoDBSettings, AuthSettings, TokenSettings, EnrichmentSettings, RecallSettings, LLMSettings, LoggingSettings
)
def doctor(settings: Settings) -> None:
    """Check MongoDB, indexes, models, token tables and disk, and name repairs; exit status 1 when a check fails.

    Changes and starts nothing: without a running server, an embedded MongoDB is not looked into.
    """
    from graph.runtime.diagnosis import examine

    if report(examine(settings)):
        raise typer.Exit(1)


def report(findings: list[Finding]) -> int:
    """Print the findings; 1 when something is broken, and 0 otherwise."""
    from rich.console import Console
    from rich.markup import escape

    from graph.operations.diagnosis import Grade

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    colours = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.BROKEN: "red"}
    for finding in findings:
        colour = colours[finding.grade]
        text = f"{finding.text}. {finding.advice}" if finding.advice else finding.text
        console.print(f"[{colour}]{finding.grade.value:<8}[/] {finding.name}: {escape(text)}", soft_wrap=True)
    return int(any(finding.grade is Grade.BROKEN for finding in findings))
