"""Traces of the processes of a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from graph.errors import StartupError
from graph.settings import Settings
from graph.telemetry.steps import carry_by, observe


@contextmanager
def traced(settings: Settings, role: Literal["web", "worker"]) -> Iterator[None]:
    """Observe this process as traces where the settings name a collector.

    To be called before the database is opened: a client of MongoDB is observed from its start or not at all.

    Raises:
        StartupError: the packages of OpenTelemetry are missing.
    """
    if settings.otlp_endpoint is None:
        yield
        return
    try:
        from graph.telemetry import tracing  # noqa: PLC0415 - only where traces are on
    except ImportError as error:
        raise StartupError(
            f"RECALLQL_OTLP_ENDPOINT needs packages that are missing ({error.name}): pip install 'recallql[otel]'"
        ) from None
    provider = tracing.exporting(settings.otlp_endpoint, settings.trace_share, role)
    tracer = tracing.Tracing(provider)
    observe(tracer)
    carry_by(tracer.traceparent)
    try:
        yield
    finally:
        tracing.end(provider)
