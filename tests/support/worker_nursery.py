"""Starts worker processes quickly: loads the model once, and forks a worker for each line on standard input.

    python -m tests.support.worker_nursery <spaCy model>

The settings come from the environment. For each line the process id of a new worker is printed. The workers end with
SIGTERM, and with this process.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import traceback

from graph.enrichment.models import use_one_thread

use_one_thread()

from graph.enrichment.entities import Extractor  # noqa: E402 - after the number of threads is set
from graph.enrichment.summariser import Summariser  # noqa: E402
from graph.enrichment.worker import Worker  # noqa: E402
from graph.settings import Settings, load_settings  # noqa: E402
from graph.store.database import open_database  # noqa: E402

_PR_SET_PDEATHSIG = 1


async def work(extractor: Extractor, settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    assert settings.mongodb_uri is not None
    database = await open_database(
        settings.mongodb_uri.get_secret_value(), name=settings.database, timeout=5, driver_name=settings.mongodb_driver
    )
    try:
        await Worker(database, extractor, settings, summariser=Summariser()).run(stop)
    finally:
        await database.close()


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    sys.path[:0] = filter(None, [os.environ.get("FAULT_MODEL_PATH")])
    extractor = Extractor(sys.argv[1])
    extractor.extract(["A first text loads what is loaded late."])
    settings = load_settings()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.close(0)
            try:
                asyncio.run(work(extractor, settings))
            except BaseException:  # noqa: BLE001 - told here, since nothing of the parent may run on
                traceback.print_exc()
            finally:
                os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
