"""What columns hold of each message, to compare them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np

from graph.recall.columns import Columns
from graph.recall.entries import Entry
from graph.recall.questions import Flag
from graph.recall.terms import pack_terms

_EPOCH = datetime.fromtimestamp(0, UTC)


def entries_in(columns: Columns) -> list[Entry]:
    """The entry of each message, by session and number, without its language."""
    terms = [Counter[int]() for _ in columns.message_ids]
    postings = columns.postings
    for term, row, count in zip(postings.terms.tolist(), postings.rows, postings.counts.tolist(), strict=True):
        terms[row][term] += int(count)
    entries = [
        Entry(
            message_id=message_id,
            session_id=columns.session_ids[columns.session[row]],
            seq=int(columns.seqs[row]),
            role=columns.roles[columns.role[row]],
            speaker=columns.speakers[columns.speaker[row]],
            at=_EPOCH + timedelta(milliseconds=int(columns.times[row])),
            language="",
            packed_terms=pack_terms(dict(sorted(terms[row].items()))),
            flags=Flag(int(columns.flags[row])),
            vector=columns.vectors[row].tobytes() if columns.scales[row] else b"",
            scale=float(columns.scales[row]),
        )
        for row, message_id in enumerate(columns.message_ids)
    ]
    return sorted(entries, key=lambda entry: (entry.session_id, entry.seq))


def check_columns(columns: Columns) -> None:
    """Check what the columns promise about their order."""
    sessions, seqs = columns.session.tolist(), columns.seqs.tolist()
    places = list(zip(sessions, seqs, strict=True))
    assert places == sorted(places)
    assert [columns.message_ids[row] for row in columns.by_id] == sorted(columns.message_ids)
    assert (np.diff(columns.postings.terms.astype(np.int64)) >= 0).all()
    lengths = [entry.length for entry in entries_in(columns)]
    order = sorted(range(len(lengths)), key=lambda row: (columns.session_ids[sessions[row]], seqs[row]))
    assert columns.lengths[order].tolist() == lengths
