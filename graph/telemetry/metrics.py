"""Prometheus metrics of the observed steps and levels; loaded only where they are on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from graph.telemetry.operations import FirstNames, operation_of
from graph.telemetry.steps import OK, Kind, Step, levels

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LONG = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
LEVEL_SECONDS = 5.0
"""Between two readings of levels and of the process."""


class Metrics:
    """Observes steps as metrics.

    Args:
        registry: where the metrics are.
        role: of the process: web or worker.
    """

    kinds = frozenset({Kind.REQUEST, Kind.COMMAND, Kind.CHECKOUT, Kind.JOB, Kind.SEARCH, Kind.DELIVERY})

    def __init__(self, registry: CollectorRegistry, role: str) -> None:
        self._role = role
        self._operations, self._reasons = FirstNames(), FirstNames()
        self._process = psutil.Process()
        self._cpu = 0.0

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"recallql_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _QUICK) -> Histogram:
            return Histogram(f"recallql_{name}", text, labels, registry=registry, buckets=buckets)

        def gauge(name: str, text: str, *labels: str, mode: str = "livesum") -> Gauge:
            return Gauge(f"recallql_{name}", text, labels, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]

        self._requests = counter("requests", "Requests by operation", "operation", "kind", "outcome")
        self._request_seconds = histogram("request_seconds", "Length of requests without waits", "operation", "kind")
        self._subscription_seconds = histogram(
            "subscription_seconds", "Length of subscriptions", "outcome", buckets=(1.0, 10.0, 60.0, 600.0, 3600.0)
        )
        self._cost = counter("cost", "Cost of admitted operations", "caller")
        self._refused = counter("cost_refused", "Cost of operations that were refused as too costly", "caller")
        self._commands = histogram("mongodb_command_seconds", "Commands of MongoDB", "command", "outcome")
        self._checkouts = histogram("mongodb_checkout_seconds", "Waits for a connection to MongoDB", "outcome")
        self._searches = histogram("recall_seconds", "Searches in messages", "outcome")
        self._search_cache = counter("recall_cache", "Searches by the use of the cached scope", "result")
        self._lag = histogram("live_lag_seconds", "From the commit of a change until its event is sent")
        self._jobs = histogram("job_seconds", "Jobs that found work", "job", "outcome", buckets=_LONG)
        self._job_items = counter("job_items", "Items of jobs, such as messages", "job")
        self._job_failures = counter("job_failures", "Failed items of jobs", "job", "reason")
        self._levels = gauge("level", "Present levels of processes, such as subscribers", "name")
        self._queues = gauge("queue_depth", "Pending work", "kind", mode="mostrecent")
        self._oldest = gauge("queue_oldest_seconds", "Age of the oldest pending work", "kind", mode="mostrecent")
        self._processor = counter("process_cpu_seconds", "Processor time of processes", "role")
        self._memory = gauge("process_resident_bytes", "Resident memory of processes", "role", mode="liveall")
        self._files = gauge("process_open_files", "Open file descriptors of processes", "role", mode="liveall")
        self._threads = gauge("process_threads", "Threads of processes", "role", mode="liveall")
        self._processes = gauge("processes", "Running processes", "role")
        self._late = histogram("event_loop_late_seconds", "How late the event loop runs a timer", "role")
        self._processes.labels(role).set(1)

    def began(self, step: Step) -> None:
        """Do nothing: a step is counted at its end."""

    def ended(self, step: Step) -> None:
        """Count a step."""
        match step.kind:
            case Kind.COMMAND:
                self._commands.labels(step.name, step.outcome).observe(step.seconds)
            case Kind.CHECKOUT:
                self._checkouts.labels(step.outcome).observe(step.seconds)
            case Kind.REQUEST:
                self._request(step)
            case Kind.JOB:
                self._job(step)
            case Kind.SEARCH:
                self._searches.labels(step.outcome).observe(step.seconds)
                if "cache" in step.facts:
                    self._search_cache.labels(str(step.facts["cache"])).inc()
            case Kind.DELIVERY:
                self._lag.observe(step.seconds)

    def _request(self, step: Step) -> None:
        if (found := operation_of(step, self._operations)) is None:
            return
        facts = step.facts
        operation, kind = found
        self._requests.labels(operation, kind, step.outcome).inc()
        if kind == "subscription":
            self._subscription_seconds.labels(step.outcome).observe(step.seconds)
        else:
            self._request_seconds.labels(operation, kind).observe(step.worked)
        caller = str(facts.get("caller", "unknown"))
        if cost := facts.get("cost"):
            self._cost.labels(caller).inc(_number(cost))
        if refused := facts.get("refused"):
            self._refused.labels(caller).inc(_number(refused))

    def _job(self, step: Step) -> None:
        items = _number(step.facts.get("items", 0))
        if not items and step.outcome == OK:
            return
        self._jobs.labels(step.name, step.outcome).observe(step.seconds)
        self._job_items.labels(step.name).inc(items)
        if step.outcome != OK:
            self._job_failures.labels(step.name, step.outcome).inc()
        for reason in _texts(step.facts.get("reasons", [])):
            self._job_failures.labels(step.name, self._reasons.of(reason)).inc()

    def set_queues(self, queues: Mapping[str, tuple[int, float]]) -> None:
        """Set the number and the age in seconds of the oldest of the pending work of each kind."""
        for kind, (depth, oldest) in queues.items():
            self._queues.labels(kind).set(depth)
            self._oldest.labels(kind).set(oldest)

    async def keep_levels(self) -> None:
        """Read the levels and the figures of the process every few seconds, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.read_levels()
            due = loop.time() + LEVEL_SECONDS
            await asyncio.sleep(LEVEL_SECONDS)
            self._late.labels(self._role).observe(max(0.0, loop.time() - due))

    def read_levels(self) -> None:
        """Read the levels and the figures of the process."""
        for name, value in levels().items():
            self._levels.labels(name).set(value)
        with self._process.oneshot():
            times = self._process.cpu_times()
            used = times.user + times.system
            self._processor.labels(self._role).inc(max(0.0, used - self._cpu))
            self._cpu = used
            self._memory.labels(self._role).set(self._process.memory_info().rss)
            self._threads.labels(self._role).set(self._process.num_threads())
        self._files.labels(self._role).set(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - names alone


def _number(fact: object) -> float:
    return float(fact) if isinstance(fact, int | float) else 0.0


def _texts(fact: object) -> list[str]:
    return [str(text) for text in fact] if isinstance(fact, list) else []
