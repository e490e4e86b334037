"""Fails each test in which the service held the event loop, where two repeats of the test show the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.runner import runtestprotocol

from tests.support.loop_watch import LIMIT, WATCH, taken_from_files

_HELD = f"the event loop was held for longer than {LIMIT:.3f} s of processor time"
_REPEATS = 2


@pytest.fixture(autouse=True)
def nothing_holds_the_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which the service held the event loop; slow ones run workers in the process of the test.

    The servers and workers that a test starts are watched in slow tests, too.
    """
    WATCH.take()
    taken_from_files()
    yield
    own, held = WATCH.take(), taken_from_files()
    if request.node.get_closest_marker("slow") is None:
        held = own + held
    if held:
        pytest.fail(f"{_HELD}: {held}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test, and twice more where the loop was held.

    On a busy machine the same work takes more of the processor's time: its caches are shared.
    """
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for _ in range(_REPEATS):
        failed = [report for report in reports if report.failed]
        if not failed or not isinstance(item, pytest.Function):
            break
        if not all(_HELD in report.longreprtext for report in failed):
            break
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
