"""The answer to an operation, and its encoding."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a query or mutation.

    Attributes:
        data: the selected fields; None where nothing was executed, or where an error reached the root.
        errors: the errors without internal details.
        extensions: the `extensions` of the response.
    """

    data: dict[str, Any] | None
    errors: list[GraphQLError] = field(default_factory=list)
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def is_refusal(self) -> bool:
        """Whether the operation was refused: no field of it was executed."""
        return self.data is None and bool(self.errors) and all(error.path is None for error in self.errors)

    def formatted(self) -> dict[str, Any]:
        """Return the response map of the GraphQL specification (section 7.1)."""
        response: dict[str, Any] = {} if self.is_refusal else {"data": self.data}
        if self.errors:
            response["errors"] = [error.formatted for error in self.errors]
        if self.extensions:
            response["extensions"] = self.extensions
        return response


@dataclass(frozen=True, slots=True)
class Result:
    """One result of a stream.

    Attributes:
        payload: the response as JSON.
        mark: the place from which the subscription resumes after this result, see `Source.mark`; None for a query or
            mutation.
    """

    payload: str
    mark: str | None = None


def encode_json(value: object) -> bytes:
    """Return JSON in UTF-8; a lone surrogate in the value is escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
