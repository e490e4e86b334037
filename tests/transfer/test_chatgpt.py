"""Imports of the data export of ChatGPT, by the command."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from graph.errors import TransferError
from graph.settings import Settings
from graph.transfer.chatgpt import read_conversations, records_of
from tests.support.graphql_client import Client
from tests.support.server_process import clean_environment

ROOT_ID = "aaaaaaaa-0000-4000-8000-000000000000"
START = 1_700_000_000.25


def node(node_id: str, parent: str | None, role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    """A node of the tree, with a message unless there are no parts."""
    message = None
    if parts:
        kind = "text" if all(isinstance(part, str) for part in parts) else "multimodal_text"
        message = {
            "id": node_id,
            "author": {"role": role, "name": more.pop("name", None), "metadata": {}},
            "create_time": more.pop("create_time", START),
            "content": {"content_type": kind, "parts": list(parts)},
            "metadata": more,
        }
    return {"id": node_id, "message": message, "parent": parent, "children": []}


def conversation(*nodes: dict[str, Any], current: str | None = None) -> dict[str, Any]:
    mapping = {one["id"]: one for one in nodes}
    for one in nodes:
        if one["parent"] is not None:
            mapping[one["parent"]]["children"].append(one["id"])
    return {
        "conversation_id": "talk",
        "title": "Harbours",
        "create_time": START,
        "update_time": START + 60,
        "mapping": mapping,
        "current_node": current,
    }


def uuid_of(number: int) -> str:
    return f"bbbbbbbb-0000-4000-8000-{number:012}"


PICTURE = {"content_type": "image_asset_pointer", "asset_pointer": "file://1"}
TREE = conversation(
    node(ROOT_ID, None, "system"),
    node(uuid_of(0), ROOT_ID, "system", ""),
    node(uuid_of(1), uuid_of(0), "user", "When does the harbour open?"),
    node(uuid_of(2), uuid_of(1), "assistant", "At eight.", model_slug="m-1", create_time=START + 1),
    node(uuid_of(3), uuid_of(1), "assistant", "At nine.", create_time=START + 2),
    node(
        uuid_of(4), uuid_of(3), "user", {"content_type": "image_asset_pointer", "asset_pointer": "file://1"}, "And now?"
    ),
    current=uuid_of(4),
)

SESSIONS = """
{ sessions(first: 10) { edges { node { sessionId title createdAt user { userId } metadata
    messages(first: 10) { edges { node { uuid role content parts createdAt metadata } } } } } } }
"""


def write(path: Path, *conversations: dict[str, Any]) -> Path:
    path.write_text(json.dumps(conversations))
    return path


def import_chatgpt(*arguments: str, settings: Settings, mongodb_uri: str) -> str:
    """Run the command; return what it prints to standard error."""
    stored_in = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database}
    command = [sys.executable, "-m", "graph", "import-chatgpt", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**clean_environment(), **stored_in}
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


async def test_a_conversation_becomes_a_session_and_forks(
    client: Client, settings: Settings, mongodb_uri: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "conversations.json", TREE)
    run = partial(import_chatgpt, str(file), "--user", "ada", settings=settings, mongodb_uri=mongodb_uri)
    first = await anyio.to_thread.run_sync(run)
    assert first == "imported 1 users, 2 sessions and 5 messages\n"
    assert "2 sessions were stored already" in await anyio.to_thread.run_sync(run)
    found = [edge["node"] for edge in (await client.data(SESSIONS))["sessions"]["edges"]]
    sessions = {one["sessionId"]: one for one in found}
    assert sessions.keys() == {"talk", "talk/fork-1"}
    talk, fork = sessions["talk"], sessions["talk/fork-1"]
    assert (talk["title"], talk["user"]["userId"]) == ("Harbours", "ada")
    assert talk["createdAt"] == "2023-11-14T22:13:20.250Z"
    said = [edge["node"] for edge in talk["messages"]["edges"]]
    assert [(one["uuid"], one["role"], one["content"]) for one in said] == [
        (uuid_of(1), "user", "When does the harbour open?"),
        (uuid_of(3), "assistant", "At nine."),
        (uuid_of(4), "user", "And now?"),
    ]
    assert said[1]["createdAt"] == "2023-11-14T22:13:22.250Z"
    assert [part["type"] for part in said[2]["parts"]] == ["image", "text"]
    assert said[2]["parts"][0]["asset_pointer"] == "file://1"
    other = [edge["node"] for edge in fork["messages"]["edges"]]
    assert [one["content"] for one in other] == ["When does the harbour open?", "At eight."]
    assert other[1]["metadata"]["chatgpt"]["model"] == "m-1"
    assert fork["metadata"]["chatgpt"] == {"conversationId": "talk", "forkOf": "talk"}
    assert not {one["uuid"] for one in said} & {one["uuid"] for one in other}


def test_the_archive_is_read(tmp_path: Path) -> None:
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("conversations.json", json.dumps([TREE]))
        written.writestr("user.json", "{}")
    assert read_conversations(archive) == json.loads(json.dumps([TREE]))


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", "\xff"])
def test_another_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "conversations.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(TransferError, match="no export of ChatGPT") as refused:
        read_conversations(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"mapping": [], "id": "a"},
        {"id": "a", "mapping": {"x": {"parent": None, "message": {"content": {"parts": ["a"]}}}}},
        {"id": "a", "mapping": {"x": {"parent": "y", "children": []}, "y": {"parent": "x", "children": ["x"]}}},
        {**TREE, "create_time": 1e300},
    ],
)
def test_another_shape_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(TransferError, match="conversation 2 is not as ChatGPT exports them"):
        list(records_of([TREE, broken], None))


def test_a_conversation_without_messages_is_left_out() -> None:
    empty = conversation(node(ROOT_ID, None, "system"))
    assert list(records_of([empty], None))[1:] == []
