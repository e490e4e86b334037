"""Logging, the same in every process."""

from __future__ import annotations

import logging

from graph.settings import Settings, unknown_settings
from graph.telemetry import logs

logger = logging.getLogger(__name__)


def configure_logging(settings: Settings) -> None:
    """One line an event on standard error, and one for each request and job."""
    logs.configure(settings.log_level, settings.log_format, settings.slow_operation)


def warn_of_unknown_settings() -> None:
    """Say which variables have no effect although they are named as settings are."""
    for line in unknown_settings():
        logger.warning("%s", line)
