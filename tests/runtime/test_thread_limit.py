"""`recallql serve` where the system allows it few threads: one line that names the limit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from graph.runtime.threads import check_threads, threads_needed
from graph.settings import Settings
from tests.support.server_process import clean_environment

SERVE = """
import ctypes, os, resource, sys

PR_CAPBSET_DROP, CAP_SYS_ADMIN, CAP_SYS_RESOURCE = 24, 21, 24
for capability in (CAP_SYS_ADMIN, CAP_SYS_RESOURCE):  # with them no limit of processes holds
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
os.setresuid(2**30 + os.getpid(), -1, -1)  # a user without other processes
threads, *arguments = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NPROC, (int(threads), int(threads)))
os.execv(sys.executable, [sys.executable, "-m", "graph", "serve", *arguments])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as a user without other processes")
@pytest.mark.parametrize("threads", [1, 30, 70, 76, 80, 82, 84, 88, 90, 100, 120])
def test_a_start_with_few_threads_ends_with_one_line(tmp_path: Path, threads: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(threads), "--port", "0", "--data-dir", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=clean_environment(),
    )
    said = "recallql: the system refused another thread: raise the limit of processes and threads of this user"
    assert done.stderr.startswith(said)
    assert done.stderr.endswith("so that 128 more threads can run\n")
    assert done.stderr.count("\n") == 1
    assert done.returncode == 2


def test_processes_and_an_own_mongod_are_counted() -> None:
    more = Settings(web_processes=3, enrichment_processes=2)
    elsewhere = Settings(mongodb_uri=SecretStr("mongodb://127.0.0.1:1"))
    assert [threads_needed(settings) for settings in (Settings(), more, elsewhere)] == [128, 176, 32]


def test_the_look_leaves_no_thread_and_no_stack_size() -> None:
    before = threading.active_count(), threading.stack_size()
    check_threads(Settings())
    assert (threading.active_count(), threading.stack_size()) == before
