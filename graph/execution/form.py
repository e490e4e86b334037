"""The cache of an operation's plans and literal arguments, which the executor fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType
from graphql.execution.collect_fields import CollectedFields

if TYPE_CHECKING:
    from graphql.execution.executor import Executor


class Form:
    """The cached parts of an operation for one outcome of its conditions (`@skip`, `@include`, `@defer`).

    The operation owns its forms. The keys are identities of nodes, which live as long as the operation.

    Attributes:
        plans: the plans (`graph.execution.plan`), by object type and the identities of the field nodes.
        literals: the literal arguments of fields, by the identity of the field's node.
        roots: the root fields of the operation, after the first execution.
    """

    __slots__ = ("literals", "plans", "roots")

    def __init__(self) -> None:
        self.plans: dict[tuple[GraphQLObjectType, tuple[int, ...]], Any] = {}
        self.literals: dict[int, dict[str, Any]] = {}
        self.roots: CollectedFields | None = None


def form_of(executor: Executor[Any]) -> Form:
    """Return the form of the executor's operation; create one if the operation is not prepared."""
    form: Form | None = getattr(executor, "form", None)
    if form is None:
        form = executor.form = Form()  # type: ignore[attr-defined]
    return form
