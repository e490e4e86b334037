"""The embedded MongoDB, with the real mongod."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socketserver
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pymongo import MongoClient

from graph.errors import StartupError
from graph.mongod import embedded
from graph.mongod.address import Address
from graph.mongod.datadir import DataDirLock
from graph.mongod.embedded import EmbeddedMongo, EmbeddedMongoError, default_data_dir, find_mongod, running_uri
from graph.mongod.program import command_line, end_left_behind
from tests.support.paths import ROOT
from tests.support.tcp import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

Client = MongoClient[dict[str, Any]]

# A server in miniature: holds the directory until it is told to end, or is killed.
HOLDER = """
import sys, threading
from pathlib import Path
from graph.mongod.embedded import EmbeddedMongo

mongo = EmbeddedMongo(Path(sys.argv[1]))

def run():
    mongo.start()
    print(mongo.pid, flush=True)
    sys.stdin.read()

if sys.argv[2] == "main":
    run()
else:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
mongo.stop()
"""


class AnotherServer(socketserver.TCPServer):
    """Closes whatever connects."""

    allow_reuse_address = True


def refusal(mongo: EmbeddedMongo) -> str:
    """The one line with which it refuses to start, after which nothing runs and nothing is held."""
    with pytest.raises(StartupError) as caught:
        mongo.start()
    message = str(caught.value)
    assert "\n" not in message
    assert not mongo.alive
    return message


def listening(mongo: EmbeddedMongo) -> list[tuple[str, int]]:
    """The addresses of the Internet Protocol on which it listens."""
    connections = psutil.Process(mongo.pid).net_connections()
    return [(one.laddr.ip, one.laddr.port) for one in connections if one.status == psutil.CONN_LISTEN]


def wait_gone(pid: int) -> None:
    for _ in range(1500):
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.02)
                continue
        return
    raise AssertionError(f"process {pid} still runs")


@contextlib.contextmanager
def holder(data_dir: Path, thread: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds an embedded MongoDB, and the pid of its mongod."""
    command = [sys.executable, "-c", HOLDER, str(data_dir), thread]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        try:
            yield process, pid
        finally:
            process.kill()
            end_left_behind([pid], data_dir / "mongodb")
            wait_gone(pid)


def test_starts_a_replica_set_with_transactions_and_change_streams(tmp_path: Path) -> None:
    with EmbeddedMongo(tmp_path / "data") as mongo, Client(mongo.uri) as client:
        hello = client.admin.command("hello")
        assert hello["setName"] == "recallql"
        assert hello["hosts"] == [str(tmp_path / "data" / "mongodb.sock")]
        with client.test.things.watch() as stream:
            with client.start_session() as session, session.start_transaction():
                client.test.things.insert_one({"_id": 1}, session=session)
            assert stream.next()["documentKey"] == {"_id": 1}
        status = client.admin.command("serverStatus")
        assert status["wiredTiger"]["cache"]["maximum bytes configured"] == 256 * 2**20
        assert not listening(mongo)
        assert (tmp_path / "data" / "mongodb.sock").stat().st_mode & 0o077 == 0
        assert (tmp_path / "data" / "mongod.log").stat().st_size > 0
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0


# The second one has a path that drivers would write in lower case.
@pytest.mark.parametrize("name", ["data", "Data"])
def test_keeps_data_and_address_over_a_restart_and_stops_only_once(tmp_path: Path, name: str) -> None:
    mongo = EmbeddedMongo(tmp_path / name)
    with mongo:
        uri, pid = mongo.uri, mongo.pid
        assert running_uri(tmp_path / name) == uri
        mongo.start()
        assert mongo.pid == pid
        with Client(uri) as client:
            client.test.things.insert_one({"_id": "kept"})
    assert pid
    assert not psutil.pid_exists(pid)
    mongo.stop()
    assert running_uri(tmp_path / name) is None
    with pytest.raises(RuntimeError, match="not running"):
        _ = mongo.uri
    with mongo, Client(mongo.uri) as client:
        assert mongo.uri == uri
        assert client.test.things.find_one() == {"_id": "kept"}


