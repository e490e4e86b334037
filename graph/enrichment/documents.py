"""From what the model finds to what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graph.store.documents import EntityDocument

if TYPE_CHECKING:
    from graph.enrichment.entities import ExtractedEntity


def entity_documents(found: Sequence[ExtractedEntity]) -> list[EntityDocument]:
    """The entities of one text as they are stored with it."""
    return [
        {
            "key": entity.key,
            "name": entity.name,
            "label": entity.label,
            "matches": [{"start": match.start, "end": match.end, "text": match.text} for match in entity.matches],
        }
        for entity in found
    ]
