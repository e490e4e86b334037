"""The child processes that `recallql serve` keeps running."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, logging, os, resource, sys, threading
from graph.runtime.supervisor import Children
from graph.settings import Settings

class Limiting(logging.Handler):
    # Called in the thread that starts the child: limits when it has ended first, and lifts the limit when that is met.
    def __init__(self):
        super().__init__()
        self.kept, self.again = {}, threading.Event()
    def emit(self, record):
        message = record.getMessage()
        if "ended with status" in message:
            if not self.kept:
                limit(self.kept)
            elif "lifted" in self.kept:
                self.again.set()
        elif "lifted" not in self.kept:
            print(message.partition("(")[2].partition(")")[0])
            lift(self.kept)
            self.kept["lifted"] = True

FUNCTIONS

limiting = Limiting()
logging.getLogger("graph").addHandler(limiting)
with Children(Settings(), "mongodb://127.0.0.1:1", "a child", "no-such-command", count=1):
    assert limiting.again.wait(60)
print("started again")
"""

FILES = """
def limit(kept):
    kept["limits"] = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, kept["limits"][1]))

def lift(kept):
    resource.setrlimit(resource.RLIMIT_NOFILE, kept["limits"])
"""

PROCESSES = """
def limit(kept):
    kept["limits"] = resource.getrlimit(resource.RLIMIT_NPROC)
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 0)  # the limit does not hold for root
    resource.setrlimit(resource.RLIMIT_NPROC, (0, kept["limits"][1]))

def lift(kept):
    os.setresuid(*[os.getresuid()[2]] * 3)
    resource.setrlimit(resource.RLIMIT_NPROC, kept["limits"])
"""

NAMESPACE = """
libc, CLONE_NEWPID = ctypes.CDLL(None, use_errno=True), 0x20000000

def limit(kept):
    # Where the first process of a namespace has ended, Linux has no memory for another.
    kept["before"] = os.open("/proc/thread-self/ns/pid", os.O_RDONLY)
    if libc.unshare(CLONE_NEWPID) != 0:
        print("not permitted", flush=True)
        os._exit(0)
    first = os.fork() or os._exit(0)
    os.waitpid(first, 0)

def lift(kept):
    assert libc.setns(kept["before"], CLONE_NEWPID) == 0
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=110, check=False)


@pytest.mark.parametrize(
    ("functions", "error"),
    [(FILES, errno.EMFILE), (PROCESSES, errno.EAGAIN), (NAMESPACE, errno.ENOMEM)],
    ids=["files", "processes", "memory"],
)
def test_a_child_that_cannot_be_started_is_started_later(functions: str, error: int) -> None:
    done = run(SCRIPT.replace("FUNCTIONS", functions))
    if done.stdout == "not permitted\n":
        pytest.skip("namespaces of processes, by which Linux refuses memory, need a privilege here")
    assert done.stdout == f"{os.strerror(error)}\nstarted again\n", done.stderr


THREADS = """
import os, resource, sys, threading
from graph.errors import StartupError
from graph.runtime.supervisor import Children
from graph.settings import Settings

allowed = 0
if os.geteuid() == 0:
    allowed = 2  # this thread and the first that is started
    os.setresuid(2**30 + os.getpid(), -1, -1)
    os.setresuid(-1, 65534, 65534)
resource.setrlimit(resource.RLIMIT_NPROC, (allowed, allowed))
try:
    with Children(Settings(), "mongodb://127.0.0.1:1", "a child", "no-such-command", count=3):
        print("started")
except StartupError as error:
    print(error)
print(threading.active_count())
"""


def test_a_limit_of_threads_is_named_and_leaves_no_thread() -> None:
    done = run(THREADS)
    assert done.stdout.startswith("the system refused another thread: raise the limit of processes"), done.stderr
    assert done.stdout.endswith("\n1\n")
    assert "Traceback" not in done.stderr
