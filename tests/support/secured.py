"""A mongod that takes TLS alone and demands authentication, with certificates that it makes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pymongo import MongoClient

from graph.mongod.embedded import EmbeddedMongo
from tests.support.accounts import BY_PORT, mongod_with_accounts

ROLES: list[dict[str, Any]] = [{"role": "readWrite", "db": "recallql"}]
"""The least rights, as docs/operating.md has them."""


@dataclass(frozen=True)
class Secured:
    """The connection strings of one user by password, and of one by certificate, with the same rights."""

    by_password: str
    by_certificate: str
    by_password_without_tls: str


@contextmanager
def secured_mongod(directory: Path, roles: list[dict[str, Any]]) -> Iterator[Secured]:
    """Run a replica set of one for the length of a block.

    Args:
        directory: an empty one.
        roles: of the users.
    """
    authority = _Authority(directory)
    server = authority.certificate("server", "Servers")
    client = authority.certificate("recallql", "Clients")
    subject = f"CN=recallql,OU=Clients,O={_ORGANIZATION}"
    password = secrets.token_hex(16)
    with EmbeddedMongo(directory / BY_PORT) as mongo, MongoClient[dict[str, Any]](mongo.uri) as opened:
        port = opened.address[1] if opened.address else 0
        opened.admin.command("createUser", "recallql", pwd=password, roles=roles)
        opened["$external"].command("createUser", subject, roles=roles)
    place = f"127.0.0.1:{port}/?replicaSet=recallql"
    tls = f"&tls=true&tlsCAFile={authority.file}"
    certified = f"&tlsCertificateKeyFile={client}&authMechanism=MONGODB-X509&authSource=$external"
    by_password = f"mongodb://recallql:{password}@{place}{tls}&tlsCertificateKeyFile={client}&authSource=admin"
    flags = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(server), "--tlsCAFile", str(authority.file)]
    with mongod_with_accounts(directory, directory / BY_PORT / "mongodb", port, by_password, *flags):
        yield Secured(
            by_password,
            f"mongodb://{place}{tls}{certified}",
            f"mongodb://recallql:{password}@{place}&authSource=admin&serverSelectionTimeoutMS=2000",
        )


_ORGANIZATION = "Example"


class _Authority:
    """A certificate authority of its own, whose files are in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority", "Authorities")
        self._certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = directory / "authority.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def certificate(self, name: str, unit: str) -> Path:
        """Make a certificate and its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
        made = _builder(_name(name, unit), self._name, key).add_extension(names, critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        file = self._directory / f"{name}.pem"
        file.touch(mode=0o600)
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        return file


def _name(name: str, unit: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
