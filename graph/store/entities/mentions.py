"""The sums of the messages' mentions: the arithmetic of the `entities` collection.

One document is an entity of a session or a user. The transaction that changes messages updates the document, so that
its counts are always exact, from the changed messages, never from the whole session.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, NotRequired, TypeAlias, TypedDict

from graph.store.database import Database
from graph.store.documents import EntityDocument, MentioningMessage, SessionDocument, mention_count
from graph.store.driver.types import DeleteOne, ReplaceOne, Transaction, UpdateOne
from graph.store.entities.documents import EntityCountDocument, MentionPlace
from graph.store.entities.names import resolve_aliases
from graph.store.entities.owners import entity_id, rank, session_owner
from graph.store.entities.user_mentions import Moved, follow, load
from graph.store.reading.projection import projection
from graph.store.visible import Visible

Change: TypeAlias = tuple[MentioningMessage | None, MentioningMessage | None]
"""A message before and after, with `_id`, `sessionId`, `seq`, `createdAt` and `entities`; None where absent."""

_ALIASED = "PERSON"  # the one label of which short names are resolved


@dataclass(slots=True)
class _Difference:
    """The difference that one transaction makes to one entity of a session."""

    count: int = 0
    messages: set[str] = field(default_factory=set)
    before: set[int] = field(default_factory=set)  # `seq` of the changed messages that mentioned it
    after: list[MentionPlace] = field(default_factory=list)  # where the changed messages mention it now: `_place`


def _place(message: MentioningMessage, entity: EntityDocument) -> MentionPlace:
    return {"seq": message["seq"], "at": message["createdAt"], "name": entity["name"]}


def _differences(changes: Iterable[Change]) -> dict[str, dict[str, _Difference]]:
    """Return the differences of the changes, by session and entity."""
    found: defaultdict[str, dict[str, _Difference]] = defaultdict(dict)
    for old, new in changes:
        for message, sign in ((old, -1), (new, 1)):
            if message is None:
                continue
            for entity in message["entities"]:
                difference = found[message["sessionId"]].setdefault(entity["key"], _Difference())
                difference.count += sign * mention_count(entity)
                difference.messages.add(message["_id"])
                if sign > 0:
                    difference.after.append(_place(message, entity))
                else:
                    difference.before.add(message["seq"])
    return found


async def replace_all(database: Database, changes: Iterable[Change], tx: Transaction) -> None:
    """Update the sessions' and users' entities after changes of messages, within the transaction of these changes."""
    by_session = _differences(changes)
    if not by_session:
        return
    owners: dict[str, SessionDocument] = {
        found["_id"]: found
        for found in await database.sessions.find(
            {"_id": {"$in": list(by_session)}}, projection({"userId", *Visible.FIELDS}), session=tx
        )
    }
    # A deleted session has no entities, and does not count for its user.
    live = {session_id: found for session_id, found in by_session.items() if session_id in owners}
    before = await load(
        database, ((session_owner(session_id), key) for session_id in live for key in live[session_id]), tx
    )
    changed: dict[str, list[_Pair]] = {}
    moved: defaultdict[str, list[Moved]] = defaultdict(list)
    renaming: set[str] = set()
    for session_id, differences in live.items():
        owner, user_id = session_owner(session_id), owners[session_id].get("userId")
        visible = Visible.of(owners[session_id])
        pairs = changed[owner] = []
        for key, difference in differences.items():
            old = before.get(entity_id(owner, key))
            # An entity that only erased messages mention may still exist, and counts for the user until its erasure.
            own = None if old is None or not _is_visible(old, visible) else old
            if own is None and key.startswith(f"{_ALIASED}:"):
                renaming.add(owner)
            new = await _apply(database, visible, key, own, difference, tx=tx)
            if new is not None and user_id is not None:
                new["userId"] = user_id
            pairs.append((old, new))
            if user_id is not None:
                # An entity before its handover does not count for the user.
                counted = old if old is not None and "userId" in old else None
                moved[user_id].append((session_id, counted, new))
    if not changed:
        return
    renaming |= {owner for owner, pairs in changed.items() if _renames(pairs)}
    parts = {session_owner(session_id): Visible.of(owners[session_id]) for session_id in live}
    people = {
        owner: [person for person in found if _is_visible(person, parts[owner])]
        for owner, found in (await _people_of(database, list(renaming), tx)).items()
    }
    writes = [lock(session_owner(session_id), session_id) for session_id in live]
    for owner, pairs in changed.items():
        writes += _writes(owner, pairs, people.get(owner))
    await database.entities.bulk_write(writes, ordered=False, session=tx)
    await follow(database, moved, tx)


async def replace_mentions(
    database: Database, old: MentioningMessage | None, new: MentioningMessage | None, tx: Transaction
) -> None:
    """Update the entities of a message's session and user after a change of the message, within its transaction.

    Args:
        database: the open database.
        old: the message before, with `_id`, `sessionId`, `seq`, `createdAt` and `entities`; None for a new one.
        new: the message after; None when it is deleted.
        tx: the transaction.
    """
    await replace_all(database, [(old, new)], tx)


def of_new_session(session_id: str, messages: Iterable[MentioningMessage]) -> list[Any]:
    """The writes that store the entities of a session which has no others, in any order and number of transactions."""
    found = _differences((None, message) for message in messages).get(session_id, {})
    new = [_entity(session_id, key, entity.count, entity.after) for key, entity in found.items()]
    return _writes(session_owner(session_id), [(None, entity) for entity in new], [])


class Counted(NamedTuple):
    """The mentions of an entity in some messages of a session."""

    key: str
    mentions: int
    first: MentionPlace
    last: MentionPlace


def listed(session_id: str, counted: Iterable[Counted]) -> list[EntityCountDocument]:
    """Return the entities of some messages of a session, as `of_new_session` stores the entities of all messages."""
    new = [_entity(session_id, one.key, one.mentions, [one.first, one.last]) for one in counted]
    _, documents = _shown(session_owner(session_id), [(None, entity) for entity in new], [])
    return [document for document in documents if "rank" in document]


_Pair: TypeAlias = tuple[
    EntityCountDocument | None, EntityCountDocument | None
]  # an entity's document before and after


def _is_visible(entity: EntityCountDocument, visible: Visible) -> bool:
    return visible.sees(entity["own"]["last"]["seq"])


def lock(owner: str, session_id: str) -> Any:
    """Return the write of a document by which transactions that change a session's entities exclude each other.

    Without the write, a transaction that adds to the counts could miss one that assigns the entities to a user, or
    resolves short names.
    """
    return UpdateOne(
        {"_id": entity_id(owner, "")},
        {"$inc": {"version": 1}, "$setOnInsert": {"owner": owner, "sessionId": session_id}},
        upsert=True,
    )


async def _apply(
    database: Database,
    visible: Visible,
    key: str,
    old: EntityCountDocument | None,
    difference: _Difference,
    *,
    tx: Transaction,
) -> EntityCountDocument | None:
    """An entity's document after the changes, or None when nothing mentions it any more."""
    own = None if old is None else old["own"]
    count = (own["count"] if own else 0) + difference.count
    if count <= 0:
        return None
    now_at = {place["seq"] for place in difference.after}
    places = list(difference.after)
    if own:
        ends = [own["first"], own["last"]]
        if any(end["seq"] in difference.before - now_at for end in ends):
            ends = await _unchanged_ends(database, visible, key, difference, tx)
        places += [end for end in ends if end["seq"] not in now_at]
    return _entity(visible.session_id, key, count, places)


