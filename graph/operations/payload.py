"""The digest of a payload of `addMemory`, which differs for different payloads."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import orjson

from graph.store.adding.add_plan import NewMessage
from graph.store.documents import Document
from graph.store.expiry import Expiry


async def digest_of_call(
    idempotency_key: str | None,
    messages: Sequence[NewMessage],
    metadata: Document,
    user_id: str | None,
    *,
    replaces_from: int | None = None,
    expiry: Expiry | None = None,
) -> str | None:
    """Return the digest of the payload of a call with an idempotency key; None without a key.

    The digest is computed on a thread, since a payload may have 16 MB.
    """
    if idempotency_key is None:
        return None
    return await asyncio.to_thread(payload_digest, messages, metadata, user_id, replaces_from, expiry)


def payload_digest(
    messages: Sequence[NewMessage],
    metadata: Document,
    user_id: str | None,
    replaces_from: int | None = None,
    expiry: Expiry | None = None,
) -> str:
    """Return the SHA-256 of the payload in hexadecimal; the order of keys in metadata does not affect it.

    Args:
        messages: the checked messages, in order.
        metadata: the metadata of the memory.
        user_id: the user in the call, if any.
        replaces_from: the number from which on the messages replace others, if they do.
        expiry: the expiry in the call, if any.
    """
    # Absent values add nothing, so that the digests of stored payloads stay the same.
    replaced = [] if replaces_from is None else [replaces_from]
    expires = [] if expiry is None else [{"expiresAt": expiry.at}]
    payload = [[_sent(message) for message in messages], metadata, user_id, *replaced, *expires]
    text = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def _sent(message: NewMessage) -> list[object]:
    values: list[object] = [message.uuid, message.role, message.content, message.metadata, message.created_at]
    fields: Document = {**message.edit.fields()}
    if message.parent_uuid is not None:
        fields["parentUuid"] = message.parent_uuid
    return [*values, fields] if fields else values
