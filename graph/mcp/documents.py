"""The GraphQL operations of the tools and resources."""

from __future__ import annotations

ADD_MEMORY = """
mutation McpAddMemory($input: AddMemoryInput!) {
  addMemory(input: $input) { replayed memory { messages { uuid seq } } session { sessionId messageCount } }
}
"""

GET_CONTEXT = """
query McpGetContext($maxTokens: Int!, $query: String, $userId: ID, $sessionId: ID, $recent: Int) {
  context(maxTokens: $maxTokens, query: $query, userId: $userId, sessionId: $sessionId, recent: $recent) { text }
}
"""

SEARCH_MEMORY = """
query McpSearchMemory($query: String!, $first: Int!, $after: String, $userId: ID, $sessionId: ID,
    $filter: MessageFilter) {
  search(query: $query, first: $first, after: $after, userId: $userId, sessionId: $sessionId, filter: $filter) {
    edges { score node { uuid seq role name content createdAt session { sessionId } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""

LIST_SESSIONS = """
query McpListSessions($first: Int!, $after: String, $filter: SessionFilter) {
  sessions(first: $first, after: $after, filter: $filter, orderBy: {field: UPDATED_AT, direction: DESC}) {
    edges { node { sessionId title messageCount createdAt updatedAt user { userId } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""

GET_MESSAGES = """
query McpGetMessages($sessionId: ID!, $last: Int!, $before: String) {
  session(sessionId: $sessionId) {
    messages(last: $last, before: $before) {
      edges { node { uuid seq role name content createdAt } }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}
"""

_ENTITIES = """
    entities(search: $name, first: $first) {
      edges { node { name label mentionCount firstSeenAt lastSeenAt
        messages(last: 3) { edges { node { uuid seq role name content createdAt session { sessionId } } } }
      } }
    }
"""

SESSION_ENTITY = f"""
query McpSessionEntity($sessionId: ID!, $name: String!, $first: Int!) {{
  session(sessionId: $sessionId) {{ {_ENTITIES} }}
}}
"""

USER_ENTITY = f"""
query McpUserEntity($userId: ID!, $name: String!, $first: Int!) {{
  user(userId: $userId) {{ {_ENTITIES} }}
}}
"""

FORGET_SESSION = """
mutation McpForgetSession($input: DeleteSessionInput!) { deleteSession(input: $input) { deletedSessionId } }
"""

FORGET_MESSAGE = """
mutation McpForgetMessage($input: DeleteMessageInput!) { deleteMessage(input: $input) { deletedMessage { uuid } } }
"""

GET_SUMMARY = """
query McpGetSummary($sessionId: ID!) {
  session(sessionId: $sessionId) { summaries(last: 1) { edges { node { content firstSeq lastSeq createdAt } } } }
}
"""

FOLLOW_MESSAGES = """
subscription McpFollowMessages($sessionId: ID!) { messageAdded(sessionId: $sessionId) { seq } }
"""

FOLLOW_CHANGES = """
subscription McpFollowChanges($sessionId: ID!) { messageUpdated(sessionId: $sessionId) { kind } }
"""

FOLLOW_SESSIONS = """
subscription McpFollowSessions { sessionUpdated { sessionId } }
"""
