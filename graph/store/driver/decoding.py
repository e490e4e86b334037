"""Decodes the answers of reads."""

from __future__ import annotations

import asyncio
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
"""For the answer of a command, which the driver decodes without the types of `CODEC`."""

_PART = 1_048_576
"""Bytes of BSON that are decoded at once, in about 4 ms: the event loop is held for so long."""


async def decoded_cursor(answer: bytes, codec: CodecOptions[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
    """Return the id of a cursor, 0 where it has no further batch, and the documents of its first batch.

    Other tasks run between the documents of a large batch.

    Args:
        answer: the cursor, as BSON.
        codec: the options that decode the documents.
    """
    if len(answer) <= _PART:
        cursor = bson.decode(answer, codec)
        return cursor["id"], cursor["firstBatch"]
    raw = bson.decode(answer, RAW)
    documents, undecoded = [], _PART
    for document in raw["firstBatch"]:
        if len(document.raw) > undecoded:
            await asyncio.sleep(0)
            undecoded = _PART
        documents.append(bson.decode(document.raw, codec))
        undecoded -= len(document.raw)
    await asyncio.sleep(0)
    return raw["id"], documents
