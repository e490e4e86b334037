"""Bundles the web pages, the GraphiQL explorer and the console, into the wheel when npm is on the PATH.

Without npm, or when a bundle can't be built, the wheel is built all the same: the explorer then loads GraphiQL from a
CDN, and the console says how to get it. Set RECALLQL_BUILD_PAGES=0 to leave the bundles as they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_TIMEOUT = 600  # seconds, for each of npm's steps
_INSTALL = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=60000"]
_BUILD = ["run", "build"]


class Page(NamedTuple):
    """A page to bundle.

    Attributes:
        name: its package, `graph/NAME`, with the sources in `web`; the bundle goes to `static`.
        without: what an installation without the bundle lacks.
    """

    name: str
    without: str


PAGES = (
    Page("explorer", "the explorer loads GraphiQL from https://esm.sh"),
    Page("console", "there is no console"),
)


class PagesHook(BuildHookInterface):  # type: ignore[type-arg]
    """Bundles each page of `PAGES`, for wheels and editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by hatchling before it collects files."""
        if self.target_name != "wheel" or os.environ.get("RECALLQL_BUILD_PAGES", "1") == "0":
            return
        for page in PAGES:
            self._bundle(page)

    def _bundle(self, page: Page) -> None:
        folder = Path(self.root) / "graph" / page.name
        sources, bundle = folder / "web", folder / "static"
        fingerprint = _fingerprint(sources)
        stamp = bundle / "sources.sha256"
        if stamp.is_file() and stamp.read_text().strip() == fingerprint:
            return
        # A bundle of other sources would go stale unseen.
        shutil.rmtree(bundle, ignore_errors=True)
        npm = shutil.which("npm")
        if npm is None:
            self._warn(page, "npm is not on the PATH")
            return
        self.app.display_info(f"Bundling the {page.name} with npm (about half a minute)")
        try:
            _build(npm, sources, bundle)
            stamp.write_text(fingerprint + "\n")
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(bundle, ignore_errors=True)
            output = getattr(error, "output", None) or ""
            # npm says what is wrong first, Vite last.
            shown = output if len(output) < 2000 else f"{output[:1000]}\n…\n{output[-1000:]}"
            self._warn(page, f"bundling it failed: {error}\n{shown}")

    def _warn(self, page: Page, why: str) -> None:
        self.app.display_warning(
            f"The {page.name} is not bundled: {why}\n"
            f"Without it, {page.without}. Install Node.js 20.19 or later with npm, and build again."
        )


def _source_files(sources: Path) -> list[Path]:
    below = [path for path in (sources / "src").rglob("*") if path.is_file()]
    return sorted([*below, *(path for path in sources.iterdir() if path.is_file())])


def _fingerprint(sources: Path) -> str:
    digest = hashlib.sha256()
    for path in _source_files(sources):
        digest.update(f"{path.relative_to(sources).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _build(npm: str, sources: Path, bundle: Path) -> None:
    """Build in a scratch folder, so that neither node_modules nor half a bundle is ever left in the source tree."""
    with tempfile.TemporaryDirectory(prefix="recallql-page-") as scratch:
        web = Path(scratch) / "web"
        for path in _source_files(sources):
            copy = web / path.relative_to(sources)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for arguments in (_INSTALL, _BUILD):
            _run([npm, *arguments], web)
        shutil.copytree(Path(scratch) / "static", bundle)


def _run(command: list[str], folder: Path) -> None:
    """Run npm, and end all that it started if it takes too long."""
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"NO_COLOR": "1"},
    ) as process:
        try:
            output, _ = process.communicate(timeout=_TIMEOUT)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
