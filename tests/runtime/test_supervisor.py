"""The child processes that `recallql serve` keeps running."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from textwrap import indent

import pytest

SCRIPT = """
import logging, os, resource, sys, threading
from graph.runtime.supervisor import Children
from graph.settings import Settings

class Seen(logging.Handler):
    def __init__(self):
        super().__init__()
        self.found = {"can't be started": threading.Event(), "ended with status": threading.Event()}
    def emit(self, record):
        for words, event in self.found.items():
            if words in record.getMessage():
                if "(" in record.getMessage() and not event.is_set():
                    print(record.getMessage().partition("(")[2].partition(")")[0])
                event.set()

seen = Seen()
logging.getLogger("graph").addHandler(seen)
with Children(Settings(), "mongodb://127.0.0.1:1", "a child", "no-such-command", count=1):
    assert seen.found["ended with status"].wait(60)
    LIMIT
    assert seen.found["can't be started"].wait(60)
    LIFT
    seen.found["ended with status"].clear()
    assert seen.found["ended with status"].wait(60)
print("started again")
"""


FILES = """soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
lowest = os.open(os.devnull, os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))"""
LIFT_FILES = "resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))"
PROCESSES = """soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 0)  # the limit does not hold for root
resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))"""
LIFT_PROCESSES = "os.setresuid(*[os.getresuid()[2]] * 3); resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))"


@pytest.mark.parametrize(
    ("limit", "lift", "error"),
    [(FILES, LIFT_FILES, errno.EMFILE), (PROCESSES, LIFT_PROCESSES, errno.EAGAIN)],
    ids=["files", "processes"],
)
def test_a_child_that_cannot_be_started_is_started_later(limit: str, lift: str, error: int) -> None:
    script = SCRIPT.replace("LIMIT", indent(limit, " " * 4).strip()).replace("LIFT", lift)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=110, check=False)
    assert done.stdout == f"{os.strerror(error)}\nstarted again\n", done.stderr
