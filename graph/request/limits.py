"""Limits of a document, checked on its text and syntax before the validation, which takes longer.

Each limit applies to the whole document of a request, with fragments expanded where they are spread. Together, the
limits bound parsing and validation of any document to a few hundredths of a second of a processor core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    Visitor,
    validate,
    visit,
)
from graphql.language import FragmentDefinitionNode, OperationDefinitionNode
from graphql.validation import ASTValidationRule
from graphql.validation.validate import ValidationAbortedError

from graph.errors import TooCostly
from graph.settings import Settings

_MOST_ERRORS = 5
"""Maximum errors reported for one document: to find and print an error takes time in proportion to the text."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The maximum of each; 0 disables the limit."""

    text: int
    tokens: int
    depth: int
    aliases: int
    directives: int
    root_fields: int
    fields: int
    comparisons: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits of the settings."""
        return cls(
            settings.max_text,
            settings.max_query_tokens,
            settings.max_depth,
            settings.max_aliases,
            settings.max_directives,
            settings.max_root_fields,
            settings.max_fields,
            settings.max_comparisons,
        )


def check_text(text: str, limits: Limits) -> None:
    """Refuse a text that is too long to be parsed.

    Raises:
        TooCostly: the message names the limit, the size of the document, and the maximum.
    """
    _refuse(len(text), limits.text, "characters", "RECALLQL_MAX_TEXT", ": send long values as variables")


def check_limits(document: DocumentNode, limits: Limits) -> None:
    """Refuse a document that is over a limit.

    Raises:
        TooCostly: the message names the limit, the size of the document, and the maximum.
    """
    counts = _Counts()
    visit(document, counts)
    _refuse(counts.aliases, limits.aliases, "aliases", "RECALLQL_MAX_ALIASES")
    _refuse(counts.directives, limits.directives, "directives on one element", "RECALLQL_MAX_DIRECTIVES")
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    shape = _Shape(fragments)
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            fields, depth = shape.of(operation.selection_set)
            _refuse(fields, limits.root_fields, "fields at its root", "RECALLQL_MAX_ROOT_FIELDS")
            _refuse(shape.widest, limits.fields, "fields on one object", "RECALLQL_MAX_FIELDS")
            _refuse(depth, limits.depth, "levels of fields", "RECALLQL_MAX_DEPTH")


def validate_within(
    limits: Limits, schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]
) -> list[GraphQLError]:
    """Return the errors of a document by these rules."""
    if limits.comparisons:
        bounded = _bounded_merging(limits.comparisons)
        rules = tuple(bounded if rule is OverlappingFieldsCanBeMergedRule else rule for rule in rules)
    try:
        return validate(schema, document, rules, max_errors=_MOST_ERRORS)
    except TooCostly as error:
        return [GraphQLError(str(error), original_error=error)]


@cache
def _bounded_merging(most: int) -> type[OverlappingFieldsCanBeMergedRule]:
    """Return graphql-core's rule that fields with equal response names can be merged, with a maximum of comparisons."""

    class BoundedMergingRule(OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = 2 * most  # a comparison counts as two

        def enter_selection_set(self, *arguments: Any) -> None:
            try:
                super().enter_selection_set(*arguments)
            except ValidationAbortedError:
                if self.rule_context.remaining_complexity_budget >= 0:
                    raise  # too many errors
                message = (
                    f"the operation repeats fields of one object: its validation needs over {most:,} comparisons, the"
                    " maximum; select each field once, or under an alias"
                )
                raise TooCostly(message, setting="RECALLQL_MAX_COMPARISONS") from None

    return BoundedMergingRule


def _refuse(found: int, most: int, unit: str, setting: str, advice: str = "") -> None:
    if most and found > most:
        message = f"the operation has {found:,} {unit}, and at most {most:,} are accepted{advice}"
        raise TooCostly(message, limit={"requested": found, "allowed": most}, setting=setting)


class _Counts(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.aliases = 0
        self.directives = 0

    def enter(self, node: Node, *_: object) -> None:
        self.aliases += isinstance(node, FieldNode) and node.alias is not None
        self.directives = max(self.directives, len(getattr(node, "directives", None) or ()))


class _Shape:
    """Counts the fields of selection sets, and their depth.

    The result for a fragment is cached, so that nested fragments take time in proportion to their text.
    """

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._sizes: dict[str, tuple[int, int]] = {}
        self._open: set[str] = set()
        self.widest = 0

    def of(self, selection_set: SelectionSetNode) -> tuple[int, int]:
        """Return the number of fields at the top, and the levels of fields."""
        parts = list(self._parts(selection_set))
        fields = sum(fields for fields, _ in parts)
        self.widest = max(self.widest, fields)
        return fields, max((depth for _, depth in parts), default=0)

    def _parts(self, selection_set: SelectionSetNode) -> Iterator[tuple[int, int]]:
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                below = 0
                # Another rule bounds how often the lists of introspection may be nested.
                if selection.selection_set is not None and not selection.name.value.startswith("__"):
                    _, below = self.of(selection.selection_set)
                yield 1, below + 1
            elif isinstance(selection, InlineFragmentNode):
                yield self.of(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                yield self._of_fragment(selection.name.value)

    def _of_fragment(self, name: str) -> tuple[int, int]:
        if name in self._open or name not in self._fragments:
            return 0, 0  # the validation refuses an unknown fragment and a cycle
        if name not in self._sizes:
            self._open.add(name)
            self._sizes[name] = self.of(self._fragments[name].selection_set)
            self._open.discard(name)
        return self._sizes[name]