def _entity(session_id: str, key: str, count: int, places: list[MentionPlace]) -> EntityCountDocument:
    """Return an entity's document without its listed fields; all mentions are between the first and the last place."""
    places.sort(key=lambda place: place["seq"])
    owner = session_owner(session_id)
    return {
        "_id": entity_id(owner, key),
        "owner": owner,
        "sessionId": session_id,
        "key": key,
        "label": key.partition(":")[0],
        "own": {"count": count, "first": places[0], "last": places[-1]},
    }


async def _unchanged_ends(
    database: Database, visible: Visible, key: str, difference: _Difference, tx: Transaction
) -> list[MentionPlace]:
    """The first and the last place that mentions the entity among the messages that the transaction does not change.

    Args:
        database: the open database.
        visible: the session's visible part.
        key: the entity's key.
        difference: the difference that the transaction makes.
        tx: the transaction.
    """
    places = []
    for direction in (1, -1):
        message = await database.messages.find_one(
            {
                **visible.match("seq"),
                "entities.key": key,
                "_id": {"$nin": list(difference.messages)},
            },
            {"seq": 1, "createdAt": 1, "entities.key": 1, "entities.name": 1},
            sort=[("seq", direction)],
            session=tx,
        )
        if message is None:
            return []
        places.append(_place(message, next(entity for entity in message["entities"] if entity["key"] == key)))
    return places


