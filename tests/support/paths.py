"""Where the checkout's files are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
DATA = ROOT / "tests" / "data"
SCHEMA = ROOT / "schema.graphql"
