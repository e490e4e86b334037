"""Which text a request's operation has: its own, a trusted document's, or one that was sent before.

Clients may send an operation's hash in place of its text. One that is not known is refused with a code that makes
them send both, once: automatic persisted queries, as Apollo's and urql's links speak them.
https://www.apollographql.com/docs/apollo-server/performance/apq has the protocol.
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
_ENTRY_BYTES = 400  # what the cache holds for each text besides it: the hash, and places in two tables


class OperationTexts:
    """Finds the text of each request's operation: the one rule for all transports."""

    def __init__(self, settings: Settings, trusted: TrustedDocuments) -> None:
        self._trusted = trusted
        self._longest = settings.max_text
        self._most = 0 if settings.trusted_documents_only else settings.persisted_queries
        self._sent: LRUCache[str, str] = LRUCache(self._most, getsizeof=_size)

    def text_of(self, request: Mapping[str, Any]) -> str:
        """The text of a request's operation.

        Args:
            request: its `query`, `documentId` and `extensions`, each of its type or None. An empty query is as absent:
                clients send one beside a hash.

        Raises:
            BadUserInput: it has no text and names none, or has both, or names none that is known.
            PersistedQueryNotFound: the hash is not known here (any more): the client sends the text.
            PersistedQueryNotSupported: hashes alone are not accepted: the client sends texts from now on.
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
            return text  # which is refused for its length
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise BadUserInput("extensions.persistedQuery.sha256Hash is not the SHA-256 of the query: send the query's")
        if _size(text) <= self._most:
            self._sent[digest] = text
        return text


def _size(text: str) -> int:
    return sys.getsizeof(text) + _ENTRY_BYTES


def _digest_in(extensions: Mapping[str, object] | None) -> str | None:
    """The hash that a request has in its extensions.

    Raises:
        BadUserInput: the extension is not one of the protocol's.
    """
    given = (extensions or {}).get("persistedQuery")
    if given is None:
        return None
    version = given.get("version") if isinstance(given, dict) else None
    digest = given.get("sha256Hash") if isinstance(given, dict) else None
    digest = digest.lower() if isinstance(digest, str) else ""
    if version != _VERSION or not _HASH.fullmatch(digest):
        message = (
            f'extensions.persistedQuery must be {{"version": {_VERSION}, "sha256Hash": "…"}}'
            " with the 64 hexadecimal digits of the query's SHA-256"
        )
        raise BadUserInput(message)
    return digest
