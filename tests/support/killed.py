"""Work in a process of its own that is killed in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

_MARK = b"batch\n"


def run_and_kill(script: str, *arguments: str) -> None:
    """Run a Python script, and kill its process when it prints `batch` for the first time."""
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == _MARK
        process.send_signal(signal.SIGKILL)
        process.wait()
