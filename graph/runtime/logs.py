"""Logging, the same in every process."""

from __future__ import annotations

import logging
import sys

from graph.settings import Settings, unknown_settings

logger = logging.getLogger(__name__)


def configure_logging(settings: Settings) -> None:
    """One line an event on standard error."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("pymongo").setLevel(logging.WARNING)


def warn_of_unknown_settings() -> None:
    """Say which variables have no effect although they are named as settings are."""
    for line in unknown_settings():
        logger.warning("%s", line)
