"""A page that uses the TypeScript client, in Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from graph.settings import Settings
from tests.support.access import served_with
from tests.support.browser import CHROMIUM_ARGUMENTS, chromium_program
from tests.support.cuts import Cuts, cuts_before
from tests.support.graphql_client import Client, serving
from tests.support.node_project import USER, run

PAGE = '<!doctype html><meta charset="utf-8"><div id="app"></div><script src="/page.js"></script>'
PATIENCE = 90_000
"""Milliseconds for a step of the browser, whose first one reads all of it from the disk."""


@asynccontextmanager
async def chat_page(
    settings: Settings, mongodb_uri: str, made: Path, source: str = "page.jsx"
) -> AsyncIterator[tuple[Page, Client, Cuts]]:
    """A page of another origin than the server's, which it reaches through a proxy."""
    run(["npx", "--no-install", "esbuild", source, "--bundle", "--jsx=automatic", f"--outfile={made}/page.js"], USER)
    routes = [Route("/", lambda _: HTMLResponse(PAGE)), Mount("/", StaticFiles(directory=made))]
    async with serving(Starlette(routes=routes)) as site, async_playwright() as playwright:
        origin = str(site.http.base_url).rstrip("/")
        async with served_with(settings, mongodb_uri, allowed_origins=(origin,)) as client:
            port = client.http.base_url.port
            assert port is not None
            async with cuts_before(port) as cuts:
                browser = await playwright.chromium.launch(
                    executable_path=chromium_program(), headless=True, args=CHROMIUM_ARGUMENTS
                )
                page = await (await browser.new_context()).new_page()
                page.set_default_timeout(PATIENCE)
                await page.goto(f"{origin}/?url={cuts.url}&session=s")
                yield page, client, cuts
                await browser.close()
