"""Searching a session."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from starlette.responses import Response

from graph.errors import BadUserInput
from graph.operations.concurrency import run_on_thread
from graph.operations.recall import SearchMode
from graph.operations.search import Hit, Query, search_session
from graph.operations.times import cut
from graph.store.documents import Document, MessageDocument, SummaryDocument
from graph.store.reading.search import SearchedKind
from graph.zep.http import Call, json_answer, text_of
from graph.zep.shapes import message_of, metadata_of, own_metadata, summary_of

_DEFAULT_LIMIT = 20
_SCOPES = {"messages": SearchedKind.MESSAGES, "summary": SearchedKind.SUMMARIES}
_MODES = {"text": SearchMode.LEXICAL, "similarity": SearchMode.HYBRID, "mmr": SearchMode.HYBRID}
_DEFAULT_LAMBDA = 0.5
_KEYS = {"where", "start_date", "end_date"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


async def search(call: Call) -> Response:
    """The session's messages or summaries that match a query."""
    limit = call.limit(_DEFAULT_LIMIT)
    body = await call.body()
    kind = _SCOPES[_one_of(body, "search_scope", _SCOPES.keys(), "messages")]
    search_type = _one_of(body, "search_type", _MODES.keys(), "similarity")
    relevance = _lambda_of(body.get("mmr_lambda"))
    text = (text_of(body, "text") or "").strip() or None
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict) or not metadata.keys() <= _KEYS:
        raise BadUserInput("metadata must be an object of where, start_date and end_date")
    if text is None and not any(value is not None for value in metadata.values()):
        raise BadUserInput("the query is empty: send text, or metadata to filter by")
    query = Query(
        text,
        mode=_MODES[search_type],
        relevance=relevance if search_type == "mmr" else None,
        since=_time(metadata.get("start_date"), "start_date"),
        until=_time(metadata.get("end_date"), "end_date", end=True),
        keep=await run_on_thread(_test, metadata.get("where"), kind),
        charge=call.charge,
        limit=limit,
    )
    hits = await search_session(call.backend, call.scope, call.path("session_id"), kind, query)
    return json_answer([_result(hit, kind) for hit in hits])


def _one_of(body: Document, name: str, allowed: Any, default: str) -> str:
    value = text_of(body, name) or default
    if value not in allowed:
        message = f"{name} must be one of {', '.join(sorted(allowed))}"
        raise BadUserInput(message)
    return value


def _lambda_of(value: object) -> float:
    """Return the weight of the score against the difference of results; JavaScript's client sends it with any type."""
    if value is None:
        return _DEFAULT_LAMBDA
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadUserInput("mmr_lambda must be a number from 0 to 1")
    return value


def _time(value: Any, name: str, *, end: bool = False) -> datetime | None:
    """A day or a moment, UTC where it has no zone. A day given as the end is within the range, and so is a moment."""
    if value is None:
        return None
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            day = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
            return day + timedelta(days=1) if end else day
        moment = datetime.fromisoformat(value)
        moment = cut(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
        return moment + timedelta(milliseconds=1) if end else moment
    except (TypeError, ValueError, OverflowError):
        message = f"{name} must be a date such as 2023-07-01, or a time such as 2023-07-01T12:00:00Z"
        raise BadUserInput(message) from None


def _test(where: object, kind: SearchedKind) -> Callable[[Document], bool] | None:
    """The filter, on the metadata that a client reads: with the entities under `system`."""
    if where is None:
        return None
    from graph.zep.where import predicate_of  # noqa: PLC0415 - a query language, which few searches need

    holds = predicate_of(where)
    if kind is SearchedKind.MESSAGES:
        return lambda message: holds(metadata_of(cast("MessageDocument", message)))
    return lambda summary: holds(own_metadata(summary.get("metadata") or {}))


def _result(hit: Hit, kind: SearchedKind) -> Document:
    found = hit.document
    return {
        "message": message_of(cast("MessageDocument", found)) if kind is SearchedKind.MESSAGES else None,
        "summary": summary_of(cast("SummaryDocument", found)) if kind is SearchedKind.SUMMARIES else None,
        "metadata": None,
        "dist": hit.nearness,
        "embedding": None,
    }
