"""The parents and the siblings of messages in the trees of their sessions, for many messages at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple, cast

from graph.store.database import Database
from graph.store.documents import Document, MessageDocument, SessionDocument
from graph.store.reading.overviews import of_each
from graph.store.tree.branches import ROOT, Place, Tree, place_of, stored_branch
from graph.store.visible import Visible

_PLACE = {"seq": 1, "branch": 1}


class Asked(NamedTuple):
    """A message, read with `MESSAGE_FIELDS`, and its session, read with `SESSION_FIELDS`."""

    message: MessageDocument
    session: SessionDocument


MESSAGE_FIELDS = ("_id", "sessionId", "seq", "branch")
SESSION_FIELDS = Visible.HEAD_FIELDS


class _Start(NamedTuple):
    """A place after which a branch is read."""

    session_id: str
    place: Place


async def parents(database: Database, asked: Collection[Asked]) -> dict[str, MessageDocument]:
    """Return the message before each message on its path, with `seq` and `branch`, by the message's uuid.

    The first message of a path has no parent.
    """
    found = await of_each(database, [_before(one) for one in asked])
    return {message.pop("of"): cast("MessageDocument", message) for message in found}


def _before(asked: Asked) -> list[Document]:
    message, session = asked
    visible = Visible.of(session).on_path(Tree.of(session), place_of(message))
    return [
        {"$match": visible.match("seq", message["seq"] - 1)},
        {"$sort": {"seq": -1}},
        {"$limit": 1},
        {"$project": {**_PLACE, "of": {"$literal": message["_id"]}}},
    ]


async def siblings(database: Database, asked: Sequence[Asked]) -> dict[str, list[str]]:
    """Return the uuids of the messages with the same parent as each message, itself included, in the order of `seq`.

    In a session whose messages form one line, each message is the only one.
    """
    found = {one.message["_id"]: [one.message["_id"]] for one in asked}
    in_trees = [one for one in asked if Tree.of(one.session) is not None]
    if not in_trees:
        return found
    before = await parents(database, in_trees)
    starts = {
        one.message["_id"]: _Start(
            one.session["_id"], place_of(parent) if (parent := before.get(one.message["_id"])) is not None else ROOT
        )
        for one in in_trees
    }
    children = await _children(database, {one.session["_id"]: one.session for one in in_trees}, set(starts.values()))
    return found | {uuid: children[start] for uuid, start in starts.items()}


async def _children(
    database: Database, sessions: dict[str, SessionDocument], parents_: Collection[_Start]
) -> dict[_Start, list[str]]:
    """Return the uuids of the messages that follow each parent.

    These are the next message of the parent's branch, and the first ones of the branches that begin between the two. A
    branch whose first messages are deleted has its next one there, and so have the branches that begin before that.
    """
    trees = {session_id: tree for session_id, session in sessions.items() if (tree := Tree.of(session)) is not None}
    found: defaultdict[_Start, list[tuple[int, str]]] = defaultdict(list)
    open_ = {(parent, parent) for parent in parents_}
    while open_:
        wanted = {start for _, start in open_}
        pipelines = [_first_after(trees[start.session_id], sessions[start.session_id], start) for start in wanted]
        first = {
            _Start(one["sessionId"], Place(*one["of"])): (one["seq"], one["_id"])
            for one in await of_each(database, pipelines)
        }
        following: set[tuple[_Start, _Start]] = set()
        for parent, start in open_:
            if start in first:
                found[parent].append(first[start])
            until = first[start][0] if start in first else None
            following |= {
                (parent, _Start(start.session_id, begins))
                for begins in trees[start.session_id].begun_after(start.place, until)
            }
        open_ = following
    return {parent: [uuid for _, uuid in sorted(found[parent])] for parent in parents_}


def _first_after(tree: Tree, session: SessionDocument, start: _Start) -> list[Document]:
    """Return the pipeline of the first message of a branch after a place."""
    branch, seq = start.place
    begun = tree.branches[branch]
    match = Visible.of(session).beyond(max(seq, begun["first"] - 1)).match("seq", begun["last"])
    return [
        {"$match": {**match, "branch": stored_branch(branch)}},
        {"$sort": {"seq": 1}},
        {"$limit": 1},
        {"$project": {"sessionId": 1, "seq": 1, "of": {"$literal": [branch, seq]}}},
    ]
