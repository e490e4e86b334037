"""The sizes and weights that are declared at fields, as the directives of the GraphQL Cost Directives specification.

https://ibm.github.io/graphql-specs/cost-spec.html
"""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    DirectiveLocation,
    FieldDefinitionNode,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDirective,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    ObjectTypeDefinitionNode,
    get_named_type,
    get_nullable_type,
    parse,
    print_schema,
)

from graph.execution.size import Size, assumed_size, size_of, sizes_below, weight_of

_NAMES = GraphQLList(GraphQLNonNull(GraphQLString))

COST = GraphQLDirective(
    "cost",
    [
        DirectiveLocation.ARGUMENT_DEFINITION,
        DirectiveLocation.ENUM,
        DirectiveLocation.FIELD_DEFINITION,
        DirectiveLocation.INPUT_FIELD_DEFINITION,
        DirectiveLocation.OBJECT,
        DirectiveLocation.SCALAR,
    ],
    {"weight": GraphQLArgument(GraphQLNonNull(GraphQLString), description="The number to add.")},
    description="The cost of a field in addition to the objects of its answer, which cost 1 each.",
)

LIST_SIZE = GraphQLDirective(
    "listSize",
    [DirectiveLocation.FIELD_DEFINITION],
    {
        "assumedSize": GraphQLArgument(
            GraphQLInt, description="The maximum number of items without a slicing argument."
        ),
        "slicingArguments": GraphQLArgument(_NAMES, description="The arguments with the maximum number of items."),
        "sizedFields": GraphQLArgument(
            _NAMES,
            description="The lists below the field with this size; without this argument, the field is the list.",
        ),
        "requireOneSlicingArgument": GraphQLArgument(
            GraphQLBoolean,
            default_value=True,
            description="Whether an operation must have exactly one of the slicing arguments.",
        ),
    },
    description="The maximum number of items of a list, for the cost of an operation.",
)


def schema_with_costs(schema: GraphQLSchema) -> str:
    """Return the schema in the schema definition language, with the directives at the fields."""
    text = print_schema(schema)
    places = list(_places(schema, text))
    for end, directives in sorted(places, reverse=True):
        text = text[:end] + directives + text[end:]
    return text


def _places(schema: GraphQLSchema, text: str) -> Iterator[tuple[int, str]]:
    """Yield the directives and their places in the text."""
    for definition in parse(text).definitions:
        type_ = schema.get_type(definition.name.value) if isinstance(definition, ObjectTypeDefinitionNode) else None
        if isinstance(type_, GraphQLObjectType) and isinstance(definition, ObjectTypeDefinitionNode):
            for node in definition.fields or ():
                if directives := _directives(schema, type_, node):
                    yield _end(node), directives


def _end(node: FieldDefinitionNode) -> int:
    assert node.loc is not None  # noqa: S101 - the parser sets it
    return node.loc.end


def _directives(schema: GraphQLSchema, parent: GraphQLObjectType, node: FieldDefinitionNode) -> str:
    field = parent.fields[node.name.value]
    weight = weight_of(schema, parent)
    return (f' @cost(weight: "{weight}")' if weight else "") + _list_size(field)


def _list_size(field: GraphQLField) -> str:
    size, below = size_of(field), sizes_below(field)
    if size is not None and not size.is_page:
        return _printed(size, _pages(field) if not is_list(field) else [], field)
    direct = {path[0]: sized for path, sized in below.items() if len(path) == 1}
    # The directive has one size; a field with lists of different sizes would need several directives.
    return "".join(_printed(sized, [name], field) for name, sized in direct.items())


def is_list(field: GraphQLField) -> bool:
    """Whether a field's type is a list."""
    return isinstance(get_nullable_type(field.type), GraphQLList)


def _pages(field: GraphQLField) -> list[str]:
    """Return the lists of a connection that have the size of the connection."""
    connection = get_named_type(field.type)
    assert isinstance(connection, GraphQLObjectType)  # noqa: S101 - only lists and connections have a size
    pages = {name: size_of(below) for name, below in connection.fields.items()}
    return [name for name, size in pages.items() if size is not None and size.is_page]


def _printed(size: Size, sized_fields: list[str], field: GraphQLField) -> str:
    slicing = [name for name in size.arguments if name in field.args and _is_number(field.args[name])]
    arguments = [f"assumedSize: {assumed_size(size)}"]
    if slicing:
        arguments.append(f"slicingArguments: {_list(slicing)}")
    if sized_fields:
        arguments.append(f"sizedFields: {_list(sized_fields)}")
    if slicing:
        arguments.append("requireOneSlicingArgument: false")
    return f" @listSize({', '.join(arguments)})"


def _is_number(argument: GraphQLArgument) -> bool:
    return get_nullable_type(argument.type) is GraphQLInt


def _list(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
