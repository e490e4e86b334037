"""Where the embedded mongod listens: a Unix socket in its data directory, or else a port of this machine alone."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

REPLICA_SET = "recallql"

_LOOPBACK = "127.0.0.1"
_SOCKET = "mongodb.sock"
_LONGEST_PATH = 107  # bytes: `sun_path` of unix(7), without its end
_SECONDS = 1.0  # to connect

# Drivers write the names of the members of a replica set in lower case, and MongoDB's notation has its own use for `:`
# and `,`: a path that they would change can't be the name of a member.
_NAME_OF_MEMBER = re.compile(r"[a-z0-9/._+~@-]+")


@dataclass(frozen=True)
class Address:
    """Where a mongod listens.

    Attributes:
        host: the path of the Unix socket, or an address of the Internet Protocol.
        port: the TCP port; 0 with a Unix socket.
    """

    host: str
    port: int = 0

    @classmethod
    def read(cls, member: object) -> Address | None:
        """Return the address that `member` writes; None if it writes none."""
        if not isinstance(member, str):
            return None
        if member.startswith("/"):
            return cls(member)
        host, _, port = member.rpartition(":")
        return cls(host, int(port)) if host and port.isdecimal() and 0 < int(port) < 2**16 else None

    @property
    def member(self) -> str:
        """The address as the configuration of a replica set names a member."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def uri(self) -> str:
        """The connection string.

        It names the replica set and leaves `directConnection` out: the driver then waits for the primary, where a
        direct connection would send writes to a mongod that is still being elected.
        """
        return f"mongodb://{self._in_uri}/?replicaSet={REPLICA_SET}"

    @property
    def direct_uri(self) -> str:
        """The connection string for this mongod alone, also before it is a member of a replica set."""
        return f"mongodb://{self._in_uri}/?directConnection=true"

    @property
    def options(self) -> list[str]:
        """The options of mongod that make it listen there, and nowhere else."""
        if self.port:
            return ["--bind_ip", self.host, "--port", str(self.port), "--nounixsocket"]
        return ["--bind_ip", self.host, "--filePermissions", "0700"]

    @property
    def listens(self) -> bool:
        """Whether a process listens there."""
        with contextlib.suppress(OSError):
            if self.port:
                socket.create_connection((self.host, self.port), timeout=_SECONDS).close()
            else:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(_SECONDS)
                    connection.connect(self.host)
            return True
        return False

    @property
    def _in_uri(self) -> str:
        return self.member if self.port else quote(self.host, safe="")


def socket_in(data_dir: Path) -> Address | None:
    """Return the Unix socket in a data directory, which other users of the machine can't reach.

    Args:
        data_dir: absolute, without symbolic links.

    Returns:
        None where the path is too long or has characters that drivers change, or where the file system has no sockets.
    """
    path = data_dir / _SOCKET
    name = str(path)
    if len(name) > _LONGEST_PATH or not _NAME_OF_MEMBER.fullmatch(name):
        return None
    try:
        path.unlink(missing_ok=True)  # of a mongod that was killed: the caller holds the directory
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(name)
        path.unlink()
    except OSError:
        return None
    return Address(name)


def port_of_loopback(last: Address | None) -> Address:
    """Return the port of the last start if it is free, or else any free one."""
    if last is not None and last.port:
        with contextlib.suppress(OSError):
            return Address(_LOOPBACK, _bound(last.port))
    return Address(_LOOPBACK, _bound(0))


def _bound(port: int) -> int:
    with socket.socket() as probe:
        # As mongod does, so that connections in TIME_WAIT don't count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((_LOOPBACK, port))
        return int(probe.getsockname()[1])
