"""Strawberry's executor, extended to write plain selections with compiled functions.

Every hook tries the compiled function and takes the stock path if the function raises, so that results and errors equal
the stock executor's.
"""

from __future__ import annotations

from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLOutputType
from graphql.execution.collect_fields import FieldDetails
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.execution.compile import Writer
from graph.execution.form import Form
from graph.execution.internals import ResolveInfo
from graph.execution.plan import plan_of


class _Info(ResolveInfo):
    """Strawberry's resolve info, with the executor."""

    executor: Any


class SelectingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, which adds itself to the resolve info, so that `Selection` can read the selected fields.

    Attributes:
        form: the plans of the operation, from the prepared operation or else from `form_of`.
    """

    form: Form | None = None

    def build_resolve_info(self, *args: Any, **kwargs: Any) -> Any:
        """Return the info for resolvers."""
        info = _Info._make(super().build_resolve_info(*args, **kwargs))
        info.executor = self
        return info

    def write_whole(
        self, return_type: GraphQLOutputType, details: list[FieldDetails], document: object
    ) -> dict[str, Any] | None:
        """Return the object of a document in the response; None where only the steps of graphql-core give it.

        Args:
            return_type: the type of the field with the document.
            details: the nodes of the field.
            document: the value of the field.
        """
        del return_type, details, document
        return None


class RecallQLExecutor(SelectingExecutor):
    """The executor that compiles."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._writers: dict[tuple[GraphQLObjectType, int], tuple[Any, Writer | None, tuple[Any, ...]]] = {}

    def _writer(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> tuple[Any, Writer | None, Any]:
        """Return the writer of a selection and its arguments, computed once for each operation.

        The first item is the list itself: a reference keeps its identity, the key of the cache, valid.
        """
        key = (type_, id(details))
        found = self._writers.get(key)
        if found is None:
            try:
                writer = plan_of(self, type_, details).writer(self)
                arguments = writer.arguments(self) if writer else ()
            except Exception:  # noqa: BLE001 - the stock path raises it again, and reports it with its path
                writer, arguments = None, ()
            if self.middleware_manager is not None and self.middleware_manager.middlewares:
                writer = None  # an extension must see every field
            found = self._writers[key] = (details, writer, arguments)
        return found

    def write_whole(
        self, return_type: GraphQLOutputType, details: list[FieldDetails], document: object
    ) -> dict[str, Any] | None:
        """Write the document, if every selected field is compiled."""
        type_ = return_type.of_type if isinstance(return_type, GraphQLNonNull) else return_type
        if not isinstance(type_, GraphQLObjectType):
            return None
        _, writer, _ = self._writer(type_, details)
        if writer is None or writer.rest or not writer.is_document:
            return None
        return self._write(type_, details, document)[0]

    def _write(
        self, type_: GraphQLObjectType, details: list[FieldDetails], document: object
    ) -> tuple[dict[str, Any] | None, dict[str, list[FieldDetails]]]:
        """Return the object of a document with its compiled fields, and the other fields; None if the function raises.

        The object is None, too, if no field is compiled.
        """
        _, writer, arguments = self._writer(type_, details)
        if writer is None:
            return None, {}
        try:
            return writer.one(document, arguments), writer.rest
        except Exception:  # noqa: BLE001 - as above
            return None, {}

    def complete_list_value(  # noqa: PLR0917 - graphql-core calls it so
        self,
        return_type: GraphQLList[Any],
        field_details_list: list[FieldDetails],
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete a list of documents with one call."""
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
        """Complete a document: the compiled fields with one call, the other fields by the stock executor."""
        if position_context is None:
            written, rest = self._write(return_type, field_details_list, result)
            if written is not None:
                if not rest:
                    return written
                return self._with_rest(written, self.execute_fields(return_type, result, path, rest, None))
        return super().collect_and_execute_subfields(return_type, field_details_list, path, result, position_context)

    def _with_rest(self, written: dict[str, Any], rest: Any) -> Any:
        if not self.is_awaitable(rest):
            written.update(rest)
            return written

        async def completed() -> dict[str, Any]:
            written.update(await rest)
            return written

        return completed()
