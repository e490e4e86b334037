"""The executor: Strawberry's own, which writes plain selections with compiled functions.

Every hook here tries the compiled function and takes the stock path where that raises, so that results and errors are
those of the stock executor.
"""

from __future__ import annotations

from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetails
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.execution.compile import Writer
from graph.execution.form import Form
from graph.execution.internals import ResolveInfo
from graph.execution.plan import plan_of


class _Info(ResolveInfo):
    """Strawberry's resolve info, with the executor beside it."""

    executor: Any


class SelectingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, known to the resolve info so that `Selection` can ask it what is selected.

    Attributes:
        form: the plans of the operation; made by `form_of` where no prepared operation gives its own.
    """

    form: Form | None = None

    def build_resolve_info(self, *args: Any, **kwargs: Any) -> Any:
        """The info that resolvers get."""
        info = _Info._make(super().build_resolve_info(*args, **kwargs))
        info.executor = self
        return info


class RecallQLExecutor(SelectingExecutor):
    """The executor that compiles."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._writers: dict[tuple[GraphQLObjectType, int], tuple[Any, Writer | None, tuple[Any, ...]]] = {}

    def _writer(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> tuple[Any, Writer | None, Any]:
        """The writer of a selection and its arguments, looked up once an operation.

        The first item only keeps the list alive, whose identity is the key.
        """
        key = (type_, id(details))
        found = self._writers.get(key)
        if found is None:
            try:
                writer = plan_of(self, type_, details).writer(self)
                arguments = writer.arguments(self) if writer else ()
            except Exception:  # noqa: BLE001 - the stock path meets it again, and reports it where it belongs
                writer, arguments = None, ()
            if self.middleware_manager is not None and self.middleware_manager.middlewares:
                writer = None  # something wants to see every field
            found = self._writers[key] = (details, writer, arguments)
        return found

    def complete_list_value(  # noqa: PLR0917 - graphql-core calls it so
        self,
        return_type: GraphQLList[Any],
        field_details_list: list[FieldDetails],
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        """A list of documents, as one."""
        item: Any = return_type.of_type
        nullable = not isinstance(item, GraphQLNonNull)
        type_ = item if nullable else item.of_type
        if isinstance(type_, GraphQLObjectType) and position_context is None:
            _, writer, arguments = self._writer(type_, field_details_list)
            if writer is not None and not writer.rest and writer.is_document:
                try:
                    return (writer.many_or_null if nullable else writer.many)(result, arguments)
                except Exception:  # noqa: BLE001, S110 - the stock path gives the value, or the error
                    pass
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def collect_and_execute_subfields(
        self,
        return_type: GraphQLObjectType,
        field_details_list: list[FieldDetails],
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        """A document: the compiled fields at once, the other fields by the stock executor."""
        if position_context is None:
            _, writer, arguments = self._writer(return_type, field_details_list)
            if writer is not None:
                try:
                    written = writer.one(result, arguments)
                except Exception:  # noqa: BLE001 - as above
                    written = None
                if written is not None:
                    if not writer.rest:
                        return written
                    return self._with_rest(written, self.execute_fields(return_type, result, path, writer.rest, None))
        return super().collect_and_execute_subfields(return_type, field_details_list, path, result, position_context)

    def _with_rest(self, written: dict[str, Any], rest: Any) -> Any:
        if not self.is_awaitable(rest):
            written.update(rest)
            return written

        async def completed() -> dict[str, Any]:
            written.update(await rest)
            return written

        return completed()
