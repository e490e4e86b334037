"""OpenTelemetry spans of the observed steps; loaded only where an operator wants traces."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from graph.telemetry.steps import OK, Kind, Step

_EXPORT_SECONDS: Final = 5.0
_END_SECONDS: Final = 2.0
"""Maximum seconds for the last spans at the end of a process, which must not wait for a collector that is away."""
_MOST_LINKS: Final = 128
_NAMES: Final[Mapping[Kind, str]] = {
    Kind.PARSE: "parse",
    Kind.ADMISSION: "admission",
    Kind.RESOLVER: "resolve",
    Kind.SEARCH: "search",
    Kind.JOB: "job",
    Kind.CALL: "call",
}
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    Kind.REQUEST: SpanKind.SERVER,
    Kind.COMMAND: SpanKind.CLIENT,
    Kind.CALL: SpanKind.CLIENT,
    Kind.JOB: SpanKind.CONSUMER,
}
_ROOTS: Final = frozenset({Kind.REQUEST, Kind.JOB})
_ATTRIBUTES: Final[Mapping[str, str]] = {
    "kind": "graphql.operation.type",
    "operation": "graphql.operation.name",
    "caller": "recallql.caller",
    "cost": "recallql.cost",
    "items": "recallql.items",
    "failed": "recallql.failed",
    "cache": "recallql.cache",
}
"""The attributes of a span, by the facts of its step: names of OpenTelemetry's conventions where there are any."""
_LONGEST: Final = 100  # characters of a name that a client chooses
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Tracing:
    """Observes steps as spans.

    Args:
        provider: makes and exports the spans.
    """

    kinds = frozenset(Kind) - {Kind.CHECKOUT, Kind.DELIVERY}

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("recallql", version("recallql"))

    def began(self, step: Step) -> None:
        """Start the span of a step; without a parent, only a request or job has one."""
        if step.kind not in _ROOTS and _parent_of(step) is None:
            return
        step.span = self._start(step, time.time_ns() - int(step.earlier * 1e9))

    def ended(self, step: Step) -> None:
        """End the span of a step. A command outside of any request and job has none."""
        now = time.time_ns()
        if step.span is None and _parent_of(step) is None:
            return
        span = step.span if isinstance(step.span, Span) else self._start(step, now - int(step.seconds * 1e9))
        if step.kind is Kind.REQUEST:
            span.update_name(_name_of(step))
        for name, value in _attributes_of(step).items():
            span.set_attribute(name, value)
        if step.outcome != OK:
            span.set_attribute("error.type", step.outcome)
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)

    def traceparent(self, step: Step) -> str:
        """Return the `traceparent` of the span in which a step is, or an empty text."""
        span = step.span if isinstance(step.span, Span) else _parent_of(step)
        if span is None:
            return ""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(span, Context()))
        return carrier.get("traceparent", "")

    def _start(self, step: Step, at: int) -> Span:
        parent = _parent_of(step)
        sent = step.facts.get("traceparent", "")
        context = set_span_in_context(parent, Context()) if parent is not None else _extracted(str(sent))
        return self._tracer.start_span(
            _name_of(step), context, _KINDS.get(step.kind, SpanKind.INTERNAL), links=_links_of(step), start_time=at
        )


def _parent_of(step: Step) -> Span | None:
    parent = step.parent
    while parent is not None and not isinstance(parent.span, Span):
        parent = parent.parent
    return parent.span if parent is not None and isinstance(parent.span, Span) else None


def _extracted(traceparent: str) -> Context:
    """The context of another service's span; an empty one for a header that has none."""
    return _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {}, Context())


def _links_of(step: Step) -> list[Link]:
    sent = step.facts.get("links", [])
    texts = list(dict.fromkeys(map(str, sent)))[:_MOST_LINKS] if isinstance(sent, list) else []
    contexts = [get_current_span(_extracted(text)).get_span_context() for text in texts]
    return [Link(context) for context in contexts if context.is_valid]


def _name_of(step: Step) -> str:
    if step.kind is Kind.REQUEST:
        named = [str(step.facts[name]) for name in ("protocol", "kind", "operation") if step.facts.get(name)]
        return " ".join(named)[:_LONGEST] or "http"
    if step.kind is Kind.COMMAND:
        return f"{step.name} {step.facts.get('collection', '')}".strip()
    return f"{_NAMES[step.kind]} {step.name}".strip()


def _attributes_of(step: Step) -> dict[str, str | int | float]:
    if step.kind is Kind.COMMAND:
        found: dict[str, str | int | float] = {"db.system.name": "mongodb", "db.operation.name": step.name}
        if collection := step.facts.get("collection"):
            found["db.collection.name"] = str(collection)
        return found
    found = {}
    for fact, name in _ATTRIBUTES.items():
        value = step.facts.get(fact, "")
        if isinstance(value, str):
            value = value[:_LONGEST]
        if value != "" and not isinstance(value, list):
            found[name] = value
    if step.request_id:
        found["recallql.request_id"] = step.request_id
    return found


def exporting(endpoint: str, share: float, role: str) -> TracerProvider:
    """Return a provider that exports to a collector.

    Args:
        endpoint: the URL of the collector, without the path of OTLP.
        share: of the traces that begin here; those of other services are followed as these say.
        role: of the process.
    """
    ours = {"service.name": "recallql", "service.version": version("recallql"), "recallql.role": role}
    resource = Resource.create(ours)
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def end(provider: TracerProvider) -> None:
    """Export the last spans, for a bounded time."""
    ending = threading.Thread(target=provider.shutdown, daemon=True)
    ending.start()
    ending.join(_END_SECONDS)
