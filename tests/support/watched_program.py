"""`python -m graph` under the watch of the event loop: the first argument is the file that says what held it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    from tests.support.loop_watch import LoopWatch

    LoopWatch(Path(sys.argv.pop(1))).install()
    runpy.run_module("graph", run_name="__main__", alter_sys=True)
