"""The directory that an embedded MongoDB lives in: where it is, who holds it, and whether it can be used."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from typing import TYPE_CHECKING

import platformdirs

from graph.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path


class DiskFullError(StartupError):
    """The disk has too little free space for mongod to start, or to go on."""


_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_SHOWN = 200  # characters of a wrong path
_ELSEWHERE = "choose another with --data-dir (RECALLQL_DATA_DIR)"


def default_data_dir() -> Path:
    """The user's own data directory: `~/.local/share/recallql` on Linux, or under `XDG_DATA_HOME`."""
    return platformdirs.user_data_path("recallql", appauthor=False)


def database_dir(data_dir: Path) -> Path:
    """Return the folder of the files of the own mongod in a data directory."""
    return data_dir / "mongodb"


def data_dir_error(path: Path, error: OSError) -> StartupError:
    """The error for a `path` that the file system refuses."""
    shown = str(path)[:_SHOWN]
    if error.errno in _NO_SPACE:
        return DiskFullError(f"the disk that holds {shown} is full: free some space, or {_ELSEWHERE}")
    if isinstance(error, FileExistsError | NotADirectoryError):
        return StartupError(f"the data directory {shown} is not a directory: {_ELSEWHERE}")
    reason = error.strerror or str(error)
    return StartupError(f"the data directory {shown} can't be written ({reason}): make it writable, or {_ELSEWHERE}")


def check_free_space(path: Path, *, needed_mb: int) -> None:
    """Refuse a nearly full disk: mongod aborts when a write finds no space, so it should not begin there.

    Raises:
        DiskFullError: fewer than `needed_mb` MiB are free where `path` is.
    """
    free_mb = shutil.disk_usage(path).free // 2**20
    if free_mb < needed_mb:
        raise DiskFullError(
            f"the disk that holds {path} is nearly full: {free_mb} MB free, {needed_mb} MB needed;"
            f" free some space, or {_ELSEWHERE}"
        )


class DataDirLock:
    """An advisory lock on a data directory, which ends with the process that took it, however that process ends.

    `flock` rather than POSIX record locks: those would let one process take the directory twice. A child made by
    `fork` without `exec` shares the lock and would keep it past its parent; start workers by spawn.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Make the directory if it is missing, and take it.

        Raises:
            StartupError: the directory can't be used, or another server holds it.
        """
        data_dir = self.path.parent
        try:
            # The embedded mongod has no accounts: its files are at least the owner's alone.
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise data_dir_error(data_dir, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
            os.close(fd)
            who = f"process {holder}" if holder else "another process"
            raise StartupError(
                f"the data directory {data_dir} is in use by {who}: stop that one, or {_ELSEWHERE}"
            ) from None
        except OSError as error:
            os.close(fd)
            raise data_dir_error(data_dir, error) from error
        self._fd = fd

    def release(self) -> None:
        """Give the directory back. Does nothing when it is not held. The file stays: removing it would race."""
        if self._fd is None:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
        os.close(self._fd)
        self._fd = None
