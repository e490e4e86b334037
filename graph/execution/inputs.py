"""Construction of input objects with field types resolved once, see `graph.execution.arguments`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

from strawberry.types.arguments import InputContext, convert_argument
from strawberry.types.base import StrawberryList, StrawberryOptional

from graph.execution.arguments import Argument, kind_to_convert

_T = TypeVar("_T", bound=type)


def compiled_input(kind: _T) -> _T:
    """Decorates a Strawberry input class whose fields are scalars, other inputs, or lists of them."""
    kind.__strawberry_definition__.from_input = _build  # type: ignore[attr-defined]
    return kind


@dataclass(frozen=True, slots=True)
class _Plan:
    """The construction of a class.

    Attributes:
        registry: the schema's scalars.
        absent: the attributes that are None by default.
        fields: the conversion of each field's value, with the class of its items if it is a list of input objects that
            are constructed here.
    """

    registry: Mapping[object, Any]
    absent: dict[str, Any]
    fields: list[tuple[Argument, type | None]]


_plans: dict[tuple[type, int], _Plan] = {}
"""Plans by class and identity of the registry, which the plan keeps alive: one for each class and schema."""


def _build(kind: type, value: Mapping[str, object], context: InputContext) -> Any:
    key = kind, id(context.scalar_registry)
    plan = _plans.get(key)
    if plan is None:
        plan = _plans[key] = _plan(kind, context)
    attributes = dict(plan.absent)
    for (name, attribute, type_), class_ in plan.fields:
        if name in value:
            item: Any = value[name]
            if item is not None and class_ is not None:
                item = [_build(class_, one, context) for one in item]
            elif item is not None and type_ is not None:
                path = (*context.path, name)
                item = convert_argument(item, type_, context.scalar_registry, context.config, context.info, path=path)
            attributes[attribute] = item
    return kind(**attributes)


def _class_of_items(type_: Any) -> type | None:
    """Return the class of the items of a list, if `_build` constructs them and they can't be null."""
    inner = type_.of_type if isinstance(type_, StrawberryOptional) else type_
    item: Any = inner.of_type if isinstance(inner, StrawberryList) else None
    definition = getattr(item, "__strawberry_definition__", None)
    return item if definition is not None and getattr(definition, "from_input", None) is _build else None


def _plan(kind: Any, context: InputContext) -> _Plan:
    definition = kind.__strawberry_definition__
    absent = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }
    fields = []
    for field in definition.fields:
        kind = kind_to_convert(field.resolve_type(type_definition=definition), context.scalar_registry)
        argument = Argument(context.config.name_converter.from_field(field), field.python_name, kind)
        fields.append((argument, _class_of_items(kind)))
    return _Plan(context.scalar_registry, absent, fields)
