"""Python imports this module at the start of a server that a test starts, and of its further processes.

`LOOP_WATCH_FILE` names the file for what held the event loop. Enrichment workers are not watched: their loop has no
callers who wait.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if (file := os.environ.get("LOOP_WATCH_FILE")) is not None and "worker" not in sys.orig_argv:
    root = str(Path(__file__).parents[3])
    sys.path.insert(0, root)
    from tests.support.loop_watch import LoopWatch

    sys.path.remove(root)
    LoopWatch(Path(file)).install()
