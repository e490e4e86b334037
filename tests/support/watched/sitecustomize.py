"""Python imports this module at the start of a server that a test starts, and of its further processes.

`LOOP_WATCH_FILE` names the file for what held the event loop. An enrichment worker is a process of the server, too: its
models run in threads, and its loop renews leases.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if (file := os.environ.get("LOOP_WATCH_FILE")) is not None:
    root = str(Path(__file__).parents[3])
    sys.path.insert(0, root)
    from tests.support.loop_watch import LoopWatch

    sys.path.remove(root)
    LoopWatch(Path(file)).install()
