"""The page, and the routes of the page and its assets."""

from __future__ import annotations

import functools
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Mount, Route

from graph.bundle import COMMON_POLICY, IMMUTABLE, Assets, Bundle, page_response, policy

_HERE = Path(__file__).parent
_BUNDLE = Bundle(_HERE / "static", "src/main.tsx")
_PATH = "/console"
_ASSETS = "console/assets"
"""Relative to the page, so that the page works behind any prefix that a proxy adds."""

_MISSING = """\
<p>This installation was built without npm, so it has no console. Install Node.js 20.19 or later with npm, and install
RecallQL again. Until then, the <a href="graphql">explorer</a> shows the same data.</p>"""

CONSOLE_CSP = policy(**COMMON_POLICY, script_src="'self'", style_src="'self'", img_src="'self' data:")
"""The page's Content Security Policy: scripts and styles of the bundle alone, and no other host."""


def console_is_bundled() -> bool:
    """Whether the console's assets came with this installation."""
    return _BUNDLE.is_built


@functools.cache
def _html() -> str:
    template = Template((_HERE / "page.html").read_text(encoding="utf-8"))
    if not _BUNDLE.is_built:
        return template.substitute(head="", notice=_MISSING)
    return template.substitute(head=_BUNDLE.head(_ASSETS), notice="<p>Loading the console…</p>")


async def _console(_request: Request) -> HTMLResponse:
    return page_response(_html(), CONSOLE_CSP)


def console_routes() -> list[BaseRoute]:
    """Return the routes of the page and its assets."""
    routes: list[BaseRoute] = [Route(_PATH, _console)]
    if _BUNDLE.is_built:
        routes.append(Mount(f"{_PATH}/assets", app=Assets(_BUNDLE.assets, IMMUTABLE), name="console-assets"))
    return routes
