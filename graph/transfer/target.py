"""The target of an export: a regular file, replaced at the end, or a pipe or device, written directly."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from graph.errors import TransferError

_NEW = 0o600  # conversations are private
_MOST_LINKS = 40  # the limit of Linux
_DESCRIPTOR = re.compile(r"/proc/(?:self|thread-self|\d+)/fd|/dev/fd")


def regular(file: Path) -> Path | None:
    """Return the regular file of a path, with links followed, existing or not; None for a pipe or device.

    The path of a descriptor of this process (`/dev/stdout`, the shell's `>(gzip)`) is never a regular file here.

    Raises:
        TransferError: the file is read-only.
        OSError: the path can't be read.
    """
    if _descriptor(file) is not None:
        return None
    try:
        found = file.stat()
    except FileNotFoundError:
        return Path(os.path.realpath(file))
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(None, "Is a directory")
    if not stat.S_ISREG(found.st_mode):
        return None
    # For root, the system's own check always passes.
    if not found.st_mode & 0o222 or not os.access(file, os.W_OK):
        raise TransferError(f"{file} is read-only: make it writable, or name another file")
    return Path(os.path.realpath(file))


@contextmanager
def written_through(file: Path) -> Iterator[BinaryIO]:
    """Open a pipe, device or descriptor for direct writing."""
    descriptor = _descriptor(file)
    # The path of a descriptor would be opened at the start of the file, and can't be opened for a socket.
    with open(file, "wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb") as target:  # noqa: PTH123
        if target.isatty():
            raise TransferError("the target is a terminal: name a file, or redirect standard output")
        yield target


@contextmanager
def written_whole(file: Path, *, append: bool) -> Iterator[BinaryIO]:
    """Write to `partial(file)`, and replace a regular file with it at the end of the block.

    Args:
        file: the result of `regular`. Its mode and its owner are kept; a new file is readable by its owner alone.
        append: whether to continue the partial file.
    """
    unfinished = partial(file)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if append else os.O_TRUNC)
    with os.fdopen(os.open(unfinished, flags, _NEW), "ab" if append else "wb") as target:
        os.fchmod(target.fileno(), _NEW)
        yield target
        target.flush()
        with suppress(FileNotFoundError):
            _take_over(target.fileno(), file.stat())
        os.fsync(target.fileno())
    unfinished.replace(file)


def partial(file: Path) -> Path:
    """Return the path of the unfinished export to a file."""
    return file.with_name(f"{file.name}.partial")


def _take_over(descriptor: int, earlier: os.stat_result) -> None:
    with suppress(PermissionError):  # only root may change the owner
        os.fchown(descriptor, earlier.st_uid, earlier.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(earlier.st_mode))


def _descriptor(file: Path) -> int | None:
    """Return the descriptor of this process that a path names, or None."""
    for _ in range(_MOST_LINKS):
        if file.name.isdecimal() and _DESCRIPTOR.fullmatch(os.path.realpath(file.parent)):
            own = Path(os.path.realpath(file.parent)) == Path(os.path.realpath("/proc/self/fd"))
            return int(file.name) if own else None
        if not file.is_symlink():
            return None
        file = file.parent / file.readlink()
    return None
