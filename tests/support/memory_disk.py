"""A file system in memory for the data of tests, where the machine has one with room."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_DISK = Path("/dev/shm")  # noqa: S108 - Linux's file system in memory; each user of it makes a folder of its own
_NEEDED = 4 * 2**30
"""Bytes: far above what a whole run keeps at one time."""


def memory_disk() -> Path | None:
    """The file system in memory, or None where it is small, or runs no programs.

    mongod waits for its files at each change of collections and indexes, and each test makes its own: on a disk, that
    is most of the time of the run, and the part that varies most.
    """
    if not os.access(_DISK, os.W_OK):
        return None
    found = os.statvfs(_DISK)
    room = min(found.f_bavail * found.f_frsize, psutil.virtual_memory().available // 2)
    return None if found.f_flag & os.ST_NOEXEC or room < _NEEDED else _DISK
