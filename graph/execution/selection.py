"""The document paths that a field's selection reads.

graphql-core's `collect_subfields` resolves fragments, aliases, variables, `@skip` and `@include`, so that the
paths read from MongoDB belong to the fields that the executor will resolve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from graphql import GraphQLError, GraphQLObjectType, get_named_type
from graphql.execution.collect_fields import FieldDetails

from graph.execution.arguments import argument_values
from graph.execution.internals import core_info
from graph.execution.plan import Plan, plan_of

if TYPE_CHECKING:
    from graphql.execution.executor import Executor


class Selection:
    """The fields selected on an object type, from all places of the operation that contribute to one response value."""

    __slots__ = ("_executor", "_plan", "type")

    def __init__(self, executor: Executor[Any], object_type: GraphQLObjectType, details: list[FieldDetails]) -> None:
        self._executor = executor
        self._plan: Plan = plan_of(executor, object_type, details)
        self.type = object_type

    @classmethod
    def of(cls, info: Any, type_name: str | None = None) -> Selection:
        """Return the selection of the field that is being resolved.

        Args:
            info: Strawberry's info of the resolver.
            type_name: the object type, if the field's type is an interface.
        """
        raw = core_info(info)
        named = raw.schema.get_type(type_name) if type_name else get_named_type(raw.return_type)
        return cls(raw.executor, named, [FieldDetails(node, None) for node in raw.field_nodes])

    def selects(self, field_name: str) -> bool:
        """Whether the field is selected, under any alias."""
        return any(group[0].node.name.value == field_name for group in self._plan.groups.values())

    def below(self, field_name: str) -> Selection | None:
        """Return the selection below a field, with all its aliases merged; None if the field is not selected."""
        groups = self._groups(field_name)
        if not groups:
            return None
        field = self.type.fields[field_name]
        named = get_named_type(field.type)
        assert isinstance(named, GraphQLObjectType)  # noqa: S101 - callers descend into object types only
        return Selection(self._executor, named, [details for group in groups for details in group])

    def sole(self, field_name: str) -> tuple[Selection, dict[str, Any]] | None:
        """Return a field's selection and arguments; None unless the field is selected once, with valid arguments."""
        groups = self._groups(field_name)
        return self._with_arguments(groups[0]) if len(groups) == 1 else None

    def each(self, field_name: str) -> list[tuple[Selection, dict[str, Any]]]:
        """Return the selection and arguments of a field for each response name; leave out invalid arguments."""
        found = map(self._with_arguments, self._groups(field_name))
        return [selected for selected in found if selected is not None]

    def _with_arguments(self, group: list[FieldDetails]) -> tuple[Selection, dict[str, Any]] | None:
        """Return the selection and arguments of one response name; None if the arguments are invalid."""
        field = self.type.fields[group[0].node.name.value]
        below = Selection(self._executor, cast("GraphQLObjectType", get_named_type(field.type)), group)
        try:
            return below, argument_values(self._executor, field, group[0])
        except GraphQLError:
            return None  # the executor raises the error again, and reports it with its path

    def _groups(self, field_name: str) -> list[list[FieldDetails]]:
        """Return the selections of a field, one for each response name."""
        return [group for group in self._plan.groups.values() if group[0].node.name.value == field_name]

    def reads(self) -> frozenset[str]:
        """Return the paths of the parent's document that the selected fields read."""
        return self._plan.reads
