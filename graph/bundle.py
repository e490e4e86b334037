"""Web pages that the build bundles: their assets, and the headers of the pages and the assets."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

IMMUTABLE = "public, max-age=31536000, immutable"
"""The Cache-Control of files whose names have a hash of their contents."""


def policy(**directives: str) -> str:
    """Return a Content Security Policy: each keyword is a directive, with underscores for hyphens."""
    return "; ".join(f"{name.replace('_', '-')} {value}" for name, value in directives.items())


COMMON_POLICY = {
    "default_src": "'none'",
    "connect_src": "'self'",  # covers the WebSocket of subscriptions
    "base_uri": "'none'",
    "form_action": "'none'",
    "frame_ancestors": "'none'",
}
"""The directives that every page has."""


def script(address: str) -> str:
    """Return the element that loads a module."""
    return f'<script type="module" src="{html.escape(address)}"></script>'


def stylesheet(address: str) -> str:
    """Return the element that loads a stylesheet."""
    return f'<link rel="stylesheet" href="{html.escape(address)}">'


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files that Vite made of a page's sources.

    Attributes:
        folder: the folder with `manifest.json` and `assets/`.
        entry: the source file that the page loads, as the manifest names it.
    """

    folder: Path
    entry: str

    @property
    def is_built(self) -> bool:
        """Whether the build has made the bundle."""
        return (self.folder / "manifest.json").is_file()

    @property
    def assets(self) -> Path:
        """The folder of the files that the browser loads."""
        return self.folder / "assets"

    def head(self, assets: str) -> str:
        """Return the elements that load the page's styles and its entry.

        Args:
            assets: the address of `Bundle.assets`, relative to the page.
        """
        manifest: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text())
        entry = manifest[self.entry]
        # Vite names files from the manifest's folder; the route serves `assets/` beneath it.
        styles = [stylesheet(f"{assets}/{Path(name).name}") for name in entry.get("css", [])]
        return "\n".join([*styles, script(f"{assets}/{Path(entry['file']).name}")])


def page_response(text: str, csp: str, *, vary: str | None = None) -> HTMLResponse:
    """Return a page with its headers.

    Args:
        text: the HTML.
        csp: its Content Security Policy.
        vary: the request headers that choose between the page and other answers of its address.
    """
    headers = {
        "Content-Security-Policy": csp,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(text, headers=headers if vary is None else {**headers, "Vary": vary})


class Assets(StaticFiles):
    """Static files with one Cache-Control."""

    def __init__(self, directory: Path, cache_control: str) -> None:
        super().__init__(directory=directory)
        self._cache_control = cache_control

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with its headers."""
        response = await super().get_response(path, scope)
        if response.status_code < 400:
            response.headers["Cache-Control"] = self._cache_control
        if tag := response.headers.get("ETag"):  # weak, since one file may be answered in several encodings
            response.headers["ETag"] = tag if tag.startswith("W/") else f"W/{tag}"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
