"""Archives of whole databases: each collection's indexes and documents as BSON in one compressed file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, BinaryIO, cast

import bson
from pymongo import IndexModel
from pymongo.database import Database as Opened

_OF_AN_INDEX = ("unique", "partialFilterExpression", "expireAfterSeconds", "default_language", "language_override")


def save(database: Opened[dict[str, Any]], archive: Path) -> None:
    """Write all collections of a database to a file."""
    with gzip.open(archive, "wb", compresslevel=9) as file:
        for name in sorted(database.list_collection_names()):
            indexes = [dict(index) for index in database[name].list_indexes() if index["name"] != "_id_"]
            file.write(bson.encode({"collection": name, "indexes": indexes}))
            for document in database[name].find({}, sort=[("_id", 1)]):
                file.write(bson.encode({"collection": name, "document": document}))


def load(archive: Path, database: Opened[dict[str, Any]]) -> None:
    """Make the collections of a file in a database without them."""
    documents: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(archive) as file:
        for entry in bson.decode_file_iter(cast(BinaryIO, file)):
            name = entry["collection"]
            if "indexes" in entry:
                database.create_collection(name)
                if models := [_model(index) for index in entry["indexes"]]:
                    database[name].create_indexes(models)
            else:
                documents.setdefault(name, []).append(entry["document"])
    for name, of_collection in documents.items():
        database[name].insert_many(of_collection)


def _model(index: dict[str, Any]) -> IndexModel:
    keys = list(index["key"].items())
    if "weights" in index:  # of a text index, whose key has MongoDB's own fields
        keys = [(name, kind) for name, kind in keys if not name.startswith("_fts")]
        keys += [(name, "text") for name in index["weights"]]
    return IndexModel(keys, name=index["name"], **{name: index[name] for name in _OF_AN_INDEX if name in index})
