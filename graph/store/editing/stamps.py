"""The place of an edit or deletion among the changes of a session."""

from __future__ import annotations

from typing import TypedDict


class Stamp(TypedDict):
    """The part of a tombstone, or of an edited message, by which subscribers read it in its order."""

    sessionRevision: int
    """The revision of the session after the change."""
    partOfMany: bool
    """Whether more messages were changed or deleted with the same revision."""


def stamp_of(revision: int, changed: int) -> Stamp:
    """Return the stamp of the edits and deletions of one transaction.

    Args:
        revision: of the session after the transaction.
        changed: the number of edited and deleted messages.
    """
    return {"sessionRevision": revision, "partOfMany": changed > 1}
