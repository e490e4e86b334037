"""The kinds of values that a record may have, beside texts: each read once, into the value that is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from graph.errors import BadUserInput, shown
from graph.operations import times, validation

_MOST: Final = 2**53 - 1  # what JSON holds exactly, and MongoDB with one added


def read_time(value: object) -> datetime:
    """A time as RFC 3339 writes it, cut to milliseconds.

    Raises:
        ValueError: it is not one.
    """
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - which pydantic would not take for a refusal
    return times.cut(times.read_time(value))


def _read_uuid(value: str) -> str:
    try:
        return validation.check_uuid(value, "")
    except BadUserInput:
        raise ValueError(f"must be a UUID such as 123e4567-e89b-12d3-a456-426614174000, not {shown(value)}") from None


Uuid: TypeAlias = Annotated[str, AfterValidator(_read_uuid)]
Time: TypeAlias = Annotated[datetime, BeforeValidator(read_time)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=_MOST)]
Place: TypeAlias = Annotated[int, Field(ge=1, le=_MOST)]
