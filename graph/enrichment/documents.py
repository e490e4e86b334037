"""The entities of the model as they are stored."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graph.store.documents import EntityDocument, mention_count
from graph.store.entities.offsets import set_wide
from graph.store.jobs.enrichment import MOST_ENTITIES

if TYPE_CHECKING:
    from graph.enrichment.entities import ExtractedEntity


def entity_documents(
    found: Sequence[ExtractedEntity], content: str, in_tools: Sequence[ExtractedEntity] = ()
) -> list[EntityDocument]:
    """The entities of one text as they are stored with it: where they are too many, those that it mentions most.

    Args:
        found: the entities in the text.
        content: the text.
        in_tools: the entities in the text of the tools of the same message, which are counted alone: a reader of the
            message does not have that text.
    """
    by_key: dict[str, EntityDocument] = {
        entity.key: {
            "key": entity.key,
            "name": entity.name,
            "label": entity.label,
            "matches": [{"start": match.start, "end": match.end, "text": match.text} for match in entity.matches],
        }
        for entity in found
    }
    for entity in in_tools:
        document = by_key.setdefault(
            entity.key, {"key": entity.key, "name": entity.name, "label": entity.label, "matches": []}
        )
        document["inTools"] = len(entity.matches)
    documents = list(by_key.values())
    if len(documents) > MOST_ENTITIES:
        counts = [mention_count(document) for document in documents]
        places = heapq.nlargest(MOST_ENTITIES, range(len(documents)), key=lambda place: (counts[place], -place))
        documents = [documents[place] for place in sorted(places)]
    set_wide(documents, content)
    return documents
