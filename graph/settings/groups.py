"""The settings in groups: a field is a setting, and a command takes groups.

Each field is read from the environment as `RECALLQL_<NAME>` or from a `.env` file in the working directory, and is a
flag of the commands that take its group. See `graph.cli.options` for the flags.
"""

from __future__ import annotations

from graph.settings.enrichment import (
    EnrichmentSettings,
    LLMSettings,
    RecallSettings,
    SummarySettings,
    TokenSettings,
)
from graph.settings.server import (
    AuthSettings,
    DocumentSettings,
    LimitSettings,
    LiveSettings,
    LoggingSettings,
    MCPSettings,
    MongoDBSettings,
    ServerSettings,
    TelemetrySettings,
)


class Settings(
    TelemetrySettings,
    LoggingSettings,
    MCPSettings,
    LLMSettings,
    SummarySettings,
    RecallSettings,
    EnrichmentSettings,
    TokenSettings,
    LiveSettings,
    DocumentSettings,
    LimitSettings,
    AuthSettings,
    MongoDBSettings,
    ServerSettings,
):
    """All groups: the settings of one process."""
