"""Where the checkout's files are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
DATA = ROOT / "tests" / "data"
SCHEMA = ROOT / "schema.graphql"
SCHEMA_0 = DATA / "schema-0.bson.gz"
"""The data of a release that stored no version of the schema, see `tests.support.fill_release`."""
