"""Trusted documents: operations known at the start, which a request names by the hash of their text.

The manifest is a JSON object of hash to text, the `persistedDocuments` of graphql-codegen's client preset. The rules:
https://github.com/graphql/graphql-over-http/blob/main/spec/Appendix%20A%20--%20Persisted%20Documents.md
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from graph.errors import BadUserInput, Forbidden, StartupError
from graph.settings import Settings

_PREFIX = "sha256:"


class TrustedDocuments:
    """The documents of a manifest, by each identifier that names them."""

    def __init__(self, settings: Settings) -> None:
        """Read the manifest.

        Raises:
            StartupError: the manifest can't be used, or is missing where only trusted documents are accepted.
        """
        self._only = settings.trusted_documents_only
        self._texts: dict[str, str] = {}
        if settings.trusted_documents is not None:
            for name, text in _read(settings.trusted_documents).items():
                self._texts[name] = self._texts[f"{_PREFIX}{hashlib.sha256(text.encode()).hexdigest()}"] = text
        elif self._only:
            raise StartupError(
                "RECALLQL_TRUSTED_DOCUMENTS_ONLY is set: set RECALLQL_TRUSTED_DOCUMENTS, too, to the path of a manifest"
            )
        self._trusted = frozenset(self._texts.values())

    def text(self, document_id: str) -> str:
        """Return the text of the document with this identifier: `sha256:` and the hash, or a key of the manifest.

        Raises:
            BadUserInput: the identifier is unknown.
        """
        text = self._texts.get(document_id)
        if text is None:
            raise BadUserInput("the documentId is unknown: send the documentId of a trusted document")
        return text

    def names_series(self, text: str) -> bool:
        """Whether the operations of a text may have time series of their own: where there is a manifest, its own."""
        return not self._trusted or text in self._trusted

    def require_trusted(self, text: str | None) -> None:
        """Refuse a text outside the manifest, if only trusted documents are accepted.

        Raises:
            Forbidden: the text is not in the manifest.
        """
        if self._only and text not in self._trusted:
            raise Forbidden("only trusted documents are accepted: send the documentId of one")


def _read(path: Path) -> dict[str, str]:
    problem = "is not a JSON object of hash to text, as graphql-codegen writes it"
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = f"can't be read ({error.strerror})"
        manifest = None
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or not all(isinstance(text, str) for text in manifest.values()):
        message = f"RECALLQL_TRUSTED_DOCUMENTS {str(path)[:100]} {problem}"
        raise StartupError(message)
    return manifest
