"""The executor: Strawberry's own, which lets resolvers see their selection as it does."""

from __future__ import annotations

from typing import Any

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class _Info:
    """graphql-core's resolve info, with the executor beside it."""

    __slots__ = ("_info", "executor")

    def __init__(self, info: Any, executor: Any) -> None:
        self._info = info
        self.executor = executor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._info, name)


class RecallQLExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, known to the resolve info so that `Selection` can ask it what is selected."""

    def build_resolve_info(self, *args: Any, **kwargs: Any) -> Any:
        """The info that resolvers get."""
        return _Info(super().build_resolve_info(*args, **kwargs), self)
