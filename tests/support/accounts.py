"""A mongod with accounts."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from graph.mongod.address import Address
from graph.mongod.embedded import EmbeddedMongo
from graph.mongod.program import command_line, find_mongod

START_SECONDS = 60.0
BY_PORT = "Data"
"""A data directory whose mongod listens on a port, as one with accounts does: a path in lower case allows a socket."""


@contextmanager
def mongod_with_reader(directory: Path, database: str) -> Iterator[str]:
    """A replica set of one that requires authentication: the connection string of a user that may only read a database.

    Args:
        directory: an empty one.
        database: the database, which the caller's `open_database` has filled, or which is empty.
    """
    password = secrets.token_hex(16)
    with EmbeddedMongo(directory / BY_PORT) as mongo, MongoClient[dict[str, Any]](mongo.uri) as client:
        port = client.address[1] if client.address else 0
        client[database].messages.insert_one({"_id": "x"})
        client.admin.command("createUser", "reader", pwd=password, roles=[{"role": "read", "db": database}])
    uri = f"mongodb://reader:{password}@127.0.0.1:{port}/?replicaSet=recallql&authSource=admin"
    with mongod_with_accounts(directory, directory / BY_PORT / "mongodb", port, uri):
        yield uri


@contextmanager
def mongod_with_accounts(directory: Path, dbpath: Path, port: int, uri: str, *flags: str) -> Iterator[None]:
    """Run the mongod of a replica set of one with authentication, for the length of a block.

    Args:
        directory: where its key file and its log are written.
        dbpath: the data that an `EmbeddedMongo` has left, with an account.
        port: the port of that one.
        uri: the connection string of the account.
        flags: more flags.
    """
    key = directory / "key"
    key.write_text(secrets.token_hex(32))
    key.chmod(0o600)
    log = directory / "with-accounts.log"
    command = command_line(
        find_mongod(None), dbpath=dbpath, log=log, address=Address("127.0.0.1", port), cache_mb=256, oplog_mb=990
    )
    command += ["--auth", "--keyFile", str(key), *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=int(START_SECONDS * 1000)) as client:
                until = time.monotonic() + START_SECONDS
                while not client.admin.command("hello").get("isWritablePrimary"):
                    assert time.monotonic() < until
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()
