"""The entities of the model as they are stored."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graph.enrichment.offsets import set_wide
from graph.store.documents import EntityDocument
from graph.store.jobs.enrichment import MOST_ENTITIES

if TYPE_CHECKING:
    from graph.enrichment.entities import ExtractedEntity


def entity_documents(found: Sequence[ExtractedEntity], content: str) -> list[EntityDocument]:
    """The entities of one text as they are stored with it: where they are too many, those that it mentions most.

    Args:
        found: the entities.
        content: the text.
    """
    if len(found) > MOST_ENTITIES:
        places = heapq.nlargest(MOST_ENTITIES, range(len(found)), key=lambda place: (len(found[place].matches), -place))
        found = [found[place] for place in sorted(places)]
    documents: list[EntityDocument] = [
        {
            "key": entity.key,
            "name": entity.name,
            "label": entity.label,
            "matches": [{"start": match.start, "end": match.end, "text": match.text} for match in entity.matches],
        }
        for entity in found
    ]
    set_wide(documents, content)
    return documents
