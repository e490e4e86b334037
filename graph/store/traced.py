"""The trace of the cause of a job, in the document of the job."""

from __future__ import annotations

from typing import TypedDict

from graph.telemetry.steps import traceparent


class Traced(TypedDict, total=False):
    """The trace, where traces are on."""

    trace: str
    """The `traceparent` of the request or job that made the job due."""


def traced() -> Traced:
    """Return the trace of the present request or job, for the document of a job that it makes due."""
    sent = traceparent()
    return {"trace": sent} if sent else {}
