"""The load generator, `wrk` of Debian's packages, and rounds in which contenders take turns."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SCRIPT = Path(__file__).parent / "wrk.lua"


@dataclass(frozen=True)
class Load:
    """Requests for one server.

    Attributes:
        base: the server's address.
        requests: lines such as `POST /graphql {…}` or `GET /path`, sent in turn.
        connections: how many send at once.
        look: whether to look into every answer for errors; costs the client time.
        accepts: the encodings that the requests accept.
    """

    base: str
    requests: Sequence[str]
    connections: int = 16
    look: bool = False
    accepts: str = "identity"


@dataclass(frozen=True)
class Measured:
    """What one run gave: requests a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p95: float
    requests: int
    bytes_each: float


@dataclass
class Contest:
    """The runs of each contender, round by round."""

    runs: dict[str, list[Measured]] = field(default_factory=dict)

    def rate(self, name: str) -> str:
        """Median and spread of requests a second."""
        return spread([run.rate for run in self.runs[name]], "{:,.0f}")

    def ratio(self, name: str, other: str) -> str:
        """Median and spread of the ratios of the rounds."""
        return spread(self.ratios(name, other), "{:.2f}")

    def ratios(self, name: str, other: str) -> list[float]:
        """The ratio of the rates, for each round."""
        return [mine.rate / theirs.rate for mine, theirs in zip(self.runs[name], self.runs[other], strict=True)]

    def latency(self, name: str) -> str:
        """Medians of the 50th and 95th percentile."""
        runs = self.runs[name]
        p50, p95 = (statistics.median(values) for values in zip(*((run.p50, run.p95) for run in runs), strict=True))
        return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms"


def spread(values: Sequence[float], form: str) -> str:
    """The median, with the least and the greatest."""
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}-{high})"


def require_wrk() -> str:
    """The version of wrk; ends the program with what to do when it is not there."""
    if shutil.which("wrk") is None:
        raise SystemExit("the load generator is missing: apt-get install wrk")
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).splitlines()[0].split(" Copyright")[0].strip()


def run(load: Load, seconds: float) -> Measured:
    """One run.

    Raises:
        RuntimeError: a request failed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requests:
        requests.write("\n".join(load.requests) + "\n")
        requests.flush()
        command = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
        command += ["-H", f"Accept-Encoding: {load.accepts}"]
        command += ["-s", str(_SCRIPT), load.base, "--", requests.name, *(["look"] if load.look else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["failures"]:
        message = f"{told['failures']} of {told['requests']} requests to {load.base} failed"
        raise RuntimeError(message)
    if not told["requests"]:
        message = f"{load.base} answered nothing in {seconds:g} seconds"
        raise RuntimeError(message)
    return Measured(
        told["requests"] / told["microseconds"] * 1e6,
        told["p50"] / 1000,
        told["p95"] / 1000,
        told["requests"],
        told["bytes"] / max(1, told["requests"]),
    )


def contest(loads: dict[str, Load], *, rounds: int, seconds: float) -> Contest:
    """Run the contenders in turn, in the other direction every second round, after a warm-up of each."""
    result = Contest({name: [] for name in loads})
    for load in loads.values():
        run(load, 1)
    names = list(loads)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            result.runs[name].append(run(loads[name], seconds))
    return result
