"""The programs in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.paths import ROOT


def extract(document: str, language: str, folder: Path) -> list[Path]:
    """Write the named blocks of a document's language into a folder; the files.

    A block is named after its language: "```python openai_chat.py".
    """
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language} (\S+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert blocks, f"{document} has no block of {language}"
    files = []
    for name, block in blocks:
        file = folder / name
        file.write_text(block, encoding="utf-8")
        files.append(file)
    return files
