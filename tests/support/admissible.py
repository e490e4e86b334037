"""Which errors an operation may and must have, from its text alone: the documentation's rules, apart from the service.

Imports nothing of the service, since it runs beside other people's tools too. It knows operations without variables
whose sender may do everything, and keeps account of what the mutations that it is shown have made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    build_schema,
    get_named_type,
    get_nullable_type,
    parse,
    validate,
    value_from_ast_untyped,
    visit,
)

BAD, NOT_FOUND, CONFLICT, TOO_COSTLY = "BAD_USER_INPUT", "NOT_FOUND", "CONFLICT", "TOO_COSTLY"
LIMITS = {"characters": 20_000, "tokens": 1_000, "depth": 15, "aliases": 30, "root": 20, "cost": 50_000}
UUIDS = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ITEM_PATH = re.compile(r"(?:\[(?:\*|-?\d{1,9})\]|[^.\[\]{}]+)(?:\.?\[(?:\*|-?\d{1,9})\]|\.[^.\[\]{}]+)*")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass
class Things:
    """What exists: sessions with their users, users, and messages with their sessions, of the uuids that were sent.

    Attributes:
        cursor: a true one, of messages of a session; any other is none.
        in_parts: the uuids of messages that were sent with parts.
        doubtful: the uuids of messages that may be gone, since the newest ones of their session were taken off.
    """

    cursor: str | None = None
    sessions: dict[str, str | None] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    messages: dict[str, str] = field(default_factory=dict)
    in_parts: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)

    def forget_session(self, session: str) -> None:
        """It is gone with what it holds."""
        self.sessions.pop(session, None)
        self.forget_messages(session)

    def forget_messages(self, session: str) -> None:
        """Those of a session are gone."""
        self.messages = {uuid: where for uuid, where in self.messages.items() if where != session}


class Judge:
    """Compares answers with what the documentation says."""

    def __init__(self, schema: Path, things: Things) -> None:
        self._schema = _schema_of(schema)
        self._things = things

    def problems(self, text: str, answer: dict[str, Any]) -> list[str]:
        """What is wrong with an answer. It must be shown every answer to a mutation, in order."""
        errors = answer.get("errors") or []
        document, whole = _of_the_whole(self._schema, text)
        if whole is not None:
            found = [f"{error} is not {whole}" for error in errors if _code(error) not in whole]
            if not errors or answer.get("data") is not None:
                found.append(f"it must be refused as a whole, with {whole}")
            return found
        assert document is not None
        return _Judgement(self._schema, document, self._things).of(answer, errors)


@cache
def _schema_of(file: Path) -> GraphQLSchema:
    return build_schema(file.read_text(encoding="utf-8"))


def _code(error: dict[str, Any]) -> str:
    code: str = error["extensions"]["code"]
    return code


def _of_the_whole(schema: GraphQLSchema, text: str) -> tuple[DocumentNode | None, set[str] | None]:
    """The document, and which codes an operation has that is refused before anything of it is executed."""
    if len(text) > LIMITS["characters"]:
        return None, {TOO_COSTLY}
    try:
        document = parse(text, max_tokens=LIMITS["tokens"])
    except GraphQLError as error:
        return None, {TOO_COSTLY if "tokens" in error.message else BAD}
    counts = _Counts()
    visit(document, counts)
    (operation,) = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    over = counts.aliases > LIMITS["aliases"] or counts.deepest > LIMITS["depth"]
    if over or len(operation.selection_set.selections) > LIMITS["root"]:
        return document, {TOO_COSTLY}
    if errors := validate(schema, document):
        # Past some errors, or some comparisons, the rest is not looked at, and that is said too.
        return document, {BAD, TOO_COSTLY} if len(errors) > 5 else {BAD}
    root: Any = schema.get_root_type(operation.operation)
    if not all(_SCALARS[name](value) for name, value in _scalars(schema, root, operation.selection_set)):
        return document, {BAD}
    cost = _cost(schema, operation.selection_set, root, None)
    cost += 10 * len(operation.selection_set.selections) * (root is schema.mutation_type)
    return document, {TOO_COSTLY} if cost > LIMITS["cost"] else None


class _Counts(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.aliases = self.deepest = self._depth = 0

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.aliases += node.alias is not None
        self._depth += 1
        self.deepest = max(self.deepest, self._depth)

    def leave_field(self, *_: Any) -> None:
        self._depth -= 1


def _fields(selection_set: SelectionSetNode | None, parent: Any, schema: GraphQLSchema) -> list[tuple[FieldNode, Any]]:
    """Each field that is selected on an object, with the type that it is selected on."""
    found: list[tuple[FieldNode, Any]] = []
    for selection in selection_set.selections if selection_set else ():
        if isinstance(selection, FieldNode):
            if not selection.name.value.startswith("__"):
                found.append((selection, parent))
        else:
            assert isinstance(selection, InlineFragmentNode), "named fragments are not made"
            condition = selection.type_condition
            type_ = schema.get_type(condition.name.value) if condition else parent
            found += _fields(selection.selection_set, type_, schema)
    return found


def _arguments(node: FieldNode) -> dict[str, Any]:
    return {argument.name.value: value_from_ast_untyped(argument.value) for argument in node.arguments or ()}


def _scalars(schema: GraphQLSchema, parent: Any, selection_set: SelectionSetNode | None) -> list[tuple[str, Any]]:
    """The values of the scalars that graphql-core can't check without the service's code, with the scalars' names."""
    found = []
    for node, type_ in _fields(selection_set, parent, schema):
        definition = type_.fields[node.name.value]
        for name, value in _arguments(node).items():
            found += _scalars_of(definition.args[name].type, value)
        found += _scalars(schema, get_named_type(definition.type), node.selection_set)
    return found


