"""The console: conversations, recall and health as a person looks at them, at `/console`.

The page is bundled when the wheel is built (`hatch_build.py`), and uses the public GraphQL API alone.
"""

from graph.console.page import CONSOLE_CSP, console_is_bundled, console_routes

__all__ = ["CONSOLE_CSP", "console_is_bundled", "console_routes"]
