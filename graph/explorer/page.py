"""The page and the routes of its assets, from the bundle when there is one, else with GraphiQL from a CDN."""

import base64
import functools
import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Literal

from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Mount

from graph.bundle import COMMON_POLICY, IMMUTABLE, Assets, Bundle, page_response, policy, script, stylesheet
from graph.explorer.examples import EXAMPLES

Source = Literal["bundle", "cdn"]

_HERE = Path(__file__).parent
_BUNDLE = Bundle(_HERE / "static", "src/bundle.js")
_SOURCES = _HERE / "web"
_CDN = "https://esm.sh"
_PATH = "/graphql"
_ASSETS = "graphql/assets"
"""Relative to the page, so that it works behind any prefix that a proxy adds."""


# Monaco, GraphiQL's editor, sets inline styles throughout and runs its language services in workers; it evaluates no
# code.
EXPLORER_CSP = policy(
    **COMMON_POLICY,
    script_src="'self'",
    worker_src="'self'",
    style_src="'self' 'unsafe-inline'",
    font_src="'self' data:",
    img_src="'self' data:",
)


@functools.cache
def _versions() -> dict[str, str]:
    """The pinned version of each npm package: `web/package.json` is where they are kept."""
    versions: dict[str, str] = json.loads((_SOURCES / "package.json").read_text())["dependencies"]
    return versions


def _cdn_imports() -> dict[str, str]:
    """The import map: the address of each module that the unbundled sources import.

    `standalone` packs a package with all its dependencies but those named in `external`, which must be there once only.
    """
    versions = _versions()
    at = {name: f"{_CDN}/{name}@{version}" for name, version in versions.items()}
    deps = ",".join(f"{name}@{versions[name]}" for name in ("monaco-editor", "graphql"))
    return {
        "react": at["react"],
        "react/": at["react"] + "/",
        "react-dom": at["react-dom"],
        "react-dom/": at["react-dom"] + "/",
        "graphql": at["graphql"],
        "graphql-ws": at["graphql-ws"] + "?standalone&external=graphql",
        "graphiql": at["graphiql"] + "?standalone&external=react,react-dom,@graphiql/react,graphql",
        "@graphiql/react": at["@graphiql/react"]
        + "?standalone&external=react,react-dom,graphql,@graphiql/toolkit,@emotion/is-prop-valid",
        "@emotion/is-prop-valid": f"./{_ASSETS}/empty.js",
        "@graphiql/toolkit": at["@graphiql/toolkit"] + "?standalone&external=graphql",
        "monaco-editor/editor.worker": at["monaco-editor"] + "/esm/vs/editor/editor.worker.js?worker",
        "monaco-editor/json.worker": at["monaco-editor"] + "/esm/vs/language/json/json.worker.js?worker",
        "monaco-graphql/graphql.worker": at["monaco-graphql"] + f"/esm/graphql.worker.js?worker&deps={deps}",
    }


def _json(value: object, **options: Any) -> str:
    """JSON that is safe inside a script element."""
    return json.dumps(value, **options).replace("<", "\\u003c")


_IMPORT_MAP = _json({"imports": _cdn_imports()}, indent=2)
_IMPORT_MAP_HASH = base64.b64encode(hashlib.sha256(_IMPORT_MAP.encode()).digest()).decode()

EXPLORER_CDN_CSP = policy(
    **COMMON_POLICY,
    # The import map is the one inline script; the CDN's workers are blobs that import from it.
    script_src=f"'self' {_CDN} 'sha256-{_IMPORT_MAP_HASH}'",
    worker_src="'self' blob:",
    style_src=f"'self' 'unsafe-inline' {_CDN}",
    font_src=f"'self' data: {_CDN}",
    img_src="'self' data:",
)


@dataclass(frozen=True, slots=True)
class _Page:
    assets: Path
    cache_control: str
    csp: str
    head: str
    notice: str = ""


@functools.cache
def _page(source: Source) -> _Page:
    if source == "bundle":
        return _Page(assets=_BUNDLE.assets, cache_control=IMMUTABLE, csp=EXPLORER_CSP, head=_BUNDLE.head(_ASSETS))
    return _Page(
        assets=_SOURCES / "src",
        cache_control="no-cache",
        csp=EXPLORER_CDN_CSP,
        head="\n".join(
            [
                stylesheet(f"{_CDN}/graphiql@{_versions()['graphiql']}/dist/style.css"),
                f'<script type="importmap">{_IMPORT_MAP}</script>',
                script(f"{_ASSETS}/cdn.js"),
            ]
        ),
        notice="<p>This installation was built without npm, so your browser loads GraphiQL from esm.sh. "
        "Where that can't be reached, install again with npm on the PATH, or send queries to this address "
        "with any GraphQL client.</p>",
    )


def explorer_is_bundled() -> bool:
    """Whether the explorer's assets came with this installation, so that the browser asks no other host."""
    return _BUNDLE.is_built


def _default_source() -> Source:
    return "bundle" if explorer_is_bundled() else "cdn"


def explorer_html(*, session_id: str | None = None, source: Source | None = None, console: bool = True) -> str:
    """The page, whose tabs hold the worked example.

    Args:
        session_id: The example's session. Left out, each view gets its own, so that visitors keep out of each other's.
        source: Where GraphiQL comes from: by default the bundle if there is one, else the CDN.
        console: Whether the page has a link to the console.
    """
    session_id = session_id or f"octavia-{secrets.token_hex(3)}"
    tabs = [
        {"query": example.query, "variables": json.dumps(example.variables(session_id), indent=2, ensure_ascii=False)}
        for example in EXAMPLES
    ]
    page = _page(source or _default_source())
    template = Template((_HERE / "page.html").read_text(encoding="utf-8"))
    return template.substitute(head=page.head, notice=page.notice, config=_json({"tabs": tabs, "console": console}))


def explorer_response(*, source: Source | None = None, console: bool = True) -> HTMLResponse:
    """The page with the headers it needs: its content security policy, and that it shares its address with queries."""
    source = source or _default_source()
    return page_response(explorer_html(source=source, console=console), _page(source).csp, vary="Accept")


def explorer_routes(*, source: Source | None = None) -> list[BaseRoute]:
    """The routes of the page's assets. They must come before a mount of the GraphQL path itself, if there is one."""
    page = _page(source or _default_source())
    return [Mount(f"{_PATH}/assets", app=Assets(page.assets, page.cache_control), name="explorer-assets")]