def _scalars_of(type_: Any, value: Any) -> list[tuple[str, Any]]:
    nullable = get_nullable_type(type_)
    if value is None:
        return []
    if isinstance(nullable, GraphQLList):
        return [
            found
            for item in (value if isinstance(value, list) else [value])
            for found in _scalars_of(nullable.of_type, item)
        ]
    if isinstance(nullable, GraphQLInputObjectType):
        return [found for name, item in value.items() for found in _scalars_of(nullable.fields[name].type, item)]
    return [(nullable.name, value)] if nullable.name in _SCALARS else []


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and TIME.fullmatch(value) is not None


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and UUIDS.fullmatch(value) is not None


_ADDING = {"addMemory", "replaceFrom"}
_WITH_ITEMS = {"putItems", "renewItems"}
_ON_ITEMS = {*_WITH_ITEMS, "deleteItems"}
_STREAMING = {"startMessage", "appendMessage", "finishMessage", "abortMessage"}
_SCALARS = {"DateTime": _is_time, "UUID": _is_uuid}


def _cost(
    schema: GraphQLSchema, selection_set: SelectionSetNode | None, parent: Any, page: int | None, window: int = 1_000
) -> int:
    """The most objects that an answer can hold: `first` and `last` multiply what is below them.

    Args:
        schema: the schema.
        selection_set: what is selected.
        parent: the type that it is selected on.
        page: size of the connection's page, whose edges are selected.
        window: messages that a memory gives by default.
    """
    cost = 0
    for node, type_ in _fields(selection_set, parent, schema):
        definition = type_.fields[node.name.value]
        below = get_named_type(definition.type)
        if node.selection_set is None:
            continue
        given = _arguments(node)
        most = 100 if node.name.value == "search" else 1_000
        asked = max(
            (min(most, max(0, given[name])) for name in ("first", "last") if given.get(name) is not None), default=None
        )
        if "ids" in given:
            asked = min(1_000, len(given["ids"]) if isinstance(given["ids"], list) else 1)
        times, own_page = 1, None
        if below.name.endswith("Connection"):
            own_page = 20 if asked is None else asked
        elif node.name.value in _WITH_ITEMS:
            own_page = min(100, len(_list(given["input"]["items"])))
        elif isinstance(get_nullable_type(definition.type), GraphQLList):
            usual = 100 if type_.name == "Context" else {"messages": window, "matches": 5}.get(node.name.value, 20)
            times = (
                page
                if page is not None and node.name.value in {"edges", "items"}
                else usual
                if asked is None
                else asked
            )
        own_window = 12 if node.name.value == "memory" and type_.name in {"Query", "Session"} else window
        if node.name.value == "memories":
            own_window = 1_000
        if node.name.value in _ADDING:
            own_window = len(_messages(given["input"]))
        cost += times * (1 + _cost(schema, node.selection_set, below, own_page, own_window))
    return cost


