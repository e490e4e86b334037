"""Bundles the GraphiQL page into the wheel, when npm is at hand.

Without npm, or when the bundle can't be built, the wheel is built all the same: the page then loads GraphiQL from a
CDN. Set RECALLQL_BUILD_EXPLORER=0 to leave the bundle as it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_TIMEOUT = 600  # seconds, for each of npm's steps
_INSTALL = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=60000"]
_BUILD = ["run", "build"]


class ExplorerHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds `graph/explorer/web` into `graph/explorer/static`, for wheels and editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by hatchling before it collects files."""
        if self.target_name != "wheel":
            return
        explorer = Path(self.root) / "graph" / "explorer"
        sources, bundle = explorer / "web", explorer / "static"
        if os.environ.get("RECALLQL_BUILD_EXPLORER", "1") == "0":
            return
        fingerprint = _fingerprint(sources)
        stamp = bundle / "sources.sha256"
        if stamp.is_file() and stamp.read_text().strip() == fingerprint:
            return
        # A bundle of other sources would go stale unseen.
        shutil.rmtree(bundle, ignore_errors=True)
        npm = shutil.which("npm")
        if npm is None:
            self._warn("npm is not on the PATH")
            return
        self.app.display_info("Bundling the GraphiQL explorer with npm (about half a minute)")
        try:
            _build(npm, sources, bundle)
            stamp.write_text(fingerprint + "\n")
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(bundle, ignore_errors=True)
            output = getattr(error, "output", None) or ""
            # npm says what is wrong first, Vite last.
            shown = output if len(output) < 2000 else f"{output[:1000]}\n…\n{output[-1000:]}"
            self._warn(f"bundling it failed: {error}\n{shown}")

    def _warn(self, why: str) -> None:
        self.app.display_warning(
            f"The GraphiQL explorer is not bundled: {why}\n"
            "Its page will load GraphiQL from https://esm.sh. To have it served by RecallQL alone, "
            "install Node.js 20.19 or later with npm, and build again."
        )


def _source_files(sources: Path) -> list[Path]:
    return sorted([*(sources / "src").rglob("*.js"), *(path for path in sources.iterdir() if path.is_file())])


def _fingerprint(sources: Path) -> str:
    digest = hashlib.sha256()
    for path in _source_files(sources):
        digest.update(f"{path.relative_to(sources).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _build(npm: str, sources: Path, bundle: Path) -> None:
    """Build in a scratch folder, so that neither node_modules nor half a bundle is ever left in the source tree."""
    with tempfile.TemporaryDirectory(prefix="recallql-explorer-") as scratch:
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
