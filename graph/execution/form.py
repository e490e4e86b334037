"""Where the executor keeps what it has worked out of an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType
from graphql.execution.collect_fields import CollectedFields

if TYPE_CHECKING:
    from graphql.execution.executor import Executor

    from graph.execution.plan import Plan


class Form:
    """What is kept of an operation for one outcome of its conditions, that is of `@skip`, `@include` and `@defer`.

    It belongs to the operation and goes with it: the nodes, by whose identity its parts are found, live as long.

    Attributes:
        plans: by object type and the identities of the field nodes.
        literals: the arguments of fields that are literals, by the identity of the field's node.
        roots: the fields of the operation itself, once they are collected.
    """

    __slots__ = ("literals", "plans", "roots")

    def __init__(self) -> None:
        self.plans: dict[tuple[GraphQLObjectType, tuple[int, ...]], Plan] = {}
        self.literals: dict[int, dict[str, Any]] = {}
        self.roots: CollectedFields | None = None


def form_of(executor: Executor[Any]) -> Form:
    """The form of the executor's operation; one of its own where no prepared operation gave it any."""
    form: Form | None = getattr(executor, "form", None)
    if form is None:
        form = executor.form = Form()  # type: ignore[attr-defined]
    return form
