"""Installs the tools of all tests, each in an environment of its own: `python -m tests.support.installed`.

A test installs its tools itself where they are missing; here, they are installed while other checks run.
"""

from __future__ import annotations

from tests.support import mcp_tools, node_project, python_tools
from tests.support.zep_clients.environments import node_with_zep, python_with_zep


def install_all() -> None:
    for home in (python_tools.FRAMEWORKS, python_tools.MEM0, python_tools.HOME):
        python_tools.tool_python(home)
    for home in (node_project.NODE, node_project.PACKAGE, node_project.USER, mcp_tools.HOME):
        node_project.install(home)
    node_with_zep()
    python_with_zep()


if __name__ == "__main__":
    install_all()
