"""The embedded MongoDB: a real mongod as a replica set of one, run for as long as the server that started it."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from graph.errors import StartupError, named_thread_limit
from graph.mongod.datadir import DataDirLock, check_free_space, data_dir_error, database_dir, default_data_dir
from graph.mongod.oplog import resize
from graph.mongod.program import (
    REPLICA_SET,
    EmbeddedMongoError,
    PortTakenError,
    command_line,
    end_left_behind,
    exit_error,
    find_mongod,
    wrong_architecture,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["EmbeddedMongo", "EmbeddedMongoError", "default_data_dir", "find_mongod"]

logger = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_SMALLEST_CACHE_MB = 256  # mongod's own lower bound
_POLL_SECONDS = 0.01
_LOOK_SECONDS = 0.5  # between looks whether a running mongod has ended
# Recovering a large journal after a crash is the only thing that takes mongod more than a few seconds.
_START_SECONDS = 120.0
_STOP_SECONDS = 15.0
_OLD_LOGS = 3
_PORT_ATTEMPTS = 5


class EmbeddedMongo:
    """A mongod under a data directory, as a context manager: started on entry, stopped on exit.

    The directory holds `mongodb/` (the data), `mongod.log` (and the logs of the three starts before), `mongod.json`
    (process id and port) and `lock`. mongod runs in a session of its own, so that Ctrl-C in a terminal reaches only the
    server, which decides when the database stops.

    Clients should be opened after `start`: one that was open before the replica set was made never has sessions.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        cache_mb: int = 256,
        oplog_mb: int = 990,
        port: int = 0,
        mongod_path: Path | None = None,
        min_free_mb: int = 512,
    ) -> None:
        """Describe the database; nothing is touched before `start`.

        Args:
            data_dir: made if missing, readable by its owner alone.
            cache_mb: WiredTiger's cache in MiB, at least 256. It bounds the size of one transaction too: about a fifth.
            oplog_mb: size of the oplog in MiB, at least 990. Beyond it, MongoDB drops the oldest changes.
            port: a TCP port of 127.0.0.1; 0 for the one used last time, or any free one.
            mongod_path: the mongod to run, instead of the wheel's or the one on the PATH.
            min_free_mb: the free disk space, in MiB, without which it does not start.
        """
        self.data_dir = Path(os.path.realpath(data_dir.expanduser()))  # which takes links in a circle, too
        self.dbpath = database_dir(self.data_dir)
        self.log_path = self.data_dir / "mongod.log"
        self._state_path = self.data_dir / "mongod.json"
        self._cache_mb = cache_mb
        self._oplog_mb = oplog_mb
        self._wanted_port = port
        self._mongod_path = mongod_path
        self._min_free_mb = min_free_mb
        self._lock = DataDirLock(self.data_dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._program: Path | None = None  # the program that was started; its file may be gone
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def uri(self) -> str:
        """The connection string, while it runs.

        It names the replica set and leaves `directConnection` out: the driver then waits for the primary, where a
        direct connection would send writes to a mongod that is still being elected.
        """
        if self._process is None:
            raise RuntimeError("the embedded MongoDB is not running: call start() first")
        return f"mongodb://{_HOST}:{self._port}/?replicaSet={REPLICA_SET}"

    @property
    def pid(self) -> int | None:
        """The process id of mongod, while it runs."""
        return self._process.pid if self.alive and self._process else None

    @property
    def alive(self) -> bool:
        """Whether mongod was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start mongod and return when it takes writes. Blocks, about 0.7 s. Does nothing when it was started.

        Call it from the main thread where that is possible: then Linux ends mongod with this process in every case.

        Raises:
            StartupError: it can't start; the message is one line that says why and what to change. Nothing is left
                running, and the data directory is free again.
        """
        if self._process is not None:
            return
        if self._cache_mb < _SMALLEST_CACHE_MB:
            raise EmbeddedMongoError(f"the embedded MongoDB needs a cache of {_SMALLEST_CACHE_MB} MB or more")
        self._lock.acquire()
        try:
            mongod = find_mongod(self._mongod_path, copy_to=self.data_dir / "bin")
            try:
                self.dbpath.mkdir(mode=0o700, exist_ok=True)
                check_free_space(self.data_dir, needed_mb=self._min_free_mb)
                end_left_behind(self._recorded_pids(), self.dbpath)
                self._start_on_a_port(mongod)
            except OSError as error:
                raise data_dir_error(self.data_dir, error) from error
        except BaseException:
            self.stop()
            raise

    def wait_for_end(self, stopping: threading.Event) -> StartupError | None:
        """Wait until mongod ends without being stopped.

        Args:
            stopping: ends the wait.

        Returns:
            why it ended; None when `stopping` was set before.
        """
        process, program = self._process, self._program
        while process is not None and program is not None and not stopping.wait(_LOOK_SECONDS):
            exit_code = process.poll()
            if exit_code is not None:
                return exit_error(
                    mongod=program,
                    dbpath=self.dbpath,
                    log=self.log_path,
                    port=self._port,
                    exit_code=exit_code,
                    when="while it ran",
                )
        return None

    def start_again(self) -> None:
        """Start mongod after its end, on the same port, which clients know.

        Raises:
            StartupError: it can't start.
        """
        mongod = find_mongod(self._mongod_path, copy_to=self.data_dir / "bin")
        try:
            check_free_space(self.data_dir, needed_mb=self._min_free_mb)
            self._spawn(mongod)
            self._wait_until_writable(mongod)
        except OSError as error:
            raise data_dir_error(self.data_dir, error) from error
        except StartupError:
            if self._process is not None and self.alive:
                self._end(self._process)  # the next attempt needs its port
            raise

    def wake(self) -> None:
        """Let a suspended mongod continue: everything that stops before it may wait for its answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop mongod and give the data directory back. Blocks, about a second. Does nothing when it is stopped."""
        process, self._process = self._process, None
        try:
            if process is not None:
                self._end(process)
                with contextlib.suppress(OSError):
                    self._write_state(pid=None)
        finally:
            self._lock.release()

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        try:
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a suspended process ends only after it continues
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning("mongod did not stop within %d s and is killed; its journal keeps the data", _STOP_SECONDS)
            process.kill()
            process.wait()
        except BaseException:  # a second Ctrl-C: leave at once, but leave nothing running
            process.kill()
            process.wait()
            raise

    def _start_on_a_port(self, mongod: Path) -> None:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self._port = self._choose_port()
            try:
                self._spawn(mongod)
                self._wait_until_writable(mongod)
            except PortTakenError:
                # Taken between the look and mongod's own bind.
                if self._wanted_port or attempt == _PORT_ATTEMPTS:
                    raise
            else:
                return

    def _choose_port(self) -> int:
        if self._wanted_port:
            try:
                _bind(self._wanted_port)
            except OSError as error:
                why = "in use" if error.errno == errno.EADDRINUSE else f"not available ({error.strerror})"
                raise PortTakenError(
                    f"port {self._wanted_port} on {_HOST} is {why}: choose another for the embedded MongoDB, or 0"
                ) from None
            return self._wanted_port
        last = self._read_state().get("port")
        if isinstance(last, int) and 0 < last < 2**16:
            with contextlib.suppress(OSError):
                return _bind(last)
        return _bind(0)

    def _spawn(self, mongod: Path) -> None:
        if self.log_path.exists():
            rotation = RotatingFileHandler(self.log_path, backupCount=_OLD_LOGS, delay=True)
            rotation.doRollover()
            rotation.close()
        command = command_line(
            mongod,
            dbpath=self.dbpath,
            log=self.log_path,
            port=self._port,
            cache_mb=self._cache_mb,
            oplog_mb=self._oplog_mb,
        )
        self._program = mongod
        # The dynamic loader speaks before mongod opens its log: both go to the same file.
        with self.log_path.open("ab") as log:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - a fixed list of arguments, no shell
                    command,
                    cwd=self.data_dir,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                if error.errno == errno.ENOEXEC:
                    raise wrong_architecture(mongod) from error
                raise EmbeddedMongoError(f"{mongod} can't be run: {error.strerror}") from error
        self._write_state(pid=self._process.pid)

    def _wait_until_writable(self, mongod: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        self._poll(mongod, deadline, self._listens)
        with (
            named_thread_limit(),  # the driver's threads
            MongoClient[dict[str, Any]](
                _HOST, self._port, directConnection=True, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000
            ) as client,
        ):
            self._poll(mongod, deadline, lambda: self._is_our_mongod(client))
            self._poll(mongod, deadline, lambda: self._is_configured(client))
            self._poll(mongod, deadline, lambda: bool(client.admin.command("hello").get("isWritablePrimary")))
            self._poll(mongod, deadline, lambda: self._is_resized(client))

    def _poll(self, mongod: Path, deadline: float, ready: Callable[[], bool]) -> None:
        """Ask `ready` until it is true; errors of the driver are a no, since mongod may be on its way up or down."""
        process = self._process
        if process is None:
            raise RuntimeError("stopped while starting")
        while True:
            exit_code = process.poll()
            if exit_code is not None:
                self._process = None
                raise exit_error(
                    mongod=mongod, dbpath=self.dbpath, log=self.log_path, port=self._port, exit_code=exit_code
                )
            last_error = ""
            try:
                if ready():
                    return
            except PyMongoError as error:
                last_error = f"{error}; "
            if time.monotonic() > deadline:
                raise EmbeddedMongoError(
                    f"mongod was not ready within {_START_SECONDS:.0f} s ({last_error}log: {self.log_path})"
                )
            time.sleep(_POLL_SECONDS)

    def _listens(self) -> bool:
        # Cheaper than the driver, which waits longer between its attempts.
        with contextlib.suppress(OSError), socket.create_connection((_HOST, self._port), timeout=1):
            return True
        return False

    def _is_our_mongod(self, client: MongoClient[dict[str, Any]]) -> bool:
        # The listener may be another process that took the port first: its replica set must not be touched.
        status = client.admin.command("serverStatus", metrics=0, wiredTiger=0, locks=0)
        return self._process is not None and int(status["pid"]) == self._process.pid

    def _is_configured(self, client: MongoClient[dict[str, Any]]) -> bool:
        """Make the replica set in a new directory; give it this port in one that last ran on another.

        On another port mongod first looks for itself at the old one. A process that took that port and never answers
        makes it wait there for 30 s; until then the driver's errors here are a no.
        """
        members = [{"_id": 0, "host": f"{_HOST}:{self._port}"}]
        config = client.local["system.replset"].find_one()
        if config is None:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
        elif [member["host"] for member in config["members"]] != [members[0]["host"]]:
            config["version"] += 1
            client.admin.command("replSetReconfig", {**config, "members": members}, force=True)
        return True

    def _is_resized(self, client: MongoClient[dict[str, Any]]) -> bool:
        resize(client, self._oplog_mb)
        return True

    def _recorded_pids(self) -> set[int]:
        """The process ids under which a mongod may still run here: from our record, and from mongod's own lock file."""
        recorded = [str(self._read_state().get("pid"))]
        with contextlib.suppress(OSError):
            recorded.append((self.dbpath / "mongod.lock").read_text(errors="replace").strip())
        return {int(pid) for pid in recorded if pid.isdecimal() and 0 < int(pid) < 2**31}

    def _read_state(self) -> dict[str, Any]:
        # A record that is gone or damaged costs another port, nothing more.
        with contextlib.suppress(OSError, ValueError):
            state = json.loads(self._state_path.read_bytes())
            if isinstance(state, dict):
                return state
        return {}

    def _write_state(self, *, pid: int | None) -> None:
        partial = self._state_path.with_suffix(".partial")
        partial.write_text(json.dumps({"pid": pid, "port": self._port}))
        partial.replace(self._state_path)


def running_uri(data_dir: Path) -> str | None:
    """The connection string of the embedded MongoDB that another process runs in `data_dir`; None when none does."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        state = json.loads((data_dir.expanduser() / "mongod.json").read_bytes())
        if state["pid"] is not None:
            port = int(state["port"])
            with socket.create_connection((_HOST, port), timeout=1):
                return f"mongodb://{_HOST}:{port}/?replicaSet={REPLICA_SET}"
    return None


def _bind(port: int) -> int:
    """The port (0: any free one), known to be free at this moment."""
    with socket.socket() as probe:
        # As mongod does, so that connections in TIME_WAIT don't count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((_HOST, port))
        return int(probe.getsockname()[1])
