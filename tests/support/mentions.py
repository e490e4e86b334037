"""Entities of made-up messages: a worker's stand-in for a model, and a recount of the stored entities."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from graph.errors import RecallQLError
from graph.store import sessions, users
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import Document, EntityDocument, MessageDocument, mention_count, now
from graph.store.editing import edits
from graph.store.editing.edits import Edit
from graph.store.entities.names import entity_key, resolve_aliases
from graph.store.jobs import enrichment, erasure, handover
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import Outcome
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING

NAMES = [
    ("PERSON", "Octavia"),
    ("PERSON", "Octavia Butler"),
    ("PERSON", "Octavia Estelle Butler"),
    ("PERSON", "Anna"),
    ("PERSON", "Anna Lee"),
    ("PERSON", "Anna Park"),
    ("PERSON", "ANNA LEE"),
    ("GPE", "York"),
    ("GPE", "New York"),
    ("DATE", "today"),
    ("DATE", "Today"),
]


LIMITS = Limits(messages=7, tokens=16_384, attempts=50)


def extracted(content: str) -> list[EntityDocument]:
    """What a model would find in a text that is a list of indices into `NAMES`."""
    found: dict[str, EntityDocument] = {}
    for place, number in enumerate(content.split()):
        label, name = NAMES[int(number)]
        entity = found.setdefault(
            entity_key(label, name), {"key": entity_key(label, name), "name": name, "label": label, "matches": []}
        )
        entity["matches"].append({"start": place, "end": place + 1, "text": name})
    return list(found.values())


async def read_once(database: Database) -> bool:
    """What a worker does with one batch."""
    held = await enrichment.claim(database, LIMITS, lease_seconds=60)
    outcomes = [Outcome(message["_id"], 1, extracted(message["content"])) for message in held.messages]
    await asyncio.sleep(0)
    await enrichment.complete(database, held.lease, outcomes)
    return bool(held.messages) or held.contended


def _own(messages: list[MessageDocument]) -> dict[str, Document]:
    own: dict[str, Document] = {}
    for message in sorted(messages, key=lambda message: message["seq"]):
        for entity in message["entities"]:
            place = {"seq": message["seq"], "at": message["createdAt"], "name": entity["name"]}
            document = own.setdefault(entity["key"], {"count": 0, "first": place})
            document["count"] += mention_count(entity)
            document["last"] = place
    return own


def entities_of(messages: list[MessageDocument]) -> dict[str, Any]:
    """The entities of some messages of a session by key: count, name, first and last seen."""
    own = _own(messages)
    canonical = resolve_aliases(
        (key.partition(":")[0], document["first"]["name"], document["count"]) for key, document in own.items()
    )
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for key in own:
        groups[canonical[key]].append(key)
    return {
        key: (
            sum(own[member]["count"] for member in members),
            own[key]["first"]["name"],
            min((own[member]["first"] for member in members), key=lambda place: place["seq"])["at"],
            max((own[member]["last"] for member in members), key=lambda place: place["seq"])["at"],
        )
        for key, members in groups.items()
    }


async def recount(database: Database) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entities that sessions and users have to have, by owner and key: count, name, first and last seen."""
    found = await database.sessions.find()
    owners = {owner["_id"]: owner.get("userId") for owner in found}
    erased = {owner["_id"]: owner.get("erasedSeq", 0) for owner in found}
    by_session: defaultdict[str, list[MessageDocument]] = defaultdict(list)
    for message in await database.messages.find():
        if message["seq"] > erased.get(message["sessionId"], message["seq"]):  # else it counts as gone
            by_session[message["sessionId"]].append(message)
    of_sessions: dict[str, Any] = {}
    of_users: defaultdict[str, defaultdict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for session_id, messages in by_session.items():
        own = _own(messages)
        of_sessions[session_id] = entities_of(messages)
        if (user_id := owners[session_id]) is not None:
            for key, document in own.items():
                of_users[user_id][key].append((session_id, document))
    return {key: value for key, value in of_sessions.items() if value}, {
        user_id: {
            key: (
                sum(document["count"] for _, document in found),
                min(
                    ((document["first"]["at"], session_id, document["first"]["name"]) for session_id, document in found)
                )[2],
                min(document["first"]["at"] for _, document in found),
                max(document["last"]["at"] for _, document in found),
            )
            for key, found in entities.items()
        }
        for user_id, entities in of_users.items()
    }


async def shown(database: Database) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entities that are stored, likewise."""
    found: dict[str, defaultdict[str, dict[str, Any]]] = {"s": defaultdict(dict), "u": defaultdict(dict)}
    there = {f"s:{owner['_id']}" for owner in await database.sessions.find({}, {"_id": 1})}
    there |= {f"u:{user['_id']}" for user in await database.users.find({}, {"_id": 1})}
    for entity in await database.entities.find({"rank": {"$exists": True}}):
        if entity["owner"] not in there:
            continue  # nobody gets to it any more
        kind, _, owner = entity["owner"].partition(":")
        assert entity["key"] not in found[kind][owner]
        found[kind][owner][entity["key"]] = (
            entity["mentionCount"],
            entity["name"],
            entity["firstSeenAt"],
            entity["lastSeenAt"],
        )
    return dict(found["s"]), dict(found["u"])


class Life:
    """Does one random thing after another."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.random = random.Random(seed)

    def _content(self) -> str:
        return " ".join(str(self.random.randrange(len(NAMES))) for _ in range(self.random.randrange(4)))

    def _session(self) -> str:
        return f"s{self.random.randrange(4)}"

    async def _any_message(self) -> str | None:
        found = await self.database.messages.find({}, {"_id": 1})
        return self.random.choice(found)["_id"] if found else None

    async def add(self) -> None:
        user_id = self.random.choice([None, None, "u0", "u1"])
        messages = [NewMessage("human", self._content(), 1) for _ in range(self.random.randrange(1, 5))]
        await add_memory(self.database, EVERYTHING, NewMemory(self._session(), messages, user_id=user_id))

    async def read(self) -> None:
        await read_once(self.database)

    async def edit(self) -> None:
        async def count(_role: str, _content: str) -> int:
            return 1

        if (uuid := await self._any_message()) is not None:
            await edits.edit_message(self.database, EVERYTHING, uuid, Edit(content=self._content()), count)

    async def delete(self) -> None:
        if (uuid := await self._any_message()) is not None:
            await edits.delete_message(self.database, EVERYTHING, uuid)

    async def end_session(self) -> None:
        await sessions.delete_session(self.database, EVERYTHING, self._session())

    async def clear(self) -> None:
        await sessions.delete_contents(self.database, EVERYTHING, self._session())

    async def clear_any(self) -> None:
        with contextlib.suppress(RecallQLError):
            await self.clear()

    async def end_user(self) -> None:
        await users.delete_user(self.database, EVERYTHING, f"u{self.random.randrange(2)}")

    async def erase(self) -> None:
        await expire_leases(self.database)
        await erasure.run_pending(self.database)
        await handover.run_pending(self.database)

    async def step(self) -> None:
        doing = self.random.choices(
            [self.add, self.read, self.edit, self.delete, self.clear, self.end_session, self.end_user, self.erase],
            [6, 8, 4, 4, 0.4, 0.3, 0.2, 0.5],
        )[0]
        try:
            await doing()
        except RecallQLError:
            return  # another user's session, a message that has just gone


async def expire_leases(database: Database) -> None:
    for jobs in (database.erasures, database.handovers):
        await jobs.update_many({}, {"$set": {"dueAt": now()}})


def entities_named(names: Sequence[str], label: str) -> list[EntityDocument]:
    """The entities of a message that names each once, one after the other."""
    return [
        {
            "key": entity_key(label, name),
            "name": name,
            "label": label,
            "matches": [{"start": place, "end": place + 1, "text": name}],
        }
        for place, name in enumerate(names)
    ]
