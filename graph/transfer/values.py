"""The types of values in records, other than texts, each converted once to the stored value."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from graph.errors import BadUserInput, shown
from graph.operations import times, validation
from graph.operations.items import MAX_TTL
from graph.store.expiry import MOST_DAYS

# Values without times, or with times that pydantic reads.
_SETTLED = frozenset({"metadata", "content", "role", "type"})
_TIME_NAME = re.compile(r"[a-z]At$|^at$")

MOST: Final = 2**30
"""Half of the range of GraphQL's Int, in which fields return these numbers: later messages need the other half."""
_MOST_EXACT: Final = 2**53 - 1  # the maximum that JSON holds exactly and MongoDB can still increment


def read_time(value: object) -> datetime:
    """Read a time in the format of RFC 3339, cut to milliseconds.

    Raises:
        ValueError: the value is not such a time.
    """
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - pydantic would not report a TypeError as a validation error
    return times.cut(times.read_time(value))


def _read_uuid(value: str) -> str:
    try:
        return validation.check_uuid(value, "")
    except BadUserInput:
        raise ValueError(f"must be a UUID such as 123e4567-e89b-12d3-a456-426614174000, not {shown(value)}") from None


Uuid: TypeAlias = Annotated[str, AfterValidator(_read_uuid)]
Time: TypeAlias = Annotated[datetime, BeforeValidator(read_time)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=MOST)]
Place: TypeAlias = Annotated[int, Field(ge=1, le=MOST)]
Serial: TypeAlias = Annotated[int, Field(ge=0, le=_MOST_EXACT)]
Minutes: TypeAlias = Annotated[float, Field(gt=0, le=MAX_TTL, allow_inf_nan=False)]
Days: TypeAlias = Annotated[int, Field(ge=1, le=MOST_DAYS)]


def with_times(name: str, value: Any) -> Any:
    """Return the value of an unknown name, with its times as datetimes."""
    if isinstance(value, str) and _TIME_NAME.search(name):
        try:
            return read_time(value)
        except ValueError as error:
            raise BadUserInput(f"{shown(name)} {error}") from None
    if isinstance(value, dict) and name not in _SETTLED:
        return {key: with_times(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_times(name, item) for item in value]
    return value
