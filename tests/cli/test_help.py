from __future__ import annotations

import pkgutil
import subprocess
import sys

import typer

from graph.cli import commands
from graph.cli.main import app

SLOW_TO_IMPORT = {"motor", "pymongo", "spacy", "numpy", "strawberry", "graphql", "httpx", "tiktoken", "uvicorn"}


def test_each_command_has_a_module_of_its_own() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    modules = {module.name.rstrip("_").replace("_", "-") for module in pkgutil.iter_modules(commands.__path__)}
    assert set(group.commands) == modules


def test_the_help_names_each_public_command_and_imports_no_library_that_takes_long() -> None:
    script = (
        "import sys; from graph.cli.main import app; app(['--help'], standalone_mode=False); print('=', *sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    shown, _, loaded = printed.partition("= ")
    for name in ("doctor", "enrich", "export", "import", "import-zep", "key", "schema", "serve", "worker"):
        assert f" {name} " in shown
    assert not SLOW_TO_IMPORT & set(loaded.split())
