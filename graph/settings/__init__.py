"""The settings of RecallQL: see `groups` for each one."""

from graph.settings.groups import (
    AuthSettings,
    DocumentSettings,
    EnrichmentSettings,
    LimitSettings,
    LiveSettings,
    LLMSettings,
    LoggingSettings,
    MongoDBSettings,
    RecallSettings,
    ServerSettings,
    Settings,
    SummarySettings,
    TokenSettings,
)
from graph.settings.loading import RENAMED, load_settings, unknown_settings
from graph.settings.types import NO_FLAG, PREFIX

__all__ = [
    "NO_FLAG",
    "PREFIX",
    "RENAMED",
    "AuthSettings",
    "DocumentSettings",
    "EnrichmentSettings",
    "LLMSettings",
    "LimitSettings",
    "LiveSettings",
    "LoggingSettings",
    "MongoDBSettings",
    "RecallSettings",
    "ServerSettings",
    "Settings",
    "SummarySettings",
    "TokenSettings",
    "load_settings",
    "unknown_settings",
]