def _renames(pairs: Sequence[_Pair]) -> bool:
    """Whether the changes may change which short names of people stand for longer ones, or count for them."""
    return any(
        entity is not None
        and entity["label"] == _ALIASED
        and (old is None or new is None or "keys" in old or "aliasOf" in old)
        for old, new in pairs
        for entity in [new or old]
    )


async def _people_of(
    database: Database, owners: Sequence[str], tx: Transaction
) -> dict[str, list[EntityCountDocument]]:
    people: dict[str, list[EntityCountDocument]] = {owner: [] for owner in owners}
    if owners:
        for person in await database.entities.find({"owner": {"$in": list(owners)}, "label": _ALIASED}, session=tx):
            people[person["owner"]].append(person)
    return people


def _writes(owner: str, pairs: Sequence[_Pair], people: Sequence[EntityCountDocument] | None) -> list[Any]:
    """Return the writes of a session's changed entities, with the arguments of `_shown`."""
    removed, changed = _shown(owner, pairs, people)
    return [
        *(DeleteOne({"_id": _id}) for _id in removed),
        *(ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in changed),
    ]


def _shown(
    owner: str, pairs: Sequence[_Pair], people: Sequence[EntityCountDocument] | None
) -> tuple[list[str], list[EntityCountDocument]]:
    """Return the ids of a session's entities that are gone, and the changed ones: short names count for full ones.

    Args:
        owner: the session.
        pairs: the changed entities, before and after.
        people: all stored people of the session, if short names may change.
    """
    stored: dict[str, EntityCountDocument] = {old["_id"]: old for old, _ in pairs if old is not None}
    documents = {new["_id"]: new for _, new in pairs if new is not None}
    groups = {_id: [document] for _id, document in documents.items()}
    aliases: dict[str, str] = {}
    if people is not None:
        gone = stored.keys() - documents.keys()
        stored |= {person["_id"]: person for person in people}
        documents = {person["_id"]: person for person in people if person["_id"] not in gone} | documents
        everyone = [document for document in documents.values() if document["label"] == _ALIASED]
        canonical = resolve_aliases(
            (_ALIASED, person["own"]["first"]["name"], person["own"]["count"]) for person in everyone
        )
        for person in everyone:
            groups[person["_id"]] = []
        for person in everyone:
            key: str = person["key"]
            stands_for = canonical.get(key, key)
            groups[entity_id(owner, stands_for)].append(person)
            if stands_for != key:
                aliases[person["_id"]] = stands_for
    removed = [_id for _id in stored if _id not in documents]
    changed: list[EntityCountDocument] = []
    for _id, members in groups.items():
        document = _unshown(documents[_id])
        if _id in aliases:
            document["aliasOf"] = aliases[_id]
        else:
            document = {**document, **_view(document, members)}
        if document != stored.get(_id):
            changed.append(document)
    return removed, changed


def _unshown(entity: EntityCountDocument) -> EntityCountDocument:
    """Return an entity of a session without the fields computed from mentions, its own and its short names'."""
    document: EntityCountDocument = {
        "_id": entity["_id"],
        "owner": entity["owner"],
        "sessionId": entity["sessionId"],
        "key": entity["key"],
        "label": entity["label"],
        "own": entity["own"],
    }
    if "userId" in entity:
        document["userId"] = entity["userId"]
    return document


class _View(TypedDict):
    """The fields of a listed entity."""

    name: str
    mentionCount: int
    rank: int
    firstSeq: int
    firstSeenAt: datetime
    lastSeenAt: datetime
    keys: NotRequired[list[str]]


def _view(document: EntityCountDocument, members: Sequence[EntityCountDocument]) -> _View:
    """Return the listed fields of an entity with its `members`: itself and its short names, which are not listed."""
    first = min((member["own"]["first"] for member in members), key=lambda place: place["seq"])
    last = max((member["own"]["last"] for member in members), key=lambda place: place["seq"])
    count = sum(member["own"]["count"] for member in members)
    view: _View = {
        "name": document["own"]["first"]["name"],
        "mentionCount": count,
        "rank": rank(count),
        "firstSeq": first["seq"],
        "firstSeenAt": first["at"],
        "lastSeenAt": last["at"],
    }
    if len(members) > 1:
        view["keys"] = sorted(member["key"] for member in members)
    return view
