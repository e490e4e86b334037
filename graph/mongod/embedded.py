"""The embedded MongoDB: a real mongod as a replica set of one, run for as long as the server that started it."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import signal
import subprocess
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from graph.errors import StartupError, named_thread_limit
from graph.mongod.address import REPLICA_SET, Address, port_of_loopback, socket_in
from graph.mongod.datadir import (
    DataDirLock,
    DiskFullError,
    check_free_space,
    data_dir_error,
    database_dir,
    default_data_dir,
)
from graph.mongod.oplog import resize
from graph.mongod.program import (
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

    It listens on a Unix socket that no other user of the machine can connect to. Where the path of the directory does
    not allow one, it listens on a port of 127.0.0.1, which they can reach, and a line of the log says so.

    The directory holds `mongodb/` (the data), `mongod.log` (and the logs of the three starts before), `mongod.json`
    (process id and address), `mongodb.sock` and `lock`. mongod runs in a session of its own, so that Ctrl-C in a
    terminal reaches only the server, which decides when the database stops.

    Clients should be opened after `start`: one that was open before the replica set was made never has sessions.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        cache_mb: int = 256,
        oplog_mb: int = 990,
        mongod_path: Path | None = None,
        min_free_mb: int = 512,
    ) -> None:
        """Describe the database; nothing is touched before `start`.

        Args:
            data_dir: made if missing, readable by its owner alone.
            cache_mb: WiredTiger's cache in MiB, at least 256. It bounds the size of one transaction too: about a fifth.
            oplog_mb: size of the oplog in MiB, at least 990. Beyond it, MongoDB drops the oldest changes.
            mongod_path: the mongod to run, instead of the wheel's or the one on the PATH.
            min_free_mb: the free disk space, in MiB, without which it does not start.
        """
        self.data_dir = Path(os.path.realpath(data_dir.expanduser()))  # which takes links in a circle, too
        self.dbpath = database_dir(self.data_dir)
        self.log_path = self.data_dir / "mongod.log"
        self._state_path = self.data_dir / "mongod.json"
        self._cache_mb = cache_mb
        self._oplog_mb = oplog_mb
        self._mongod_path = mongod_path
        self._min_free_mb = min_free_mb
        self._lock = DataDirLock(self.data_dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._program: Path | None = None  # the program that was started; its file may be gone
        self._address: Address | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def uri(self) -> str:
        """The connection string, while it runs."""
        if self._process is None or self._address is None:
            raise RuntimeError("the embedded MongoDB is not running: call start() first")
        return self._address.uri

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
                self._start_where_possible(mongod)
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
        process, program, address = self._process, self._program, self._address
        while process and program and address and not stopping.wait(_LOOK_SECONDS):
            exit_code = process.poll()
            if exit_code is not None:
                return exit_error(
                    mongod=program,
                    dbpath=self.dbpath,
                    log=self.log_path,
                    address=address,
                    exit_code=exit_code,
                    when="while it ran",
                )
        return None

    def has_space(self) -> bool:
        """Whether the disk has the free space that a start needs."""
        try:
            check_free_space(self.data_dir, needed_mb=self._min_free_mb)
        except (OSError, DiskFullError):
            return False
        return True

    def start_again(self) -> None:
        """Start mongod after its end, with the same address, which clients know.

        Raises:
            DiskFullError: the disk has too little free space.
            StartupError: it can't start for another reason.
        """
        address = self._address
        if address is None:
            raise RuntimeError("the embedded MongoDB was not started: call start() first")
        mongod = find_mongod(self._mongod_path, copy_to=self.data_dir / "bin")
        try:
            check_free_space(self.data_dir, needed_mb=self._min_free_mb)
            self._spawn(mongod, address)
            self._wait_until_writable(mongod, address)
        except OSError as error:
            raise data_dir_error(self.data_dir, error) from error
        except StartupError:
            if self._process is not None and self.alive:
                self._end(self._process)  # the next attempt needs its address
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
                if self._address is not None:
                    with contextlib.suppress(OSError):
                        self._write_state(self._address, pid=None)
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

    def _start_where_possible(self, mongod: Path) -> None:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            address = socket_in(self.data_dir)
            if address is None:
                address = port_of_loopback(self._last_address())
            self._address = address
            try:
                self._spawn(mongod, address)
                self._wait_until_writable(mongod, address)
            except PortTakenError:
                # Taken between the look and mongod's own bind.
                if attempt == _PORT_ATTEMPTS:
                    raise
            else:
                if address.port:
                    logger.warning(
                        "the embedded MongoDB listens on %s, which other users of this machine can reach: no Unix"
                        " socket is possible in %s (a path of at most 94 characters of a-z 0-9 / . _ + ~ @ -)",
                        address.member,
                        self.data_dir,
                    )
                return

    def _spawn(self, mongod: Path, address: Address) -> None:
        if self.log_path.exists():
            rotation = RotatingFileHandler(self.log_path, backupCount=_OLD_LOGS, delay=True)
            rotation.doRollover()
            rotation.close()
        command = command_line(
            mongod,
            dbpath=self.dbpath,
            log=self.log_path,
            address=address,
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
        self._write_state(address, pid=self._process.pid)

    def _wait_until_writable(self, mongod: Path, address: Address) -> None:
        deadline = time.monotonic() + _START_SECONDS

        def poll(ready: Callable[[], bool]) -> None:
            self._poll(mongod, address, deadline, ready)

        poll(lambda: address.listens)  # cheaper than the driver, which waits longer between its attempts
        with (
            named_thread_limit(),  # the driver's threads
            MongoClient[dict[str, Any]](
                address.direct_uri, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000
            ) as client,
        ):
            poll(lambda: self._is_our_mongod(client))
            poll(lambda: self._is_configured(client, address))
            poll(lambda: bool(client.admin.command("hello").get("isWritablePrimary")))
            poll(lambda: self._is_resized(client))

    def _poll(self, mongod: Path, address: Address, deadline: float, ready: Callable[[], bool]) -> None:
        """Ask `ready` until it is true; errors of the driver are a no, since mongod may be on its way up or down."""
        process = self._process
        if process is None:
            raise RuntimeError("stopped while starting")
        while True:
            exit_code = process.poll()
            if exit_code is not None:
                self._process = None
                raise exit_error(
                    mongod=mongod, dbpath=self.dbpath, log=self.log_path, address=address, exit_code=exit_code
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

    def _is_our_mongod(self, client: MongoClient[dict[str, Any]]) -> bool:
        # The listener may be another process that was there first: its replica set must not be touched.
        status = client.admin.command("serverStatus", metrics=0, wiredTiger=0, locks=0)
        return self._process is not None and int(status["pid"]) == self._process.pid

    def _is_configured(self, client: MongoClient[dict[str, Any]], address: Address) -> bool:
        """Make the replica set in a new directory; give it this address in one that last ran with another.

        With another address mongod first looks for itself at the old one. A process that took an old port and never
        answers makes it wait there for 30 s; until then the driver's errors here are a no.
        """
        members = [{"_id": 0, "host": address.member}]
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

    def _last_address(self) -> Address | None:
        return Address.read(self._read_state().get("address"))

    def _write_state(self, address: Address, *, pid: int | None) -> None:
        partial = self._state_path.with_suffix(".partial")
        partial.write_text(json.dumps({"pid": pid, "address": address.member}))
        partial.replace(self._state_path)


def running_uri(data_dir: Path) -> str | None:
    """The connection string of the embedded MongoDB that another process runs in `data_dir`; None when none does."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        state = json.loads((data_dir.expanduser() / "mongod.json").read_bytes())
        if state["pid"] is not None and (address := Address.read(state["address"])) is not None and address.listens:
            return address.uri
    return None
