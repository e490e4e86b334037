"""The text of a request's operation: sent with the request, of a trusted document, or persisted before.

Clients may send the hash of a text in its place (automatic persisted queries, as in Apollo's and urql's links). An
unknown hash is refused with a code, and the client then sends hash and text once. The protocol is
https://www.apollographql.com/docs/apollo-server/performance/apq.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from typing import Any

from cachetools import LRUCache

from graph.errors import BadUserInput, PersistedQueryNotFound, PersistedQueryNotSupported
from graph.request.trusted import TrustedDocuments
from graph.settings import Settings

_VERSION = 1
_HASH = re.compile(r"[0-9a-f]{64}")
_ENTRY_BYTES = 400  # overhead of the cache for each text: the hash, and entries in two tables


class OperationTexts:
    """Finds the text of each request's operation, for all transports."""

    def __init__(self, settings: Settings, trusted: TrustedDocuments) -> None:
        self._trusted = trusted
        self._longest = settings.max_text
        self._most = 0 if settings.trusted_documents_only else settings.persisted_queries
        self._sent: LRUCache[str, str] = LRUCache(self._most, getsizeof=_size)

    def text_of(self, request: Mapping[str, Any]) -> str:
        """Return the text of a request's operation.

        Args:
            request: its `query`, `documentId` and `extensions`, each of its type or None. An empty query counts as
                absent: clients send one with a hash.

        Raises:
            BadUserInput: the request has neither query nor `documentId`, has both, or its `documentId` is unknown.
            PersistedQueryNotFound: the hash is unknown, or no longer cached: the client must send the text.
            PersistedQueryNotSupported: hashes without texts are not accepted: the client must send texts.
        """
        text: str | None = request.get("query") or None
        document_id = request.get("documentId")
        if document_id is not None:
            if text is not None:
                raise BadUserInput("the request has a query and a documentId: send one of them")
            return self._trusted.text(document_id)
        digest = _digest_in(request.get("extensions"))
        if digest is not None:
            return self._persisted(digest, text)
        if text is None or not text.strip():
            raise BadUserInput("the request has no query: send the text of a GraphQL operation")
        return text

    def _persisted(self, digest: str, text: str | None) -> str:
        if text is None:
            if not self._most:
                raise PersistedQueryNotSupported
            found = self._sent.get(digest)
            if found is None:
                raise PersistedQueryNotFound
            return found
        if self._longest and len(text) > self._longest:
            return text  # a later check refuses its length
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise BadUserInput(
                "extensions.persistedQuery.sha256Hash is not the SHA-256 of the query: send the hash of the query"
            )
        if _size(text) <= self._most:
            self._sent[digest] = text
        return text


def _size(text: str) -> int:
    return sys.getsizeof(text) + _ENTRY_BYTES


def _digest_in(extensions: Mapping[str, object] | None) -> str | None:
    """Return the hash in a request's extensions.

    Raises:
        BadUserInput: the extension does not match the protocol.
    """
    persisted = (extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    version = persisted.get("version") if isinstance(persisted, dict) else None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    digest = digest.lower() if isinstance(digest, str) else ""
    if version != _VERSION or not _HASH.fullmatch(digest):
        message = (
            f'extensions.persistedQuery must be {{"version": {_VERSION}, "sha256Hash": "…"}}'
            " with the 64 hexadecimal digits of the query's SHA-256"
        )
        raise BadUserInput(message)
    return digest
