"""What a field's selection reads: the executor's own view of it, turned into document paths.

Fragments, aliases, variables, `@skip` and `@include` are resolved by graphql-core's `collect_subfields`, so that what
is read from MongoDB is what the executor is about to ask for.
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
        """The selection of the field that is being resolved.

        Args:
            info: Strawberry's info of the resolver.
            type_name: the object type, where the field's own type is an interface.
        """
        raw = core_info(info)
        named = raw.schema.get_type(type_name) if type_name else get_named_type(raw.return_type)
        return cls(raw.executor, named, [FieldDetails(node, None) for node in raw.field_nodes])

    def selects(self, field_name: str) -> bool:
        """Whether the field is selected, under whatever alias."""
        return any(group[0].node.name.value == field_name for group in self._plan.groups.values())

    def below(self, field_name: str) -> Selection | None:
        """What is selected below a field, under all its aliases together; None when the field is not selected."""
        groups = [group for group in self._plan.groups.values() if group[0].node.name.value == field_name]
        if not groups:
            return None
        field = self.type.fields[field_name]
        named = get_named_type(field.type)
        assert isinstance(named, GraphQLObjectType)  # noqa: S101 - callers descend into object types only
        return Selection(self._executor, named, [details for group in groups for details in group])

    def sole(self, field_name: str) -> tuple[Selection, dict[str, Any]] | None:
        """What is selected below a field and the field's arguments, where it is selected once and they are right."""
        groups = [group for group in self._plan.groups.values() if group[0].node.name.value == field_name]
        if len(groups) != 1:
            return None
        field = self.type.fields[field_name]
        below = Selection(self._executor, cast("GraphQLObjectType", get_named_type(field.type)), groups[0])
        try:
            return below, argument_values(self._executor, field, groups[0][0])
        except GraphQLError:
            return None  # the executor finds it again, and reports it where it belongs

    def reads(self) -> frozenset[str]:
        """The paths of the parent's document that the selected fields read."""
        return self._plan.reads
