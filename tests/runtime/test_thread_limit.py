"""`recallql serve` where the system allows it few threads: one line that names the limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
@pytest.mark.parametrize(
    ("threads", "said"),
    [
        (1, "recallql: the system refused another thread: raise the limit of processes and threads of this user"),
        (30, "recallql: mongod was refused a thread at its start: raise the limit of processes and threads"),
    ],
)
def test_a_start_with_few_threads_ends_with_one_line(tmp_path: Path, threads: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(threads), "--port", "0", "--data-dir", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=clean_environment(),
    )
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert done.returncode == 2
