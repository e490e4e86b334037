"""Where exports go: regular files, links, FIFOs, devices and descriptors."""

from __future__ import annotations

import gzip
import io
import os
import shlex
import stat
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.enrichment.tokens import load_counter
from graph.store.database import open_database
from graph.transfer.import_ import Importer
from tests.support.server_process import clean_environment
from tests.support.transfer import ndjson, said

COMMAND = [sys.executable, "-m", "graph", "export"]


@pytest.fixture
async def environment(mongodb_uri: str) -> AsyncIterator[dict[str, str]]:
    """Of commands that find one session."""
    name = f"test_{uuid.uuid4().hex}"
    opened = await open_database(mongodb_uri, name=name)
    await Importer(opened, load_counter()).run(io.BytesIO(ndjson(*said("s", "Hello"))))
    yield {**clean_environment(), "RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": name}
    await opened.client.drop_database(name)
    await opened.close()


def export(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, timeout=120, check=False)


def shell(environment: dict[str, str], script: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", "-c", script], env=environment, capture_output=True, timeout=120, check=False)


def is_whole(file: bytes) -> bool:
    return file.startswith(b'{"format":"recallql"') and file.endswith(b'"messages":1}\n')


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_for_its_owner_alone_and_an_older_one_keeps_its_mode(
    environment: dict[str, str], tmp_path: Path
) -> None:
    new, older = tmp_path / "new", tmp_path / "older"
    older.write_bytes(b"older")
    older.chmod(0o640)
    for file in (new, older):
        assert export(environment, str(file)).returncode == 0
        assert is_whole(file.read_bytes())
    assert (mode(new), mode(older)) == (0o600, 0o640)
    assert sorted(tmp_path.iterdir()) == [new, older]


def test_a_fifo_is_written_through(environment: dict[str, str], tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()), daemon=True)
    reader.start()
    assert export(environment, str(fifo)).returncode == 0
    reader.join(60)
    assert is_whole(found[0])
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert list(tmp_path.iterdir()) == [fifo]


def test_a_device_is_written_through(environment: dict[str, str], tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    assert export(environment, str(link)).returncode == 0
    assert stat.S_ISCHR(link.stat().st_mode)
    assert link.is_symlink()


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_its_path_is_written_through(environment: dict[str, str], tmp_path: Path, path: str) -> None:
    assert is_whole(export(environment, path).stdout)
    file = tmp_path / "log"
    file.write_bytes(b"before\n")
    done = shell(environment, f"{shlex.join([*COMMAND, path])} >> {file}")
    assert done.returncode == 0, done.stderr
    assert file.read_bytes().startswith(b"before\n")
    assert is_whole(file.read_bytes().removeprefix(b"before\n"))
    assert list(tmp_path.iterdir()) == [file]


def test_a_process_substitution_is_written_through(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "all.gz"
    # $! is the process of the substitution, for which the shell does not wait by itself.
    done = shell(environment, f"{shlex.join(COMMAND)} >(gzip > {file}) && wait $!")
    assert done.returncode == 0, done.stderr
    assert is_whole(gzip.decompress(file.read_bytes()))


def test_links_are_followed(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    file, link, dangling = tmp_path / "deep" / "file", tmp_path / "link", tmp_path / "dangling"
    file.write_bytes(b"older")
    link.symlink_to("deep/file")
    dangling.symlink_to("deep/new")
    for path in (link, dangling):
        assert export(environment, str(path)).returncode == 0
        assert path.is_symlink()
        assert is_whole(path.read_bytes())
    assert is_whole(file.read_bytes())


def test_what_can_not_be_written_is_refused_in_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"older")
    file.chmod(0o444)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for arguments, problem in (
        ((str(file),), b"is read-only: make it writable, or name another file"),
        ((str(loop),), b"Too many levels of symbolic links"),
        ((str(tmp_path),), b"Is a directory"),
        ((str(fifo), "--resume"), b"only an export to a regular file can be resumed"),
        (("/dev/fd/77",), b"Bad file descriptor"),
    ):
        done = export(environment, *arguments)
        assert done.returncode == 1
        assert problem in done.stderr
        assert done.stderr.count(b"\n") == 1
    assert (file.read_bytes(), mode(file)) == (b"older", 0o444)
