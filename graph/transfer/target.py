"""Where an export goes: a file that appears when it is whole, or what is no regular file, written through."""

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
_MOST_LINKS = 40  # as Linux follows
_DESCRIPTOR = re.compile(r"/proc/(?:self|thread-self|\d+)/fd|/dev/fd")


def regular(file: Path) -> Path | None:
    """The regular file that a path leads to, links followed, which need not exist; None where it is none.

    A descriptor of this process, as `/dev/stdout` and the shell's `>(gzip)` are, is none, whatever is behind it.

    Raises:
        TransferError: the file is read-only.
        OSError: it can't be looked at.
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
    """What is no regular file, open to be written at once."""
    descriptor = _descriptor(file)
    # Opened by its path, a descriptor of a file would be written from the start, and that of a socket not at all.
    with open(file, "wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb") as target:  # noqa: PTH123
        if target.isatty():
            raise TransferError("an export is not for a terminal: name a file, or redirect standard output")
        yield target


@contextmanager
def written_whole(file: Path, *, append: bool) -> Iterator[BinaryIO]:
    """A regular file, which gets what is written when the block ends; until then that is in `partial(file)`.

    Args:
        file: where to, as `regular` gives it. Its mode and its owner are kept; a new one is for its owner alone.
        append: whether to go on with what is in the partial file.
    """
    beside = partial(file)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if append else os.O_TRUNC)
    with os.fdopen(os.open(beside, flags, _NEW), "ab" if append else "wb") as target:
        os.fchmod(target.fileno(), _NEW)
        yield target
        target.flush()
        with suppress(FileNotFoundError):
            _take_over(target.fileno(), file.stat())
        os.fsync(target.fileno())
    beside.replace(file)


def partial(file: Path) -> Path:
    """Where an export to a file is until it is whole."""
    return file.with_name(f"{file.name}.partial")


def _take_over(descriptor: int, earlier: os.stat_result) -> None:
    with suppress(PermissionError):  # only root may give a file away
        os.fchown(descriptor, earlier.st_uid, earlier.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(earlier.st_mode))


def _descriptor(file: Path) -> int | None:
    """The descriptor of this process that a path names, if it does."""
    for _ in range(_MOST_LINKS):
        if file.name.isdecimal() and _DESCRIPTOR.fullmatch(os.path.realpath(file.parent)):
            own = Path(os.path.realpath(file.parent)) == Path(os.path.realpath("/proc/self/fd"))
            return int(file.name) if own else None
        if not file.is_symlink():
            return None
        file = file.parent / file.readlink()
    return None