class _Judgement:
    """Of one answer of an operation that is executed."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, things: Things) -> None:
        self._schema = schema
        self._things = things
        (self._operation,) = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        self._root: Any = schema.get_root_type(self._operation.operation)
        self._errors: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        self._seen: set[tuple[str, ...]] = set()

    def of(self, answer: dict[str, Any], errors: list[dict[str, Any]]) -> list[str]:
        if "data" not in answer:
            return [f"it is refused as a whole, and nothing is wrong with all of it: {errors}"]
        for error in errors:
            path = tuple(part for part in error.get("path") or () if isinstance(part, str))
            self._errors.setdefault(path, []).append(error)
        changes = self._root is self._schema.mutation_type
        found: list[str] = []
        for node, parent in _fields(self._operation.selection_set, self._root, self._schema):
            key = _key(node)
            value = (answer["data"] or {}).get(key)
            own, below = self._errors.get((key,), []), any(len(path) > 1 and path[0] == key for path in self._errors)
            codes = _codes_of_change(node, self._things) if changes else _codes(node, parent, self._things)
            is_done = not own and (answer["data"] is not None or below)
            found += self._field((key,), codes, [value] if value is not None or (changes and is_done) else [])
            found += self._below([(node, parent)], value, (key,))
            if changes and is_done and node.name.value not in {"renewItems", "deleteItems"}:
                _apply(node, self._things)
            if changes and answer["data"] is None and (own or below):
                break  # those after it are not executed
        return found + [f"{self._errors[path]} stand at nothing" for path in self._errors.keys() - self._seen]

    def _field(self, path: tuple[str, ...], codes: tuple[set[str], set[str]], values: list[Any]) -> list[str]:
        """What is wrong with the errors at a path, and with what values there are."""
        must, may = codes
        self._seen.add(path)
        errors = self._errors.get(path, [])
        found = [f"{error} is not one of {must | may}" for error in errors if _code(error) not in must | may]
        return [*found, f"{'.'.join(path)} must have {must}"] if must and values else found

    def _below(self, nodes: list[tuple[FieldNode, Any]], value: Any, path: tuple[str, ...]) -> list[str]:
        """What is wrong below fields that share a place in the answer, as those of several inline fragments may."""
        found: list[str] = []
        by_key: dict[str, list[tuple[FieldNode, Any]]] = {}
        for node, parent in nodes:
            type_ = get_named_type(parent.fields[node.name.value].type)
            for below, of_type in _fields(node.selection_set, type_, self._schema):
                by_key.setdefault(_key(below), []).append((below, of_type))
        for key, sharing in by_key.items():
            values = [item[key] for item in _objects(value) if item.get(key) is not None]
            codes = [_codes(below, of_type, self._things) for below, of_type in sharing]
            must = set.intersection(*(must for must, _ in codes))
            found += self._field((*path, key), (must, set().union(*(must | may for must, may in codes))), values)
            found += self._below(sharing, values, (*path, key))
        return found


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in _objects(item)]
    return [value] if isinstance(value, dict) else []


def _is_id(value: Any) -> bool:
    return value is not None and 0 < len(str(value).encode()) <= 512 and "\0" not in str(value)


def _codes(node: FieldNode, parent: Any, things: Things) -> tuple[set[str], set[str]]:
    """The codes that a field must have, and may have, whatever it is a field of."""
    given = {name: value for name, value in _arguments(node).items() if value is not None}
    wrong = "first" in given and "last" in given
    wrong |= any(not 0 <= given[name] <= 1_000 for name in ("first", "last") if name in given)
    cursor = things.cursor if (parent.name, node.name.value) == ("Session", "messages") else None
    wrong |= any(given[name] not in {cursor, ""} for name in ("after", "before") if name in given)
    if node.name.value == "messages":
        wrong |= any(given.get(f"{name}Seq", 0) < 0 for name in ("after", "before"))
        wrong |= any(bool(given.get(name)) and f"{name}Seq" in given for name in ("after", "before"))
    wrong |= not 1 <= given.get("length", 1) <= 1_000
    if node.name.value == "search":
        wrong |= not _is_search(given)
    if node.name.value == "context":
        wrong |= not _is_context(given, parent.name)
    if "search" in given:
        wrong |= len(given["search"].encode()) > 256 or "\0" in given["search"]
    wrong |= len(given.get("ids", ())) > 1_000
    if node.name.value in {"item", "items", "itemNamespaces"}:
        wrong |= not _are_items(given)
    elif "filter" in given:
        wrong |= not _is_filter(given["filter"]) or not _is_message_filter(given["filter"], node.name.value)
    may: set[str] = {BAD} if len(given.get("labels", ())) > 20 else set()
    return ({BAD} if wrong else set()), may


def _are_items(given: dict[str, Any]) -> bool:
    """Whether the arguments are right by which items or namespaces are chosen."""
    conditions = _list(given.get("filter", []))
    return (
        all(_are_labels(given[name]) for name in ("namespacePrefix", "prefix", "suffix") if name in given)
        and ("namespace" not in given or _is_place(given))
        and ("query" not in given or 0 < len(given["query"].encode()) <= 8_192)
        and given.get("maxDepth", 1) >= 1
        and len(conditions) <= 20
        and all(map(_is_item_condition, conditions))
    )


def _is_item_condition(item: dict[str, Any]) -> bool:
    orders = [item[name] for name in ("greaterThan", "atLeast", "lessThan", "atMost") if name in item]
    equal = [{"equals": item[name]} for name in ("equals", "notEquals") if name in item]
    others = [{"exists": True}] * (len(orders) + (item.get("exists") is not None))
    compared = equal + others
    place = {name: item.get(name) for name in ("path", "segments")}
    ordered = all(isinstance(value, int | float | str) and not isinstance(value, bool) for value in orders)
    return len(compared) == 1 and ordered and _is_condition({**place, **compared[0]})


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _are_labels(labels: Any, least: int = 0) -> bool:
    return least <= len(_list(labels)) <= 16 and all(_is_text(label, 256) for label in _list(labels))


def _is_place(item: dict[str, Any]) -> bool:
    return _are_labels(item["namespace"], 1) and _is_id(item["key"])


def _is_item(item: dict[str, Any]) -> bool:
    ttl, paths = item.get("ttl"), item.get("index")
    return (
        _is_place(item)
        and isinstance(item["value"], dict)
        and _is_json(item["value"])
        and (ttl is None or 0 < ttl <= 5_256_000)
        and item.get("expiresAt") is None  # all times of the operations have passed
        and (paths is None or (len(_list(paths)) <= 20 and all(map(_is_item_path, _list(paths)))))
        and (item.get("expectedRevision") or 0) >= 0
    )


def _is_item_path(path: str) -> bool:
    return _is_text(path, 512) and (path == "$" or ITEM_PATH.fullmatch(path) is not None)


def _is_search(given: dict[str, Any]) -> bool:
    sizes = [given[name] for name in ("first", "last") if name in given]
    chosen = given.get("filter", {})
    lists = [chosen.get(name) or [] for name in ("roles", "sessionIds")]
    return (
        0 < len(given["query"].encode()) <= 8_192
        and all(0 <= size <= 100 for size in sizes)
        and all(len(items) <= 100 for items in lists if isinstance(items, list))
    )


def _is_context(given: dict[str, Any], parent: str) -> bool:
    of_session = parent == "Session" or "sessionId" in given
    return (
        1 <= given["maxTokens"] <= 1_000_000
        and 0 <= given.get("recent", 0) <= 100
        and ("query" in given or of_session)
        and 0 < len(given.get("query", "a").encode()) <= 8_192
    )


def _is_filter(value: dict[str, Any]) -> bool:
    metadata = value.get("metadata") or []
    items = metadata if isinstance(metadata, list) else [metadata]
    if value.get("userId") is not None and not _is_id(value["userId"]):
        return False
    named = value.get("named")
    if named is not None and not (_is_id(named) and len(re.findall(r"\w+", named)) <= 10):
        return False
    return len(items) <= 20 and all(map(_is_condition, items)) and sum(map(_leaves, items)) <= 64


def _is_message_filter(value: dict[str, Any], field_: str) -> bool:
    """Whether the conditions on messages are right; those on sessions are named otherwise."""
    refused = {"search": "names", "messages": "sessionIds"}.get(field_)
    lists = [value.get(name) or [] for name in ("roles", "names")]
    entity = value.get("hasEntity")
    return (
        (refused is None or value.get(refused) is None)
        and all(len(items) <= 100 for items in lists if isinstance(items, list))
        and (entity is None or _is_text(entity, 1_024))
    )


def _is_text(value: str, most: int) -> bool:
    return 0 < len(value.encode()) <= most and "\0" not in value


def _is_condition(item: dict[str, Any]) -> bool:
    path, segments = item.get("path"), item.get("segments")
    if (path is None) == (segments is None):
        return False
    if path is not None:
        keys = path.split(".")
        right = all(keys)
    else:
        keys = segments if isinstance(segments, list) else [segments]
        right = bool(keys)
    given = [name for name in ("equals", "contains") if name in item] + ["exists"] * (item.get("exists") is not None)
    value = item[given[0]] if given else None
    return right and len(keys) <= 32 and "\0" not in "".join(keys) and len(given) == 1 and _is_json(value)


def _leaves(item: dict[str, Any]) -> int:
    def count(value: Any) -> int:
        below = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        return sum(map(count, below)) or 1

    return count(item.get("equals", item.get("contains")))


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all("\0" not in key and _is_json(item) for key, item in value.items())
    return all(map(_is_json, value)) if isinstance(value, list) else True


def _is_metadata(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and _is_json(value))


def _codes_of_change(node: FieldNode, things: Things) -> tuple[set[str], set[str]]:
    """The codes that a mutation must have, and may have where it need not."""
    given = _arguments(node)
    sent = given.get("input", given)
    name = node.name.value
    if name == "retryEnrichment" and (sent.get("sessionId") is None) == (sent.get("uuid") is None):
        return {BAD}, set()
    if _is_wrong(name, sent):
        return {BAD}, set()  # what is sent is looked at before what there is
    refused = _refused(name, sent, things)
    return ({refused} if refused else set()), _may_be_refused(name, sent, things)


def _may_be_refused(name: str, sent: dict[str, Any], things: Things) -> set[str]:
    """The codes that depend on numbers, times and contents, of which no account is kept."""
    may = {CONFLICT} if {sent.get("expectedRevision"), sent.get("expectedUuid")} != {None} else set()
    if name == "putItems" and any(item.get("expectedRevision") is not None for item in _list(sent["items"])):
        may |= {CONFLICT}
    may |= {CONFLICT} if name in _STREAMING else set()  # the message may have ended, or never been started
    messages = _messages(sent) if name in _ADDING else [sent] if name in {"updateMessage", *_STREAMING} else []
    if {_canonical(item.get("uuid")) for item in [sent, *messages]} & things.doubtful:
        may |= {NOT_FOUND, CONFLICT}
    if (
        name == "replaceFrom" and sent["sessionId"] in things.sessions
    ):  # the key or the uuids may be those of the same call, or of another one
        may |= {CONFLICT}
    if name == "markRead" and sent["sessionId"] in things.sessions:  # the seq may be that of no message
        may |= {BAD}
    if name == "forkSession" and sent["sessionId"] in things.sessions:
        may |= {BAD, CONFLICT}
    if sent.get("head") is not None or any(item.get("parentUuid") for item in [sent, *messages]):
        may |= {BAD}  # the session may not have the message
    unknown = any(item.get(key) is not None for item in messages for key in ("parts", "createdAt"))
    # The role and the content of a message with parts are changed with its parts only.
    return may | {BAD} if unknown or any(_canonical(item.get("uuid")) in things.in_parts for item in messages) else may


def _is_wrong(name: str, sent: dict[str, Any]) -> bool:
    ids = [sent[key] for key in ("sessionId", "userId", "idempotencyKey") if sent.get(key) is not None]
    wrong = not all(map(_is_id, ids)) or not _is_metadata(sent.get("metadata"))
    for key in ("uuid", "head", "parentUuid", "expectedUuid"):
        wrong |= sent.get(key) is not None and not _is_uuid(sent[key])
    for key, most in (("email", 320), ("firstName", 1_024), ("lastName", 1_024), ("title", 1_024)):
        text = sent.get(key) or ""
        wrong |= "\0" in text or len(text.encode()) > most
    wrong |= name == "forkSession" and not (sent["throughSeq"] >= 1 and _is_id(sent["newSessionId"]))
    wrong |= name in ("replaceFrom", "markRead") and sent["seq"] < 1
    wrong |= sent.get("retentionDays") is not None and not 1 <= sent["retentionDays"] <= 36_500
    wrong |= sent.get("expiresAt") is not None  # all times of the operations have passed
    if name in _ON_ITEMS:
        items = _list(sent["items"])
        places = [(*_list(item["namespace"]), None, item["key"]) for item in items]
        wrong |= not 1 <= len(items) <= 100 or not all(map(_is_item if name == "putItems" else _is_place, items))
        wrong |= name == "putItems" and len(set(places)) < len(places)
    if name in _ADDING:
        messages = _messages(sent)
        uuids = [str(UUID(str(item["uuid"]))) for item in messages if _is_uuid(item.get("uuid"))]
        wrong |= not 1 <= len(messages) <= 1_000 or len(uuids) > len(set(uuids))
        wrong |= not all(map(_is_message, messages))
        wrong |= any(item.get("content") is None and not item.get("parts") for item in messages)
    wrong |= name == "setTyping" and sent.get("name") is not None and not _is_text(sent["name"], 256)
    if name == "appendMessage":
        wrong |= not _are_pieces(sent["pieces"] if isinstance(sent["pieces"], list) else [sent["pieces"]])
    if name in {"updateMessage", "startMessage", "finishMessage"}:
        wrong |= not _is_message({"role": "human", **{key: item for key, item in sent.items() if item is not None}})
    return wrong


def _is_message(item: dict[str, Any]) -> bool:
    role = item["role"]
    known = item.get("uuid") is None or _is_uuid(item["uuid"])
    known &= item.get("parentUuid") is None or _is_uuid(item["parentUuid"])
    known &= item.get("name") is None or _is_text(item["name"], 256)
    known &= item.get("toolCallId") is None or _is_id(item["toolCallId"])
    return known and 0 < len(role.encode()) <= 256 and "\0" not in role and _is_metadata(item.get("metadata"))


def _are_pieces(pieces: list[dict[str, Any]]) -> bool:
    indexes = [piece["index"] for piece in pieces]
    return 1 <= len(pieces) <= 1_000 and indexes == list(range(max(0, indexes[0]), indexes[0] + len(pieces)))


def _canonical(value: Any) -> str:
    return str(UUID(value)) if _is_uuid(value) else str(value)


def _messages(sent: dict[str, Any]) -> list[dict[str, Any]]:
    return sent["messages"] if isinstance(sent["messages"], list) else [sent["messages"]]


def _refused(name: str, sent: dict[str, Any], things: Things) -> str | None:
    """NOT_FOUND or CONFLICT, by what there is."""
    session, user, uuid = sent.get("sessionId"), sent.get("userId"), _canonical(sent.get("uuid"))
    if name in _ADDING:
        if name == "replaceFrom" and session not in things.sessions:
            return NOT_FOUND
        uuids = {_canonical(item["uuid"]) for item in _messages(sent) if item.get("uuid")} - things.doubtful
        places = {things.messages.get(uuid, session) for uuid in uuids}
        return CONFLICT if places - {session} or _is_anothers(session, user, things) else None
    if name in {"popMessage", "markRead", "forkSession", "setTyping", *_ON_ITEMS}:
        return None if name in _ON_ITEMS or session in things.sessions else NOT_FOUND
    known = {"Session": session in things.sessions, "Memory": session in things.sessions, "User": user in things.users}
    known["Message"] = uuid in things.messages
    known["Enrichment"] = known["Session"] if session is not None else known["Message"]
    kind = re.split("(?=[A-Z])", name, maxsplit=1)[1]
    if name.startswith("create"):
        return CONFLICT if known[kind] else None
    if name == "startMessage":
        known[kind] = True
    if not known[kind]:
        return NOT_FOUND
    return CONFLICT if name in {"updateSession", "startMessage"} and _is_anothers(session, user, things) else None


def _is_anothers(session: Any, user: Any, things: Things) -> bool:
    owner = things.sessions.get(session)
    return user is not None and owner is not None and user != owner


def _apply(node: FieldNode, things: Things) -> None:
    """A mutation was carried out."""
    given = _arguments(node)
    sent = given.get("input", given)
    name, session, user = node.name.value, sent.get("sessionId"), sent.get("userId")
    if not name.startswith("delete"):
        if user is not None:
            things.users.add(user)
        if session is not None and name != "retryEnrichment":
            things.sessions[session] = things.sessions.get(session) or user
        if name in ("popMessage", "replaceFrom"):
            things.doubtful |= {uuid for uuid, where in things.messages.items() if where == session}
        if name == "forkSession":
            things.sessions.setdefault(sent["newSessionId"], things.sessions.get(session))
        _note_messages(name, sent, things)
    elif name == "deleteMessage":
        things.messages.pop(_canonical(sent["uuid"]), None)
    elif name == "deleteUser":
        things.users.discard(user)
        for own in [key for key, owner in things.sessions.items() if owner == user]:
            things.forget_session(own)
    elif name == "deleteSession":
        things.forget_session(session)
    else:
        things.forget_messages(session)


def _note_messages(name: str, sent: dict[str, Any], things: Things) -> None:
    """Messages were added or changed."""
    if name in {*_ADDING, "updateMessage", "finishMessage"}:
        items = _messages(sent) if name in _ADDING else [sent]
        things.in_parts |= {_canonical(item["uuid"]) for item in items if item.get("uuid") and item.get("parts")}
    if name == "startMessage" and sent.get("uuid"):
        things.messages[_canonical(sent["uuid"])] = sent["sessionId"]
    if name in _ADDING:
        things.messages |= {_canonical(item["uuid"]): sent["sessionId"] for item in _messages(sent) if item.get("uuid")}
