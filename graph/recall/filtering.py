"""The rows of a scope that a search may find."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from graph.recall.columns import Columns, milliseconds

Rows = NDArray[np.bool_]


def allowed_rows(
    columns: Columns,
    *,
    roles: Collection[str] | None = None,
    session_ids: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    parts: Sequence[Collection[str]] = (),
) -> Rows:
    """Return for each row whether it meets all given conditions.

    Args:
        columns: the messages.
        roles: only messages of these roles.
        session_ids: only messages of these sessions.
        since: only messages of this time or later.
        until: only messages before this time.
        parts: sets of ids of messages; a message is in each of them.
    """
    allowed = np.ones(len(columns.message_ids), np.bool_)
    if roles is not None:
        allowed &= _among(columns.role, columns.roles, roles)
    if session_ids is not None:
        allowed &= _among(columns.session, columns.session_ids, session_ids)
    if since is not None:
        allowed &= columns.times >= milliseconds(since)
    if until is not None:
        allowed &= columns.times < milliseconds(until)
    for part in parts:
        allowed &= np.fromiter((message_id in part for message_id in columns.message_ids), np.bool_, len(allowed))
    return allowed


def _among(column: NDArray[np.int32], names: Sequence[str], wanted: Collection[str]) -> Rows:
    """Return for each row whether its name is wanted; the column has the place of each row's name."""
    is_wanted = np.fromiter((name in wanted for name in names), np.bool_, len(names))
    return is_wanted[column]
