"""The driver that the tests run on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from graph.store.driver.types import DriverName

DRIVER = cast("DriverName", os.environ.get("RECALLQL_MONGODB_DRIVER", "motor"))
"""From the environment, as servers and workers in processes of their own have it."""

UNCLOSED = "ignore:unclosed (transport|<socket):ResourceWarning"
"""A filter of warnings: PyMongo leaves a socket to the garbage collection where it is cancelled while it connects."""
