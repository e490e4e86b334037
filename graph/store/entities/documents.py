"""The documents of the entities of sessions and users."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict


class MentionPlace(TypedDict):
    """The place of a mention in a session."""

    seq: int
    at: datetime
    name: str


class OwnMentions(TypedDict):
    """The mentions of an entity in a session by its own name, without those by its short names."""

    count: int
    first: MentionPlace
    last: MentionPlace


class UserMentionPlace(TypedDict):
    """The place of a mention in a user's sessions; the last place has no name."""

    at: datetime
    sessionId: str
    name: NotRequired[str]


class EntityCountDocument(TypedDict):
    """An entity of a session or a user in the collection `entities`, with how often it is mentioned.

    `own`, `firstSeq`, `keys` and `aliasOf` are of sessions' entities alone, `first` and `last` of users'. One document
    of each session has neither `key` nor `label`: changes of the session's entities write it to exclude each other.
    """

    _id: str
    owner: str
    key: str
    label: str
    sessionId: NotRequired[str]
    userId: NotRequired[str]
    own: NotRequired[OwnMentions]
    name: NotRequired[str]
    mentionCount: NotRequired[int]
    rank: NotRequired[int]
    firstSeq: NotRequired[int]
    firstSeenAt: NotRequired[datetime]
    lastSeenAt: NotRequired[datetime]
    keys: NotRequired[list[str]]
    """The keys of the entity's names, if it has more than one."""
    aliasOf: NotRequired[str]
    """The key of the full name, for a short name."""
    first: NotRequired[UserMentionPlace]
    last: NotRequired[UserMentionPlace]
    version: NotRequired[int]
