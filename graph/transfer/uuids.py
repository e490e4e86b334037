"""The uuids of a session's messages by `seq`, in 24 bytes a message: a session may have millions."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from uuid import UUID

_BYTES = 16


class Uuids:
    """The messages of a session that were read, in ascending order of `seq`."""

    def __init__(self) -> None:
        self._seqs = array("q")
        self._uuids = bytearray()

    def add(self, seq: int, uuid: str) -> None:
        """Add a message after the others."""
        self._seqs.append(seq)
        self._uuids += UUID(uuid).bytes

    def find(self, seq: int) -> str | None:
        """Return the uuid of the message with this number, in canonical form, or None."""
        place = bisect_left(self._seqs, seq)
        if place == len(self._seqs) or self._seqs[place] != seq:
            return None
        return str(UUID(bytes=bytes(self._uuids[place * _BYTES : (place + 1) * _BYTES])))
