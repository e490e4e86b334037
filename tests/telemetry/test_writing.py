"""The lines of the log in this process: their order, their forms, and what happens where nobody reads them."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import threading
from typing import Any

import pytest

from graph.telemetry.logs import Format, JSONLines, Lines
from graph.telemetry.steps import Kind, observed_by, record_command, step
from graph.telemetry.writing import Handler, Writer


def test_lines_and_records_are_written_in_order() -> None:
    stream = io.StringIO()
    writer = Writer(stream, str)
    handler = Handler(writer)
    handler.setFormatter(JSONLines())
    for number in range(2_500):
        writer.write(f"{number}\n")
    handler.emit(logging.LogRecord("recallql", logging.INFO, "a.py", 1, "a %s", ("record",), None))
    handler.flush()
    *lines, record = stream.getvalue().splitlines()
    assert lines == [str(number) for number in range(2_500)]
    assert json.loads(record)["message"] == "a record"


def test_lines_that_nobody_reads_are_dropped_and_counted() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        writer = Writer(stream, "dropped {}\n".format, most=200_000)
        for _ in range(400):
            writer.write("x" * 999 + "\n")  # a pipe takes 64 KiB
        read: list[str] = []
        with os.fdopen(reading, encoding="utf-8") as file:
            reader = threading.Thread(target=lambda: read.extend(file))
            reader.start()
            writer.flush()
            stream.close()
            reader.join()
    dropped = [line for line in read if line.startswith("dropped")]
    assert len(read) - len(dropped) + sum(int(line.split()[1]) for line in dropped) == 400
    assert dropped


@pytest.mark.parametrize("form", ["text", "json"])
def test_requests_and_jobs_have_a_line_and_slow_ones_another(form: Format, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stream = io.StringIO()
    with observed_by(Lines(stream, form, 1e-9)):
        with step(Kind.REQUEST) as request:
            request.request_id = "mine"
            request.note(protocol="graphql", kind="query", operation="Few", caller="user", cost=3)
            record_command("find", "messages", 0.25, "OK")
        with step(Kind.REQUEST) as subscription:
            subscription.note(protocol="graphql", kind="subscription", operation="Long")
        with step(Kind.JOB, "entities") as job:
            job.note(items=2, failed=1)
        with step(Kind.JOB, "expiries"):
            pass  # no work was found
    lines = stream.getvalue().splitlines()
    if form == "text":
        wanted = [
            r"INFO recallql: \[mine\] graphql query Few: OK, [\d.]+ ms, caller user, cost 3",
            r"WARNING recallql: \[mine\] slow: query Few, [\d.]+ ms; MongoDB: .*",
            r"INFO recallql: graphql subscription Long: OK, [\d.]+ ms",
            r"INFO recallql: job entities: OK, 2 items, 1 failed, [\d.]+ ms",
            r"WARNING recallql: slow: entities, [\d.]+ ms; MongoDB: -",
            r"WARNING recallql: slow: expiries, [\d.]+ ms; MongoDB: -",
        ]
        assert len(lines) == len(wanted)
        for line, pattern in zip(lines, wanted, strict=True):
            assert re.search(f"{pattern}$", line), line
        return
    said: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [one["level"] for one in said] == ["info", "warning", "info", "info", "warning", "warning"]
    assert (said[0]["operation"], said[0]["cost"], said[0]["requestId"]) == ("Few", 3, "mine")
    assert (said[3]["job"], said[3]["items"], said[3]["failed"]) == ("entities", 2, 1)
