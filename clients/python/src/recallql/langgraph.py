"""LangGraph: a store of items (`pip install recallql-client[langgraph]`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
)

from recallql.client import AsyncRecallQL
from recallql.generated.fragments import ItemFields
from recallql.generated.input_types import (
    DeleteItemsInput,
    ItemFilter,
    ItemInput,
    ItemPlace,
    PutItemsInput,
    RenewItemsInput,
)
from recallql.sync import RecallQL

_Namespace: TypeAlias = tuple[str, ...]
UserOf: TypeAlias = str | Callable[[_Namespace], str]
"""A user, or a function from a namespace, or the beginning of namespaces, to the user that it belongs to."""

_AT_ONCE = 100
"""Maximum items of one mutation."""
_PAGE = 1_000
_OPERATORS = {
    "$eq": "equals",
    "$ne": "not_equals",
    "$gt": "greater_than",
    "$gte": "at_least",
    "$lt": "less_than",
    "$lte": "at_most",
}


class RecallQLStore(BaseStore):
    """Keeps items of users by namespace and key.

    Args:
        client: the client; one without asyncio for `batch`, and for `abatch` in a thread.
        user_id: the user that all items belong to, or a function from a namespace to the user.
        fields: the paths to the texts by which a search finds an item; None for the whole value.
        ttl: the default time to live, and whether reads renew it.
    """

    supports_ttl = True

    def __init__(
        self,
        client: RecallQL | AsyncRecallQL,
        user_id: UserOf,
        *,
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        self._client = client
        self._user_id = user_id
        self._fields = fields
        self.ttl_config = ttl

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations, the reads before the writes; needs a `RecallQL`."""
        if not isinstance(self._client, RecallQL):
            message = "the store has an AsyncRecallQL: call its methods with asyncio, or make it with a RecallQL"
            raise TypeError(message)
        return self._client.run(partial(self._run, ops=list(ops)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations, the reads before the writes."""
        if isinstance(self._client, RecallQL):
            return await asyncio.to_thread(self.batch, list(ops))
        return await self._run(self._client, list(ops))

    async def _run(self, client: AsyncRecallQL, ops: Sequence[Op]) -> list[Result]:
        results: list[Result] = [await self._read(client, op) for op in ops]
        last = {(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}
        by_user: dict[str, list[PutOp]] = {}
        for op in last.values():
            by_user.setdefault(self._user_of(op.namespace), []).append(op)
        for user_id, puts in by_user.items():
            await self._put(client, user_id, puts)
        return results

    async def _read(self, client: AsyncRecallQL, op: Op) -> Result:
        if isinstance(op, GetOp):
            return await self._get(client, op)
        if isinstance(op, SearchOp):
            return await self._search(client, op)
        if isinstance(op, ListNamespacesOp):
            return await self._namespaces(client, op)
        return None

    async def _get(self, client: AsyncRecallQL, op: GetOp) -> Item | None:
        user_id = self._user_of(op.namespace)
        found = (await client.operations.item(user_id, list(op.namespace), op.key)).item
        if found is None:
            return None
        await self._renew(client, user_id, [found], wanted=op.refresh_ttl)
        return Item(**_fields_of(found))

    async def _search(self, client: AsyncRecallQL, op: SearchOp) -> list[SearchItem]:
        user_id = self._user_of(op.namespace_prefix)
        conditions = list(_conditions((), op.filter or {}))
        left, after = op.offset + op.limit, None
        edges: list[Any] = []
        while left > 0:
            page = (
                await client.operations.items(
                    user_id, list(op.namespace_prefix), conditions, op.query or None, min(left, _PAGE), after
                )
            ).items
            edges += page.edges
            left -= len(page.edges)
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                break
        chosen = edges[op.offset :]
        await self._renew(client, user_id, [edge.node for edge in chosen], wanted=op.refresh_ttl)
        return [SearchItem(**_fields_of(edge.node), score=edge.score) for edge in chosen]

    async def _namespaces(self, client: AsyncRecallQL, op: ListNamespacesOp) -> list[_Namespace]:
        ends: dict[str, _Namespace] = {}
        for condition in op.match_conditions or ():
            if condition.match_type in ends:
                message = f"RecallQL lists namespaces by one {condition.match_type}, and two are given"
                raise NotImplementedError(message)
            ends[condition.match_type] = tuple(condition.path)
        prefix = ends.get("prefix", ())
        left, after = op.offset + op.limit, None
        found: list[_Namespace] = []
        while left > 0:
            page = (
                await client.operations.item_namespaces(
                    self._user_of(prefix),
                    list(prefix),
                    list(ends.get("suffix", ())),
                    op.max_depth,
                    min(left, _PAGE),
                    after,
                )
            ).item_namespaces
            found += [tuple(edge.node.namespace) for edge in page.edges]
            left -= len(page.edges)
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                break
        return found[op.offset :]

    async def _put(self, client: AsyncRecallQL, user_id: str, puts: Sequence[PutOp]) -> None:
        items = [self._input(op) for op in puts if op.value is not None]
        for some in _parts(items):
            await client.operations.put_items(PutItemsInput.model_validate({"user_id": user_id, "items": some}))
        places = [ItemPlace(namespace=list(op.namespace), key=op.key) for op in puts if op.value is None]
        for gone in _parts(places):
            await client.operations.delete_items(DeleteItemsInput.model_validate({"user_id": user_id, "items": gone}))

    def _input(self, op: PutOp) -> ItemInput:
        index = [] if op.index is False else self._fields if op.index is None else op.index
        return ItemInput(
            namespace=list(op.namespace),
            key=op.key,
            value=op.value,
            ttl=op.ttl,
            index=None if index is None else list(dict.fromkeys(index)),  # the service refuses a path twice
        )

    async def _renew(self, client: AsyncRecallQL, user_id: str, found: Sequence[ItemFields], *, wanted: bool) -> None:
        places = [ItemPlace(namespace=item.namespace, key=item.key) for item in found if wanted and item.ttl]
        for some in _parts(places):
            await client.operations.renew_items(RenewItemsInput.model_validate({"user_id": user_id, "items": some}))

    def _user_of(self, namespace: _Namespace) -> str:
        return self._user_id if isinstance(self._user_id, str) else self._user_id(namespace)


def _fields_of(item: ItemFields) -> dict[str, Any]:
    return {
        "namespace": tuple(item.namespace),
        "key": item.key,
        "value": item.value,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }


def _conditions(path: tuple[str, ...], compared: Any) -> Iterator[ItemFilter]:
    """Yield a condition for each value and operator of LangGraph's form of a filter."""
    if not isinstance(compared, Mapping) or (path and not compared):
        yield ItemFilter.model_validate({"segments": list(path), "equals": compared})
        return
    for name, value in compared.items():
        if not name.startswith("$"):
            yield from _conditions((*path, name), value)
        elif name in _OPERATORS and path:
            yield ItemFilter.model_validate({"segments": list(path), _OPERATORS[name]: value})
        else:
            message = f"the operator {name} is unknown: use {', '.join(_OPERATORS)}"
            raise ValueError(message)


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    for first in range(0, len(items), _AT_ONCE):
        yield items[first : first + _AT_ONCE]
