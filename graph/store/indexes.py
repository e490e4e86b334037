"""The indexes of every collection, created at the start if missing."""

from __future__ import annotations

from graph.store.driver.types import ASCENDING, IndexModel, OperationFailure, RawDatabase
from graph.store.entities.owners import HIGHEST_RANK

_NAMESPACE_EXISTS = 48
_INDEX_NOT_FOUND = 27


INDEXES: dict[str, list[IndexModel]] = {
    "sessions": [
        IndexModel([("createdAt", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("updatedAt", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("userId", ASCENDING), ("createdAt", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("userId", ASCENDING), ("updatedAt", ASCENDING), ("_id", ASCENDING)]),
        # All values in metadata, at any path; a change of a session's counts does not update this index.
        IndexModel([("metadata.$**", ASCENDING)]),
        IndexModel([("number", ASCENDING), ("createdAt", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("userId", ASCENDING), ("number", ASCENDING), ("createdAt", ASCENDING), ("_id", ASCENDING)]),
        # Of sessions with a title: its words.
        IndexModel(
            [("titleWords", ASCENDING)], partialFilterExpression={"titleWords": {"$exists": True}}, name="titleWords"
        ),
        IndexModel(
            [("userId", ASCENDING), ("titleWords", ASCENDING)],
            partialFilterExpression={"titleWords": {"$exists": True}},
            name="titleWordsOfUser",
        ),
        IndexModel(
            [("summarising.dueAt", ASCENDING)],
            partialFilterExpression={"summarising.dueAt": {"$exists": True}},
            name="summarising",
        ),
        IndexModel(
            [("expiresAt", ASCENDING)], partialFilterExpression={"expiresAt": {"$exists": True}}, name="expiring"
        ),
        IndexModel(
            [("userId", ASCENDING), ("expiresAt", ASCENDING)],
            partialFilterExpression={"expiresAt": {"$exists": True}},
            name="expiringOfUser",
        ),
        IndexModel(
            [("retentionDays", ASCENDING), ("updatedAt", ASCENDING)],
            partialFilterExpression={"retentionDays": {"$exists": True}},
            name="retained",
        ),
        IndexModel(
            [("userId", ASCENDING), ("retentionDays", ASCENDING), ("updatedAt", ASCENDING)],
            partialFilterExpression={"retentionDays": {"$exists": True}},
            name="retainedOfUser",
        ),
    ],
    "memories": [
        IndexModel([("sessionId", ASCENDING), ("firstSeq", ASCENDING)], unique=True),
        IndexModel(
            [("sessionId", ASCENDING), ("idempotencyKey", ASCENDING)],
            unique=True,
            partialFilterExpression={"idempotencyKey": {"$exists": True}},
        ),
        # The time of a session's revision, for subscribers that come back with it.
        IndexModel([("sessionId", ASCENDING), ("sessionRevision", ASCENDING)]),
    ],
    "messages": [
        IndexModel([("sessionId", ASCENDING), ("seq", ASCENDING)], unique=True),
        IndexModel([("sessionId", ASCENDING), ("enrichment.state", ASCENDING), ("createdAt", ASCENDING)]),
        IndexModel(
            # With the fields of the filter for due work, so that a claim reads only messages that it may take.
            [("enrichment.dueAt", ASCENDING), ("sessionId", ASCENDING), ("tokenCount", ASCENDING)],
            partialFilterExpression={"enrichment.state": "PENDING"},
            name="due",
        ),
        IndexModel(
            [("enrichment.state", ASCENDING), ("createdAt", ASCENDING)],
            partialFilterExpression={"enrichment.state": {"$in": ["PENDING", "FAILED"]}},
            name="unfinished",
        ),
        IndexModel(
            [("sessionId", ASCENDING), ("toolCalls", ASCENDING)],
            partialFilterExpression={"toolCalls": {"$exists": True}},
            name="calls",
        ),
        IndexModel([("sessionId", ASCENDING), ("entities.key", ASCENDING), ("seq", ASCENDING)]),
        # For subscribers that catch up; a message enters these indexes with its first change, not when it is added.
        IndexModel(
            [("sessionId", ASCENDING), ("sessionRevision", ASCENDING), ("seq", ASCENDING)],
            partialFilterExpression={"editedAt": {"$exists": True}},
            name="edits",
        ),
        # For caches of searches, which read the messages that were edited since a time.
        IndexModel(
            [("sessionId", ASCENDING), ("editedAt", ASCENDING)],
            partialFilterExpression={"editedAt": {"$exists": True}},
            name="editedAt",
        ),
        IndexModel(
            [("sessionId", ASCENDING), ("enrichment.at", ASCENDING), ("seq", ASCENDING)],
            partialFilterExpression={"enrichment.at": {"$exists": True}},
            name="enriched",
        ),
    ],
    "recall": [
        IndexModel([("sessionId", ASCENDING), ("seq", ASCENDING)]),
        IndexModel([("sessionId", ASCENDING), ("at", ASCENDING)]),
        IndexModel([("sessionId", ASCENDING), ("model", ASCENDING)]),
        # The messages without a vector of a worker's model are in two ranges of the index.
        IndexModel([("model", ASCENDING), ("dueAt", ASCENDING)]),
        IndexModel([("layout", ASCENDING), ("dueAt", ASCENDING)]),
        IndexModel([("sessionId", ASCENDING), ("layout", ASCENDING)]),
    ],
    "summaries": [IndexModel([("sessionId", ASCENDING), ("lastSeq", ASCENDING)], unique=True)],
    "streams": [
        IndexModel([("sessionId", ASCENDING), ("seq", ASCENDING)]),
        IndexModel([("dueAt", ASCENDING)]),
    ],
    "pieces": [IndexModel([("sessionId", ASCENDING), ("seq", ASCENDING), ("index", ASCENDING)], unique=True)],
    "typing": [IndexModel([("sessionId", ASCENDING)]), IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0)],
    "serviceKeys": [IndexModel([("name", ASCENDING)], unique=True)],
    "entities": [
        IndexModel(
            [("owner", ASCENDING), ("rank", ASCENDING), ("key", ASCENDING)],
            partialFilterExpression={"rank": {"$lt": HIGHEST_RANK}},
        ),
        IndexModel([("owner", ASCENDING), ("label", ASCENDING), ("rank", ASCENDING), ("key", ASCENDING)]),
        IndexModel(
            [("userId", ASCENDING), ("key", ASCENDING), ("own.first.at", ASCENDING), ("sessionId", ASCENDING)],
            partialFilterExpression={"userId": {"$exists": True}},
        ),
    ],
    "users": [
        IndexModel([("createdAt", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("number", ASCENDING), ("createdAt", ASCENDING), ("_id", ASCENDING)]),
    ],
    "items": [
        IndexModel([("userId", ASCENDING), ("path", ASCENDING), ("key", ASCENDING)], unique=True),
        # It covers counts and the list of namespaces, which leave out expired items.
        IndexModel([("userId", ASCENDING), ("path", ASCENDING), ("key", ASCENDING), ("expiresAt", ASCENDING)]),
        IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0),
    ],
    "erasures": [IndexModel([("dueAt", ASCENDING)]), IndexModel([("sessionId", ASCENDING)])],
    "handovers": [IndexModel([("dueAt", ASCENDING)])],
    "forks": [
        IndexModel([("dueAt", ASCENDING)]),
        IndexModel([("userId", ASCENDING)]),
        IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0),
    ],
    "retentions": [IndexModel([("dueAt", ASCENDING)])],
    "deletions": [
        IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0),
        # Of deleted messages.
        IndexModel([("sessionId", ASCENDING), ("sessionRevision", ASCENDING), ("_id", ASCENDING)]),
        # Of deleted sessions: of a user, and of all users.
        IndexModel([("kind", ASCENDING), ("userId", ASCENDING), ("at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("kind", ASCENDING), ("at", ASCENDING), ("_id", ASCENDING)]),
    ],
    "counters": [],
    "models": [],
    "versions": [],
    "processes": [IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0)],
}


RETIRED: dict[str, tuple[str, ...]] = {
    "messages": (
        "words",  # of the words of contents, which MongoDB's text search compared
        "pending",  # of due messages, before the index had the fields of the whole filter
    ),
    "summaries": ("words",),
}
"""The names of indexes that earlier versions created and no read uses: each write would still update them."""


async def ensure_indexes(database: RawDatabase) -> None:
    """Create the missing indexes of `INDEXES` and their collections, and drop the retired ones.

    Other processes may do the same concurrently.
    """
    existing = await database.list_collection_names()
    for name, models in INDEXES.items():
        if name not in existing:
            await _create(database, name)
        if models:
            await database[name].create_indexes(models)
        for retired in RETIRED.get(name, ()) if name in existing else ():
            await _drop(database, name, retired)


async def missing_indexes(database: RawDatabase) -> dict[str, list[str]]:
    """Return the names of the missing indexes of `INDEXES`, by collection."""
    missing = {}
    for collection, models in INDEXES.items():
        there = set(await database[collection].index_information()) if models else set()
        names = [model.document["name"] for model in models if model.document["name"] not in there]
        if names:
            missing[collection] = names
    return missing


async def _create(database: RawDatabase, name: str) -> None:
    try:
        # The driver's own method checks first, and raises another error for an existing collection.
        await database.command("create", name)
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:  # another process has just created it
            raise


async def _drop(database: RawDatabase, collection: str, index: str) -> None:
    try:
        await database.command("dropIndexes", collection, index=index)
    except OperationFailure as error:
        if error.code != _INDEX_NOT_FOUND:  # another process has just dropped it
            raise
