"""What the benchmarks print."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


class Report:
    """Prints as it goes, and keeps what is measured against a target."""

    def __init__(self) -> None:
        self._verdicts: list[tuple[bool, str]] = []

    def line(self, text: str = "") -> None:
        """A line of text."""
        print(text, flush=True)

    def head(self, text: str) -> None:
        """What comes next."""
        print(f"\n== {text}", flush=True)

    def row(self, *cells: str) -> None:
        """A row of a table."""
        first, *others = cells
        print(f"  {first:<34}" + "".join(f"{cell:<30}" for cell in others), flush=True)

    def target(
        self, what: str, values: Sequence[float], *, least: float | None = None, most: float | None = None
    ) -> None:
        """Compare a median with its target."""
        middle = statistics.median(values)
        met = (least is None or middle >= least) and (most is None or middle <= most)
        wanted = f"at least {least:g}" if least is not None else f"at most {most:g}"
        spread = f"{middle:.2f} ({min(values):.2f}-{max(values):.2f})"
        self._verdicts.append((met, f"{what}: {spread}, target {wanted}"))
        print(f"  -> {what}: {spread}, target {wanted}: {'met' if met else 'MISSED'}", flush=True)

    def verdict(self) -> None:
        """All targets in one list."""
        self.head("targets")
        for met, text in self._verdicts:
            print(f"  {'met   ' if met else 'MISSED'}  {text}", flush=True)
