"""The log: lines of text or JSON on standard error, with the id of the request, and a line for each request and job."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final, Literal, TextIO, TypeAlias

import orjson

from graph.telemetry.steps import CANCELLED, OK, Kind, Step, keep_commands, observe, request_id
from graph.telemetry.writing import Handler, Writer

Format: TypeAlias = Literal["text", "json"]

logger = logging.getLogger("recallql")

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(id)s%(message)s"
_MOST_NAME = 100  # characters of the name of an operation, which clients choose


def configure(level: str, form: Format, slow: float) -> None:
    """Write one line an event on standard error, and observe requests and jobs.

    Args:
        level: the minimum level.
        form: the format of a line.
        slow: the seconds from which an operation is slow, and its commands of MongoDB are logged; 0 for never.
    """
    handler = Handler(writer := Writer(_standard_error(), partial(_missing, form)))
    handler.setFormatter(JSONLines() if form == "json" else logging.Formatter(_TEXT))
    handler.addFilter(_add_id)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.captureWarnings(capture=form == "json")
    logging.getLogger("pymongo").setLevel(logging.WARNING)
    if slow:
        keep_commands()
    observe(Lines(writer, form, slow))


def _standard_error() -> TextIO:
    """Return standard error as a file of its own, whose lock others don't wait for."""
    error = sys.stderr
    try:
        return open(error.fileno(), "w", encoding=error.encoding, errors=error.errors, closefd=False)
    except (OSError, ValueError):  # it is no file
        return error


def _missing(form: Format, dropped: int) -> str:
    line = _json_line if form == "json" else _text_line
    text = f"{dropped} lines of the log were dropped: the reader of standard error was too slow"
    return line(time.time(), "WARNING", logger.name, text, "", {"dropped": dropped}) + "\n"


def _add_id(record: logging.LogRecord) -> bool:
    found = vars(record).setdefault("request_id", request_id())
    record.id = f"[{found}] " if found else ""
    return True


class JSONLines(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, requestId, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        more = {"exception": self.formatException(record.exc_info)} if record.exc_info else {}
        names = record.levelname, record.name
        return _json_line(record.created, *names, record.getMessage(), getattr(record, "request_id", ""), more)


def _json_line(  # noqa: PLR0917 - as `_text_line`
    at: float, level: str, name: str, message: str, id_: str, more: Mapping[str, Any]
) -> str:
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(at, UTC),
        "level": level.lower(),
        "logger": name,
        "message": message,
    }
    if id_:
        line["requestId"] = id_
    line |= more
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()
    except TypeError:  # a lone surrogate
        return json.dumps(line, default=str)


def _text_line(at: float, level: str, name: str, message: str, id_: str, _more: Mapping[str, Any]) -> str:
    return f"{_second(int(at))},{int(at % 1 * 1000):03d} {level} {name}: {f'[{id_}] ' if id_ else ''}{message}"


@lru_cache(maxsize=1)
def _second(at: int) -> str:
    """Return a time as `logging` shows it, without the milliseconds."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


class Lines:
    """Writes a line for each request and each job that found work, and one more for slow ones.

    The lines go to the stream themselves: with a record of `logging`, each would take more than twice the time.

    Args:
        stream: where the lines go.
        form: their format.
        slow: the seconds from which a request or job is slow; 0 for never.
    """

    kinds = frozenset({Kind.REQUEST, Kind.JOB})

    def __init__(self, stream: TextIO | Writer, form: Format, slow: float) -> None:
        self._stream = stream
        self._line = _json_line if form == "json" else _text_line
        self._slow = slow

    def began(self, step: Step) -> None:
        """Do nothing: the line is written at the end."""

    def ended(self, step: Step) -> None:
        """Write the line of a request or job."""
        if step.kind is Kind.JOB:
            self._job(step)
        else:
            self._request(step)
        if self._slow and step.worked >= self._slow and _has_an_end(step):
            self._slow_line(step)

    def _request(self, step: Step) -> None:
        facts = step.facts
        # Pages and checks of health are no operations.
        level = logging.INFO if "protocol" in facts else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        said = _facts(step, "protocol", "kind", "operation", "caller", "cost")
        name = " ".join([str(said[key]) for key in ("protocol", "kind", "operation") if said.get(key)])
        extra = "".join([f", {key} {said[key]}" for key in ("caller", "cost") if key in said])
        text = f"{name or 'http'}: {step.outcome}, {said['ms']} ms{extra}"
        self._write(level, text, said, step)

    def _job(self, step: Step) -> None:
        level = logging.INFO if step.facts.get("items") or step.outcome not in {OK, CANCELLED} else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        said = {"job": step.name, **_facts(step, "items", "failed")}
        failed = f", {said['failed']} failed" if said.get("failed") else ""
        text = f"job {step.name}: {step.outcome}, {said.get('items', 0)} items{failed}, {said['ms']} ms"
        self._write(level, text, said, step)

    def _slow_line(self, step: Step) -> None:
        commands = [
            {"name": name, "collection": collection, "ms": _ms(seconds)} for name, collection, seconds in step.commands
        ]
        said: dict[str, Any] = {**_facts(step, "kind", "operation"), "commands": commands}
        if step.kind is Kind.JOB:
            said["job"] = step.name
        name = " ".join(str(said[key]) for key in ("job", "kind", "operation") if said.get(key))
        listed = ", ".join(f"{one['name']} {one['collection']} {one['ms']} ms" for one in commands)
        self._write(logging.WARNING, f"slow: {name}, {said['ms']} ms; MongoDB: {listed or '-'}", said, step)

    def _write(self, level: int, text: str, facts: Mapping[str, Any], step: Step) -> None:
        id_ = step.request_id or request_id()
        self._stream.write(self._line(time.time(), logging.getLevelName(level), logger.name, text, id_, facts) + "\n")


def _has_an_end(step: Step) -> bool:
    """Whether the length of a step is the service's."""
    if step.kind is Kind.JOB:
        return True
    # A subscription and a body of lines last as long as the client wants.
    return "protocol" in step.facts and step.facts.get("kind") not in {"subscription", "lines"}


def _facts(step: Step, *names: str) -> dict[str, Any]:
    facts = step.facts
    said: dict[str, Any] = {name: facts[name] for name in names if name in facts}
    if "operation" in said:
        said["operation"] = str(said["operation"])[:_MOST_NAME]
    said["outcome"] = step.outcome
    said["ms"] = _ms(step.seconds)
    if step.waited:
        said["waitedMs"] = _ms(step.waited)
    return said


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
