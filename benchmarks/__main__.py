"""Prints what RecallQL costs beside what it could be replaced by: `python -m benchmarks [--quick]`.

Real `mongod`, real HTTP, one process a server. Contenders take turns in alternating rounds, and a ratio is of one
round: the machine's moods are in the spread, not in the ratio.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from pymongo import MongoClient

from benchmarks import data
from benchmarks.load import require_wrk
from benchmarks.report import Report
from benchmarks.running import Bench
from benchmarks.work import PARTS
from graph.mongod.embedded import EmbeddedMongo


def main() -> None:
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less data and shorter rounds, in under two minutes")
    parser.add_argument("--rounds", type=int, help="rounds of each comparison (5, or 3 with --quick)")
    parser.add_argument("--seconds", type=float, help="seconds of one run (3, or 1 with --quick)")
    parser.add_argument("--data", type=Path, default=user_cache_path("recallql-benchmarks"), help="where data is kept")
    parser.add_argument("--only", choices=sorted(PARTS), nargs="*", help="these parts only")
    given = parser.parse_args()
    quick: bool = given.quick
    report = Report()
    report.line(f"load generator: {require_wrk()}; {os.cpu_count()} cores; Python {sys.version.split()[0]}")
    directory = given.data / ("quick" if quick else "full")
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        mongo = stack.enter_context(EmbeddedMongo(directory, cache_mb=1024))
        client: MongoClient[dict[str, Any]] = stack.enter_context(MongoClient(mongo.uri, tz_aware=True))
        bench = Bench(
            mongo.uri,
            client,
            report,
            stack,
            messages=10_000 if quick else 258_145,
            rounds=given.rounds or (3 if quick else 5),
            seconds=given.seconds or (1 if quick else 3),
            logs=directory,
        )
        report.line(f"{bench.messages:,} messages of chitchat-dataset")
        data.load_chats(client, bench.database, bench.messages)
        for name, part in PARTS.items():
            if given.only is None or name in given.only:
                part(bench)
    report.verdict()


if __name__ == "__main__":
    main()
