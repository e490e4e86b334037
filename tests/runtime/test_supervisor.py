"""The child processes that `recallql serve` keeps running."""

from __future__ import annotations

import subprocess
import sys

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
                event.set()

seen = Seen()
logging.getLogger("graph").addHandler(seen)
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
lowest = os.open(os.devnull, os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
with Children(Settings(), "mongodb://127.0.0.1:1", "a child", "no-such-command", count=1):
    assert seen.found["can't be started"].wait(60)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert seen.found["ended with status"].wait(60)
print("started again")
"""


def test_a_child_that_cannot_be_started_is_started_later() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=110, check=False)
    assert done.stdout == "started again\n", done.stderr
