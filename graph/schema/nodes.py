"""Queries for any object by its global id."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import strawberry

from graph.errors import BadUserInput
from graph.execution.fields import as_source, resolved
from graph.execution.selection import Selection
from graph.execution.size import Size
from graph.operations.validation import MAX_NODES
from graph.schema.context import Info
from graph.schema.lookup import LOOKUPS
from graph.schema.node import TYPENAME, Node, parse_global_id
from graph.store.documents import Document


@strawberry.type
class NodeQueries:
    """Relay's Global Object Identification."""

    @strawberry.field(description="Any object by its global id. Null for an unknown id.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")],  # noqa: A002
    ) -> Node | None:
        return as_source((await _nodes(info, [id]))[0])

    @resolved(
        description="Objects by their global ids, in the order of the ids; null for an unknown id.",
        size=Size(MAX_NODES, arguments=("ids",)),
    )
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Global ids, at most 1,000.")],
    ) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise BadUserInput(f"ids has {len(ids):,} items, and at most {MAX_NODES:,} are accepted")
        return as_source(await _nodes(info, ids))


async def _nodes(info: Info, ids: Sequence[str]) -> list[Document | None]:
    keys = [parse_global_id(global_id) for global_id in ids]
    reads = {name: Selection.of(info, name).reads() for name in {key[0] for key in keys if key} if name in LOOKUPS}

    async def find(key: tuple[str, str] | None) -> Document | None:
        if key is None or key[0] not in reads:
            return None
        type_name, name = key
        found = await LOOKUPS[type_name](info.context, name, reads[type_name])
        return None if found is None else {**found, TYPENAME: type_name}

    return list(await asyncio.gather(*map(find, keys)))