def test_a_directory_that_moves_is_the_same_replica_set(tmp_path: Path) -> None:
    with EmbeddedMongo(tmp_path / "one") as mongo, Client(mongo.uri) as client:
        client.test.things.insert_one({"_id": "kept"})
    (tmp_path / "one").rename(tmp_path / "two")
    with EmbeddedMongo(tmp_path / "two") as mongo, Client(mongo.uri) as client:
        assert client.admin.command("hello")["hosts"] == [str(tmp_path / "two" / "mongodb.sock")]
        assert client.test.things.count_documents({}) == 1


@pytest.mark.parametrize("name", ["Upper", "a:b", "a,b", "a b", "ü", "x" * 100])
def test_a_path_that_allows_no_socket_gets_a_port_of_this_machine(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedMongo(tmp_path / name) as mongo, Client(mongo.uri) as client:
        client.test.things.insert_one({"_id": "kept"})
        ((host, port),) = listening(mongo)
        assert (host, f"{host}:{port}") == ("127.0.0.1", client.admin.command("hello")["me"])
    assert [
        record.message for record in caplog.records if "which other users of this machine can reach" in record.message
    ]
    with AnotherServer(("127.0.0.1", port), socketserver.BaseRequestHandler) as taken:
        threading.Thread(target=taken.serve_forever, args=(0.05,), daemon=True).start()
        with EmbeddedMongo(tmp_path / name) as mongo, Client(mongo.uri) as client:
            assert listening(mongo)[0][1] != port
            assert client.test.things.count_documents({}) == 1
        taken.shutdown()


def test_the_warning_of_a_port_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ports that another process takes between the look and mongod's own bind."""
    with AnotherServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as taken:
        ports = iter([taken.server_address[1], free_port()])
        monkeypatch.setattr(embedded, "port_of_loopback", lambda _last: Address("127.0.0.1", next(ports)))
        with EmbeddedMongo(tmp_path / "Upper") as mongo:
            ((_, port),) = listening(mongo)
    (warning,) = [record.getMessage() for record in caplog.records if "can reach" in record.getMessage()]
    assert f"127.0.0.1:{port}," in warning


@pytest.mark.parametrize("member", ["/a/mongodb.sock", "127.0.0.1:27017"])
def test_an_address_is_read_as_it_is_written(member: str) -> None:
    address = Address.read(member)
    assert address is not None
    assert address.member == member


@pytest.mark.parametrize("member", [None, 27017, "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ":1"])
def test_what_is_no_address_is_none(member: object) -> None:
    assert Address.read(member) is None


def test_a_second_server_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    with holder(tmp_path, "main") as (process, _):
        assert f"in use by process {process.pid}" in refusal(EmbeddedMongo(tmp_path))
    with EmbeddedMongo(tmp_path):
        assert f"in use by process {os.getpid()}" in refusal(EmbeddedMongo(tmp_path))


# Only a mongod started from the main thread is ended by the kernel; the other is left for the next start.
@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_start_after_a_kill_ends_the_mongod_left_behind_and_keeps_the_data(tmp_path: Path, thread: str) -> None:
    with holder(tmp_path, thread) as (process, pid):
        process.kill()
        process.wait()
        with EmbeddedMongo(tmp_path) as mongo, Client(mongo.uri) as client:
            wait_gone(pid)
            assert mongo.pid != pid
            client.test.things.insert_one({"_id": "written"})


@pytest.mark.skipif(sys.platform != "linux", reason="a signal of Linux")
def test_mongod_ends_with_a_killed_server_by_itself(tmp_path: Path) -> None:
    with holder(tmp_path, "main") as (process, pid):
        process.kill()
        process.wait()
        wait_gone(pid)


def test_a_killed_mongod_recovers_what_was_acknowledged(tmp_path: Path) -> None:
    mongo = EmbeddedMongo(tmp_path)
    with mongo:
        with Client(mongo.uri, w="majority") as client:
            client.test.things.insert_many([{"_id": n} for n in range(1000)])
            pid = mongo.pid
            assert pid
            os.kill(pid, signal.SIGKILL)
        wait_gone(pid)
        for _ in range(500):  # its first thread is a zombie before all of it can be reaped
            if not mongo.alive:
                break
            time.sleep(0.02)
        assert not mongo.alive
        assert mongo.pid is None
    with mongo, Client(mongo.uri) as client:
        assert client.test.things.count_documents({}) == 1000


def test_never_ends_a_process_that_is_not_its_mongod(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        try:
            (tmp_path / "mongodb").mkdir()
            (tmp_path / "mongodb" / "mongod.lock").write_text(f"{stranger.pid}\n")
            (tmp_path / "mongod.json").write_text(f'{{"pid": {stranger.pid}, "address": "x"}}')
            with EmbeddedMongo(tmp_path):
                assert stranger.poll() is None
        finally:
            stranger.kill()


def test_ctrl_c_in_the_terminal_leaves_the_stop_to_the_server(tmp_path: Path) -> None:
    with EmbeddedMongo(tmp_path) as mongo:
        assert mongo.pid
        assert os.getpgid(mongo.pid) != os.getpgid(0)
        assert os.getsid(mongo.pid) != os.getsid(0)


def test_starts_from_a_thread_that_ends_before_it(tmp_path: Path) -> None:
    mongo = EmbeddedMongo(tmp_path)
    starter = threading.Thread(target=mongo.start)
    starter.start()
    starter.join()
    try:
        time.sleep(0.2)
        with Client(mongo.uri) as client:
            assert client.admin.command("ping")["ok"] == 1
    finally:
        mongo.stop()


def test_keeps_the_logs_of_the_last_starts_only(tmp_path: Path) -> None:
    not_mongod = Path(shutil.which("false") or "/bin/false")
    for _ in range(6):
        assert "ended with status 1" in refusal(EmbeddedMongo(tmp_path, mongod_path=not_mongod))
    assert sorted(path.name for path in tmp_path.glob("mongod.log*")) == [
        "mongod.log",
        "mongod.log.1",
        "mongod.log.2",
        "mongod.log.3",
    ]


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        message = refusal(EmbeddedMongo(place))
        assert "is not a directory" in message
        assert "--data-dir" in message


def test_a_directory_that_cannot_be_written_is_refused() -> None:
    assert "can't be written" in refusal(EmbeddedMongo(Path("/proc/recallql")))


def test_a_nearly_full_disk_is_refused_with_both_sizes(tmp_path: Path) -> None:
    message = refusal(EmbeddedMongo(tmp_path, min_free_mb=10**9))
    free = shutil.disk_usage(tmp_path).free // 2**20
    assert "MB free, 1000000000 MB needed" in message
    assert abs(int(message.split(" MB free")[0].split()[-1]) - free) < 1024


def test_a_disk_that_is_full_is_refused(tmp_path: Path) -> None:
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size="$2" none "$1"'
    if not shutil.which("unshare") or subprocess.run([*unshare, mount, "sh", tmp_path, "64k"], check=False).returncode:
        pytest.skip("needs a mount namespace")
    script = """
import sys
from pathlib import Path
from graph.errors import StartupError
from graph.mongod.embedded import EmbeddedMongo
try:
    EmbeddedMongo(Path(sys.argv[1]) / "data", min_free_mb=0).start()
except StartupError as error:
    print(error)
"""
    for size in ("4k", "256k"):  # too little for our own files, and for mongod's
        command = [*unshare, f'{mount} && exec "$3" -c "$4" "$1"', "sh", tmp_path, size, sys.executable, script]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        assert done.stdout.count("\n") == 1
        assert "is full: free some space" in done.stdout


def test_a_cache_below_what_mongod_takes_is_refused(tmp_path: Path) -> None:
    assert "256 MB or more" in refusal(EmbeddedMongo(tmp_path, cache_mb=64))


def test_data_of_a_later_feature_version_is_refused(tmp_path: Path) -> None:
    with EmbeddedMongo(tmp_path) as mongo, Client(mongo.uri) as client:
        # MongoDB checks this document on every ordinary write, and not when a collection takes another's place.
        client.admin.later.insert_one({"_id": "featureCompatibilityVersion", "version": "8.0"})
        rename = {"renameCollection": "admin.later", "to": "admin.system.version", "dropTarget": True}
        client.admin.command("applyOps", [{"op": "c", "ns": "admin.$cmd", "o": rename}])
    message = refusal(EmbeddedMongo(tmp_path))
    assert "is of another MongoDB version" in message
    assert "UPGRADE PROBLEM" in message
    lock = DataDirLock(tmp_path)
    lock.acquire()
    lock.release()


def crc32c(data: bytes | bytearray) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_data_files_of_a_later_storage_format_are_refused(tmp_path: Path) -> None:
    with EmbeddedMongo(tmp_path):
        pass
    catalog = tmp_path / "mongodb" / "_mdb_catalog.wt"
    content = bytearray(catalog.read_bytes())
    # WiredTiger's file description: magic, major and minor version, CRC-32C of the first 4 KiB with itself as zero.
    struct.pack_into("<HHI", content, 4, 9, 0, 0)
    struct.pack_into("<I", content, 8, crc32c(content[:4096]))
    catalog.write_bytes(content)
    message = refusal(EmbeddedMongo(tmp_path))
    assert "is of another MongoDB version" in message
    assert "unsupported WiredTiger file version" in message


def test_damaged_data_is_refused_with_what_mongod_says_of_it(tmp_path: Path) -> None:
    with EmbeddedMongo(tmp_path):
        pass
    (tmp_path / "mongodb" / "storage.bson").write_bytes(b"\x00\x01not bson")
    message = refusal(EmbeddedMongo(tmp_path))
    assert "storage" in message.lower()
    assert str(tmp_path / "mongod.log") in message


def test_another_mongod_on_the_same_data_is_named(tmp_path: Path) -> None:
    dbpath = tmp_path / "mongodb"
    dbpath.mkdir()
    log = tmp_path / "other.log"
    command = [str(find_mongod()), "--dbpath", str(dbpath), "--port", str(free_port()), "--nounixsocket"]
    with subprocess.Popen([*command, "--bind_ip", "127.0.0.1", "--logpath", str(log)], stdout=subprocess.DEVNULL) as it:
        try:
            while not log.exists() or "Waiting for connections" not in log.read_text():
                time.sleep(0.05)
            assert "another mongod uses" in refusal(EmbeddedMongo(tmp_path))
            assert it.poll() is None
        finally:
            it.terminate()


def test_a_program_of_another_machine_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "mongod"
    header = bytearray(Path(sys.executable).resolve().read_bytes()[:64])
    header[18:20] = (0x16).to_bytes(2, "little")  # e_machine: S/390
    foreign.write_bytes(header)
    foreign.chmod(0o755)
    assert "is not a program for this machine" in refusal(EmbeddedMongo(tmp_path / "data", mongod_path=foreign))


def test_a_missing_system_library_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "mongod"
    content = Path(shutil.which("ls") or "/bin/ls").read_bytes()
    assert b"libc.so.6\0" in content
    broken.write_bytes(content.replace(b"libc.so.6\0", b"libq.so.6\0"))
    broken.chmod(0o755)
    message = refusal(EmbeddedMongo(tmp_path / "data", mongod_path=broken))
    assert "a system library is missing" in message
    assert "libq.so.6" in message


def test_finds_a_mongod_that_runs_and_says_what_to_do_about_one_that_does_not(tmp_path: Path) -> None:
    found = find_mongod()
    assert "db version" in subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout
    assert find_mongod(found) == found
    with pytest.raises(EmbeddedMongoError, match="not a program that can be run"):
        find_mongod(tmp_path / "missing")


def test_no_mongod_at_all_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("graph.mongod.program._WHEELS", ("recallql-no-such-wheel",))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "set RECALLQL_MONGODB_URI" in refusal(EmbeddedMongo(tmp_path / "data"))


def test_the_command_line_leaves_pdeathsig_to_the_main_thread(tmp_path: Path) -> None:
    commands: list[list[str]] = []

    def build() -> None:
        commands.append(
            command_line(
                Path("/opt/mongod"),
                dbpath=tmp_path,
                log=tmp_path / "log",
                address=Address("127.0.0.1", 27017),
                cache_mb=256,
                oplog_mb=990,
            )
        )

    other = threading.Thread(target=build)
    other.start()
    other.join()
    assert commands[0][0] == "/opt/mongod"


def test_the_default_directory_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "recallql"
