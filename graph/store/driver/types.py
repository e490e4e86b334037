"""The types of the driver that the store names."""

from __future__ import annotations

from typing import TypeAlias

from pymongo.asynchronous.client_session import AsyncClientSession

Transaction: TypeAlias = AsyncClientSession
"""The driver's session, in which reads and writes belong together. Motor's has the same methods, and no types."""
