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
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import TransferError
from graph.settings import Settings
from graph.store.tree.branches import MOST_BRANCHES, Place, Tree
from graph.transfer.branches import Branches
from graph.transfer.chatgpt import read_conversations, records_of
from tests.support.graphql_client import ADD, Client
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
{ sessions(first: 10) { edges { node { sessionId title createdAt user { userId } metadata head { uuid }
    messages(first: 10) { edges { node { uuid } } }
    all: messages(first: 10, branch: ALL) { edges { node {
      uuid parentUuid role content parts createdAt metadata siblings { uuid } } } } } } } }
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


async def test_a_conversation_becomes_a_session_with_its_branches(
    client: Client, settings: Settings, mongodb_uri: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "conversations.json", TREE)
    run = partial(import_chatgpt, str(file), "--user", "ada", settings=settings, mongodb_uri=mongodb_uri)
    first = await anyio.to_thread.run_sync(run)
    assert first == "imported 1 users, 1 sessions and 4 messages\n"
    assert "1 sessions were stored already" in await anyio.to_thread.run_sync(run)
    (talk,) = [edge["node"] for edge in (await client.data(SESSIONS))["sessions"]["edges"]]
    assert (talk["sessionId"], talk["title"], talk["user"]["userId"]) == ("talk", "Harbours", "ada")
    assert talk["createdAt"] == "2023-11-14T22:13:20.250Z"
    assert talk["metadata"]["chatgpt"] == {"conversationId": "talk"}
    assert talk["head"]["uuid"] == uuid_of(4)
    assert [edge["node"]["uuid"] for edge in talk["messages"]["edges"]] == [uuid_of(1), uuid_of(3), uuid_of(4)]
    said = [edge["node"] for edge in talk["all"]["edges"]]
    assert [(one["uuid"], one["parentUuid"], one["role"], one["content"]) for one in said] == [
        (uuid_of(1), None, "user", "When does the harbour open?"),
        (uuid_of(2), uuid_of(1), "assistant", "At eight."),
        (uuid_of(3), uuid_of(1), "assistant", "At nine."),
        (uuid_of(4), uuid_of(3), "user", "And now?"),
    ]
    assert [sibling["uuid"] for sibling in said[1]["siblings"]] == [uuid_of(2), uuid_of(3)]
    assert said[1]["metadata"]["chatgpt"]["model"] == "m-1"
    assert said[2]["createdAt"] == "2023-11-14T22:13:22.250Z"
    assert [part["type"] for part in said[3]["parts"]] == ["image", "text"]
    assert said[3]["parts"][0]["asset_pointer"] == "file://1"
    # The next message comes after the head, as in the conversation.
    added = await client.data(ADD, input={"sessionId": "talk", "messages": [{"role": "assistant", "content": "Open."}]})
    assert added["addMemory"]["session"]["messageCount"] == 5
    (talk,) = [edge["node"] for edge in (await client.data(SESSIONS))["sessions"]["edges"]]
    assert [edge["node"]["uuid"] for edge in talk["messages"]["edges"]][:3] == [uuid_of(1), uuid_of(3), uuid_of(4)]
    assert len(talk["messages"]["edges"]) == 4


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    """A conversation with any tree and any times; some nodes have no contents."""
    nodes: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 12))):
        parent = None if not number else draw(st.sampled_from([*range(number), None]))
        parts = draw(st.sampled_from([(), ("",), (f"text {number}",), (f"text {number}",)]))
        time = draw(st.sampled_from([None, *(START + second for second in range(4))]))
        above = None if parent is None else uuid_of(parent)
        nodes.append(node(uuid_of(number), above, "user", *parts, create_time=time))
    return conversation(*draw(st.permutations(nodes)), current=draw(st.sampled_from([None, *(n["id"] for n in nodes)])))


@given(conversations())
def test_each_message_keeps_those_before_it_and_the_current_one_is_the_head(sent: dict[str, Any]) -> None:
    nodes = sent["mapping"]

    def said_until(node_id: str | None) -> list[str]:
        before = [] if node_id is None else said_until(nodes[node_id]["parent"])
        is_said = node_id is not None and nodes[node_id]["message"] and nodes[node_id]["message"]["content"]["parts"][0]
        return [*before, node_id] if is_said and node_id is not None else before

    _, *records = records_of([sent], None)
    if not any(said_until(node_id) for node_id in nodes):
        assert records == []
        return
    session, *messages = records
    seqs = {record["uuid"]: seq for seq, record in enumerate(messages, 1)}
    assert seqs.keys() == {said[-1] for node_id in nodes if (said := said_until(node_id))}
    tree = Tree.of(session) or Tree.line(len(messages), len(messages))
    checked = Branches("talk")
    checked.begin(session, 1)

    def along(place: Place | None) -> list[str]:
        ranges = tree.path(place)
        of = [(uuid, Place(record.get("branch", 0), seqs[uuid])) for record in messages for uuid in [record["uuid"]]]
        return [uuid for uuid, at in of if any(part.holds(at) for part in ranges)]

    for record in messages:
        checked.check(record, 1)
        assert along(Place(record.get("branch", 0), seqs[record["uuid"]])) == said_until(record["uuid"])
    if sent["current_node"] is not None:
        assert along(None) == said_until(sent["current_node"])


def test_too_many_branches_are_refused_in_one_line() -> None:
    nodes = [node(uuid_of(number), uuid_of(0) if number else None, "user", "x") for number in range(MOST_BRANCHES + 2)]
    with pytest.raises(TransferError, match="conversation 1 has more than 1,000 branches"):
        list(records_of([conversation(*nodes)], None))


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
