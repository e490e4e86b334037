"""The file of an import: plain or compressed with gzip, with or without a byte order mark."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from typing import IO, TypeAlias

from typing_extensions import Buffer  # the standard one is new in Python 3.12

from graph.errors import TransferError

_GZIP = b"\x1f\x8b"
_OTHERS = {
    codecs.BOM_UTF32_LE: "is UTF-32: write it in UTF-8",
    codecs.BOM_UTF32_BE: "is UTF-32: write it in UTF-8",
    codecs.BOM_UTF16_LE: "is UTF-16: write it in UTF-8",
    codecs.BOM_UTF16_BE: "is UTF-16: write it in UTF-8",
    b"{\0": "is UTF-16: write it in UTF-8",
    b"\0{": "is UTF-16: write it in UTF-8",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: only gzip is read, so decompress it first",
    b"\xfd7zXZ": "is compressed with xz: only gzip is read, so decompress it first",
    b"BZh": "is compressed with bzip2: only gzip is read, so decompress it first",
    b"PK\x03\x04": "is a zip archive: only gzip is read, so unpack it first",
}
"""First bytes of unsupported files, for clear errors. UTF-32 comes before UTF-16, whose mark is its prefix."""

_LONGEST_START = max(map(len, _OTHERS))
_BUFFER_BYTES = 65_536


class Source:
    """The lines of a file."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read nothing: the file is opened with the first line, since reading may wait for a pipe."""
        self._raw = _Counted(file)
        self._name = str(getattr(file, "name", "the file"))
        self._lines: _Lines | None = None

    @property
    def bytes_read(self) -> int:
        """Return the number of (compressed) bytes of the file read, the read-ahead included."""
        return self._raw.bytes_read

    def readline(self, most: int) -> bytes:
        """Return the next line, cut to a number of bytes; empty at the end.

        Raises:
            TransferError: the file is empty, in another encoding or compression, or its compressed data is damaged.
        """
        try:
            if self._lines is None:
                self._lines = _opened(self._raw, self._name)
            return self._lines.readline(most)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise TransferError(
                f"{self._name} has gzip data that is damaged or cut off ({error}): make the file again"
            ) from error


class _Counted(io.RawIOBase):
    """A binary file that counts the bytes read."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        found = self._file.read(len(view))
        view[: len(found)] = found
        self.bytes_read += len(found)
        return len(found)


_Lines: TypeAlias = "io.BufferedReader[_Counted] | gzip.GzipFile"


def _opened(raw: _Counted, name: str) -> _Lines:
    buffered = io.BufferedReader(raw, _BUFFER_BYTES)
    lines: _Lines = buffered
    if buffered.peek().startswith(_GZIP):
        lines = gzip.GzipFile(fileobj=buffered)
    start = lines.peek(_LONGEST_START)
    for beginning, problem in _OTHERS.items():
        if start.startswith(beginning):
            raise TransferError(f"{name} {problem}")
    if start.startswith(codecs.BOM_UTF8):
        lines.read(len(codecs.BOM_UTF8))
    if not lines.peek(1):
        raise TransferError(f"{name} is empty: write a header in the first line, and records in the others")
    return lines
