"""Strawberry's extension hooks, run without its context managers.

Strawberry looks for each hook of each extension of each request, and makes a context manager of it and a stack around
them: a tenth of the time of a small request. Which hooks a class has does not change.
"""

from __future__ import annotations

import inspect
from functools import cache
from types import TracebackType
from typing import Any

from strawberry.extensions import SchemaExtension
from strawberry.extensions.context import (
    ExecutingContextManager,
    ExtensionContextManagerBase,
    OperationContextManager,
    ParsingContextManager,
    ValidationContextManager,
)
from strawberry.extensions.runner import SchemaExtensionsRunner


@cache
def _is_async(kind: Any, name: str) -> bool | None:
    """Whether a class's hook is an asynchronous generator function; None where it has no such hook."""
    hook = getattr(kind, name)
    if hook is getattr(SchemaExtension, name):
        return None
    if not (inspect.isgeneratorfunction(hook) or inspect.isasyncgenfunction(hook)):
        raise TypeError(f"{kind.__name__}.{name} must be a generator function")
    return inspect.isasyncgenfunction(hook)


class _Phase(ExtensionContextManagerBase):
    """One phase of one operation."""

    def __init__(self, extensions: list[SchemaExtension]) -> None:
        self._extensions = extensions
        self._open: list[tuple[Any, bool]] = []

    def __enter__(self) -> None:
        super().__init__(self._extensions)
        super().__enter__()

    async def __aenter__(self) -> None:
        for extension in self._extensions:
            kind: Any = type(extension)
            is_async = _is_async(kind, self.HOOK_NAME)
            if is_async is None:
                continue
            hook = getattr(extension, self.HOOK_NAME)()
            if is_async:
                await anext(hook)
            else:
                next(hook)
            self._open.append((hook, is_async))

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> Any:
        error = exc_val
        while self._open:
            hook, is_async = self._open.pop()
            try:
                if error is not None:
                    await hook.athrow(error) if is_async else hook.throw(error)
                elif is_async:
                    await anext(hook)
                else:
                    next(hook)
            except (StopIteration, StopAsyncIteration):
                error = None
            except BaseException as raised:  # noqa: BLE001 - what it raises is for the hooks around it, and then for all
                error = raised
            else:
                error = RuntimeError(f"{self.HOOK_NAME} of an extension must yield once")
        if error is not None and error is not exc_val:
            raise error
        return exc_val is not None and error is None


class _Operation(_Phase, OperationContextManager):
    pass


class _Validation(_Phase, ValidationContextManager):
    pass


class _Parsing(_Phase, ParsingContextManager):
    pass


class _Executing(_Phase, ExecutingContextManager):
    pass


class Phases(SchemaExtensionsRunner):
    """Runs the hooks of the extensions around each phase of an operation."""

    def operation(self) -> OperationContextManager:
        """Around everything."""
        return _Operation(self.extensions)

    def validation(self) -> ValidationContextManager:
        """Around the validation."""
        return _Validation(self.extensions)

    def parsing(self) -> ParsingContextManager:
        """Around the parser."""
        return _Parsing(self.extensions)

    def executing(self) -> ExecutingContextManager:
        """Around the executor."""
        return _Executing(self.extensions)
