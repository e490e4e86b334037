"""The values that a record lacks, which are the same at each import."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import cast

from graph.store.documents import Document, UserDocument
from graph.store.item_documents import NEVER, ItemDocument
from graph.store.items import path_of

_SPACE = uuid.UUID("6c9a3a1e-52a9-5f0b-9d0c-1f3f6f6d5d3a")  # the namespace of derived uuids, a constant of the format


def derived_uuid(*place: object) -> str:
    """Return the uuid of a record without one, derived from its place in the file."""
    return str(uuid.uuid5(_SPACE, "\0".join(map(str, place))))


def user_of(record: Document, at: datetime) -> UserDocument:
    """Return the document of a user.

    Args:
        record: the record.
        at: the time for a record without one.
    """
    user_id = record.pop("userId")
    values = {name: value for name, value in record.items() if value is not None}
    created = values.get("createdAt", at)
    defaults = {"uuid": derived_uuid("user", user_id), "metadata": {}, "createdAt": created, "updatedAt": created}
    return cast("UserDocument", {"_id": user_id, **(defaults | values)})


def item_of(record: Document, at: datetime) -> ItemDocument:
    """Return the document of an item, of which a search computes the facts that it compares.

    Args:
        record: the record.
        at: the time for a record without one.
    """
    path = path_of(record["namespace"])
    created = record.get("createdAt", at)
    uuid_ = record.pop("uuid", None) or derived_uuid("item", record["userId"], path, record["key"])
    times = {"createdAt": created, "updatedAt": created, "expiresAt": NEVER}
    return cast(
        "ItemDocument", {"_id": uuid_, "path": path, "revision": 1, "texts": [], "layout": 0, **times, **record}
    )
