"""What a list of the console costs the browser while it is scrolled: pages that are read, elements, memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, Request

_FIRST = """
addEventListener("DOMContentLoaded", () => {
  new MutationObserver((_, observer) => {
    if (!document.querySelector("SELECTOR")) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.firstShown = performance.now(); }));
  }).observe(document, { subtree: true, childList: true });
});
"""
_SCROLL = "([list, pixels]) => document.querySelector(list).scrollBy(0, pixels)"
_ROWS = """
(list) => [...document.querySelectorAll(`${list} [data-item-index]`)].map((row) => Number(row.dataset.itemIndex))
"""


@dataclass(slots=True)
class Cost:
    """The cost of a list, after each step of scrolling.

    Attributes:
        ahead: rows that were read beyond the rows that were shown.
        elements: elements of the document.
        pages: pages that were read in all.
        moved: rows by which the list moved in the step, in its direction.
        heap: bytes of JavaScript objects in use, without garbage, at some of the steps.
    """

    ahead: list[int] = field(default_factory=list)
    elements: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)
    heap: list[int] = field(default_factory=list)


class ScrolledList:
    """A list of the console, which is scrolled step by step.

    Args:
        page: a page that was not opened yet.
        operation: the name of the query that reads a page of the list.
        size: the number of rows of a page.
        list_: the CSS selector of the list.
    """

    def __init__(self, page: Page, operation: str, size: int, list_: str = ".list") -> None:
        self._page = page
        self._operation = operation
        self._size = size
        self._list = list_
        self.read: list[dict[str, Any]] = []
        """The variables of the queries for pages."""
        page.on("request", self._note)
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("HeapProfiler.enable")

    def _note(self, request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/graphql"):
            body = json.loads(request.post_data or "{}")
            if re.match(rf"\s*query {self._operation}\b", body.get("query", "")):
                self.read.append(body["variables"])

    def first_shown(self, address: str, selector: str) -> float:
        """Open an address, and return the milliseconds until an element is painted."""
        self._page.add_init_script(_FIRST.replace("SELECTOR", selector))
        self._page.goto(address)
        # The page's policy forbids `wait_for_function`.
        while (milliseconds := self._page.evaluate("window.firstShown ?? null")) is None:
            self._page.wait_for_timeout(20)
        return float(milliseconds)

    def shown(self) -> list[int]:
        """Return the numbers of the rows in the document, which a row keeps."""
        rows: list[int] = self._page.evaluate(_ROWS, self._list)
        return rows

    def heap(self) -> int:
        """Return the bytes of JavaScript objects in use, without garbage."""
        self._devtools.send("HeapProfiler.collectGarbage")
        return int(self._devtools.send("Runtime.getHeapUsage")["usedSize"])

    def scroll(self, steps: int, pixels: int, *, down: bool, heap_every: int = 0) -> Cost:
        """Scroll from an end of the list.

        Args:
            steps: the number of steps.
            pixels: pixels of a step.
            down: whether from the first row on; otherwise up, from the last one.
            heap_every: the number of steps after which the memory is measured; 0 for never.
        """
        while not (rows := self.shown()):
            self._page.wait_for_timeout(20)
        cost, before = Cost(), len(self.read)
        far: Callable[[list[int]], int] = max if down else min
        start = furthest = (min if down else max)(rows)
        for step in range(steps):
            edge = far(rows)
            # By a script: a wheel that came to an end stays there for Chromium, though the list has grown.
            self._page.evaluate(_SCROLL, [self._list, pixels if down else -pixels])
            self._page.wait_for_timeout(60)
            rows = self.shown() or rows
            furthest = far([furthest, *rows])
            further = [one for one in self.read[before:] if one.get("after") or one.get("before")]
            pages = 1 + len(further)  # without the newest page, which is read again when something changes
            cost.ahead.append(pages * self._size - abs(furthest - start) - 1)
            cost.pages.append(pages)
            cost.moved.append(far(rows) - edge if down else edge - far(rows))
            cost.elements.append(int(self._page.evaluate("document.querySelectorAll('*').length")))
            if heap_every and step % heap_every == 0:
                cost.heap.append(self.heap())
        return cost
