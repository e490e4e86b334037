"""Stores memories with mem0, whose embedder asks the server that its configuration names: `filled.py mem0.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mem0 import Memory

memory = Memory.from_config(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
memory.add("I like pizza with mushrooms, é", user_id="ada", infer=False, metadata={"kind": "food"})
memory.add("I jog each morning", user_id="ada", agent_id="coach", infer=False, expiration_date="2999-12-31")
memory.add("I play chess", user_id="ada", infer=False, expiration_date="2001-01-01")
memory.add("I like soup", user_id="bob", infer=False)
for number in range(120):
    memory.add(f"Errand {number}", user_id="ada", infer=False)
