"""Starts the embedded mongod again when it ends without being stopped."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_when_event_set, wait_exponential
from tenacity.nap import sleep_using_event

from graph.errors import StartupError
from graph.mongod.datadir import DiskFullError
from graph.mongod.embedded import EmbeddedMongo

logger = logging.getLogger(__name__)

_ATTEMPTS = 6
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds
_SPACE_PAUSE = 2.0  # seconds between looks whether a full disk has free space
_MOST_ENDS, _ENDS_WITHIN = 5, 300.0  # a mongod that ends more often within these seconds is not started again


@contextmanager
def kept_running(mongo: EmbeddedMongo) -> Iterator[None]:
    """Keep a started mongod running while the block runs.

    A full disk is waited for, as long as it takes. When mongod can't be started again for another reason, the
    process gets SIGINT, so that the block ends.

    Raises:
        StartupError: mongod ended and can't be started again; the message says why.
    """
    watch = _Watch(mongo)
    watch.start()
    try:
        yield
    except BaseException:
        watch.stop()
        if watch.failure is not None:
            raise watch.failure from None
        raise
    watch.stop()
    if watch.failure is not None:
        raise watch.failure


class _Watch:
    """The thread that waits for mongod's end.

    Attributes:
        failure: why mongod can't be started again.
    """

    def __init__(self, mongo: EmbeddedMongo) -> None:
        self.failure: StartupError | None = None
        self._mongo = mongo
        self._stopping = threading.Event()
        self._ends: deque[float] = deque(maxlen=_MOST_ENDS)
        self._thread = threading.Thread(target=self._run, name="mongod-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while (reason := self._mongo.wait_for_end(self._stopping)) is not None:
                logger.error("%s; it is started again", reason)
                self._start_again(reason)
        except StartupError as error:
            self._give_up(error)
        except Exception as error:
            logger.exception("mongod can't be watched any more")
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        if not self._stopping.is_set():
            self.failure = StartupError(f"mongod can't be started again: {error}")
            os.kill(os.getpid(), signal.SIGINT)

    def _start_again(self, reason: StartupError) -> None:
        while not self._stopping.is_set():
            try:
                self._try_to_start(reason)
            except DiskFullError as full:
                self._wait_for_space(full)
                reason = full
            else:
                return

    def _wait_for_space(self, full: DiskFullError) -> None:
        logger.error("%s; mongod is started again when there is space", full)
        while not self._stopping.wait(_SPACE_PAUSE) and not self._mongo.has_space():
            pass

    def _try_to_start(self, reason: StartupError) -> None:
        """Start mongod with several attempts, unless the disk is full.

        Raises:
            StartupError: it can't start, or ended too often.
        """
        now = time.monotonic()
        if not isinstance(reason, DiskFullError):
            if len(self._ends) == _MOST_ENDS and now - self._ends[0] < _ENDS_WITHIN:
                raise reason
            self._ends.append(now)
        for attempt in Retrying(
            retry=retry_if_exception(_may_start_later),
            wait=wait_exponential(multiplier=_SHORTEST_PAUSE, max=_LONGEST_PAUSE),
            stop=stop_after_attempt(_ATTEMPTS) | stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            reraise=True,
        ):
            with attempt:
                self._mongo.start_again()
        logger.warning("mongod runs again")


def _may_start_later(error: BaseException) -> bool:
    return isinstance(error, StartupError) and not isinstance(error, DiskFullError)
