"""The GraphiQL page and its assets.

A browser gets the page at the GraphQL path. Its assets are bundled when the wheel is built (`hatch_build.py`),
so that the browser asks no other host; a build without npm falls back to a CDN, with the same pinned versions.
"""

from graph.explorer.examples import EXAMPLES, Example
from graph.explorer.page import (
    EXPLORER_CDN_CSP,
    EXPLORER_CSP,
    explorer_html,
    explorer_is_bundled,
    explorer_response,
    explorer_routes,
)

__all__ = [
    "EXAMPLES",
    "EXPLORER_CDN_CSP",
    "EXPLORER_CSP",
    "Example",
    "explorer_html",
    "explorer_is_bundled",
    "explorer_response",
    "explorer_routes",
]
