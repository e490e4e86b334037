"""Service keys: random secrets for backends, kept as hashes.

A key is `rql_<id>_<secret>`. The id finds it; the secret has 256 random bits, so that one round of SHA-256 is enough.
The prefix lets scanners find a key that was published by mistake.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from graph.access.caller import Right
from graph.errors import BadUserInput, NotFound, shown
from graph.store import service_keys
from graph.store.database import Database
from graph.store.documents import now
from graph.store.service_documents import ServiceKeyDocument

PREFIX = "rql_"
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """The stored description of a key, without its secret."""

    id: str
    name: str
    right: Right
    created_at: datetime
    last_used_at: datetime | None


def _key(document: ServiceKeyDocument) -> ServiceKey:
    return ServiceKey(
        document["_id"],
        document["name"],
        Right[document["scope"]],
        document["createdAt"],
        document.get("lastUsedAt"),
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def create_key(database: Database, name: str, right: Right) -> tuple[ServiceKey, str]:
    """Create a key; return its description and its text, which is not stored and can't be shown again.

    Raises:
        BadUserInput: the name is not allowed, or is in use.
    """
    if not re.fullmatch(r"\S(.*\S)?", name) or len(name) > _MAX_NAME or not name.isprintable():
        message = f"the name of a key must have 1 to {_MAX_NAME} printable characters, without a space at either end"
        raise BadUserInput(message)
    key_id = secrets.token_hex(6)
    token = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    document: ServiceKeyDocument = {
        "_id": key_id,
        "name": name,
        "scope": right.name,
        "hash": _hash(token),
        "createdAt": now(),
    }
    if not await service_keys.insert_key(database, document):
        message = f"a key named {shown(name)} exists: choose another name, or revoke the existing key"
        raise BadUserInput(message)
    return _key(document), token


async def list_keys(database: Database) -> list[ServiceKey]:
    """Return all keys, oldest first."""
    return [_key(document) for document in await service_keys.all_keys(database)]


async def revoke_key(database: Database, name_or_id: str) -> ServiceKey:
    """Revoke a key: from now on, no process accepts the key.

    Raises:
        NotFound: no key has the name or id.
    """
    document = await service_keys.delete_key(database, name_or_id)
    if document is None:
        message = f"no key has the name or id {shown(name_or_id)}: see `recallql key list`"
        raise NotFound(message)
    return _key(document)


async def find_valid_key(database: Database, token: str) -> ServiceKey | None:
    """Return the key with this text, or None, and store the time of its use."""
    match = re.fullmatch(rf"{PREFIX}([0-9a-f]{{12}})_[\w-]{{43}}", token, re.ASCII)
    if match is None:
        return None
    document = await service_keys.find_key(database, match[1])
    if document is None or not hmac.compare_digest(document["hash"], _hash(token)):
        return None
    await service_keys.note_use(database, document)
    return _key(document)
