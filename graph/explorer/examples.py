"""The examples in the explorer's tabs: a whole round through the service, ready to run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """One tab: a query, and the variables for a session of the visitor's own."""

    query: str
    variables: Callable[[str], dict[str, Any]]


_ADD_MEMORY = """\
# Welcome to RecallQL. Press the pink button
# (or Ctrl-Enter) to store this conversation
# in a new session. Then try the next tabs:
# read it back, and follow it live.
#
# Does the server ask for a token? Put it
# under "Headers" below; the other tabs send
# it, too: {"authorization": "Bearer <token>"}

mutation AddMemory($input: AddMemoryInput!) {
  addMemory(input: $input) {
    session {
      sessionId
      messageCount
    }
    memory {
      messages {
        seq
        role
        content
        tokenCount
        entities {
          name
          label
        }
      }
    }
  }
}
"""

_MEMORY = """\
# The memory of the session: the newest
# summary, the messages after it, and the
# people, places and works they mention. The
# service reads the selected fields alone.

query Memory($sessionId: ID!) {
  memory(sessionId: $sessionId) {
    tokenCount
    summary {
      content
    }
    messages {
      uuid
      seq
      createdAt
      role
      content
      metadata
      tokenCount
    }
    entities {
      name
      label
      matches(first: 3) {
        start
        end
        text
      }
    }
  }
}
"""

_MESSAGE_ADDED = """\
# Every message of the session after the
# given seq, and then the new ones: the latest
# 100 events are shown. Leave this running,
# and add to the session from your app or a
# second window.

subscription MessageAdded($sessionId: ID!, $afterSeq: Int) {
  messageAdded(sessionId: $sessionId, afterSeq: $afterSeq) {
    seq
    role
    content
    createdAt
  }
}
"""

_CONVERSATION = [
    {"role": "human", "content": "Who was Octavia Butler?"},
    {
        "role": "ai",
        "content": "Octavia Estelle Butler (June 22, 1947 - February 24, 2006) was an American science fiction author.",
    },
    {"role": "human", "content": "Which books of hers were made into movies?", "metadata": {"foo": "bar"}},
]

EXAMPLES = (
    Example(
        _ADD_MEMORY,
        lambda session_id: {"input": {"sessionId": session_id, "messages": _CONVERSATION, "awaitEntities": True}},
    ),
    Example(_MEMORY, lambda session_id: {"sessionId": session_id}),
    Example(_MESSAGE_ADDED, lambda session_id: {"sessionId": session_id, "afterSeq": 0}),
)
