"""The settings of RecallQL: see `server` and `enrichment` for each one."""

from graph.settings.enrichment import EnrichmentSettings, LLMSettings, RecallSettings, SummarySettings, TokenSettings
from graph.settings.files import SECRETS, variable
from graph.settings.groups import Settings
from graph.settings.loading import RENAMED, load_settings, unknown_settings
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
from graph.settings.types import NO_FLAG, PREFIX

__all__ = [
    "NO_FLAG",
    "PREFIX",
    "RENAMED",
    "SECRETS",
    "AuthSettings",
    "DocumentSettings",
    "EnrichmentSettings",
    "LLMSettings",
    "LimitSettings",
    "LiveSettings",
    "LoggingSettings",
    "MCPSettings",
    "MongoDBSettings",
    "RecallSettings",
    "ServerSettings",
    "Settings",
    "SummarySettings",
    "TelemetrySettings",
    "TokenSettings",
    "load_settings",
    "unknown_settings",
    "variable",
]
