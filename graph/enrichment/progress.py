"""A progress bar for a worker on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from graph.enrichment.worker import WorkCounts


class Report(Protocol):
    """Receives the work done, and the work left where it is known."""

    def __call__(self, done: WorkCounts, pending: int | None = None, unembedded: int | None = None) -> None: ...


@contextmanager
def progress_bar(console: Console) -> Iterator[Report]:
    """A bar of the messages read so far, of all that were pending, and one of those that were embedded.

    Nothing is shown where there is no terminal.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("enriching", total=None, rate="", failed="")
        embedding = bar.add_task("embedding", total=None, visible=False, rate="", failed="")

        def report(done: WorkCounts, pending: int | None = None, unembedded: int | None = None) -> None:
            if unembedded is not None:
                of_all = done.embedded + unembedded
                bar.update(embedding, completed=done.embedded, total=of_all, visible=of_all > 0)
            total = bar.tasks[0].total if pending is None else done.stored + pending
            speed = bar.tasks[0].speed
            bar.update(
                task,
                completed=done.stored,
                total=total,
                rate=f"{speed:,.0f}/s" if speed else "",
                failed=f"{done.failed:,} failed" if done.failed else "",
            )

        yield report
