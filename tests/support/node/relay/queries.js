// What a Relay application writes: pages that go on, parts that load anew, nodes, and stores that follow deletions.
graphql`
  query queriesSessionQuery($sessionId: ID!) {
    session(sessionId: $sessionId) {
      id
      ...queriesHistory_session
      ...queriesMemories_session
      ...queriesLatest_session
    }
  }
`;

graphql`
  fragment queriesHistory_session on Session
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" })
  @refetchable(queryName: "queriesHistoryPaginationQuery") {
    messages(first: $first, after: $after) @connection(key: "queriesHistory_messages") {
      totalCount
      edges {
        node {
          ...queriesMessage_message
        }
      }
    }
  }
`;

graphql`
  fragment queriesLatest_session on Session
  @argumentDefinitions(last: { type: "Int", defaultValue: 20 }, before: { type: "String" })
  @refetchable(queryName: "queriesLatestPaginationQuery") {
    latest: messages(last: $last, before: $before) @connection(key: "queriesLatest_latest") {
      edges {
        node {
          ...queriesMessage_message
        }
      }
    }
  }
`;

graphql`
  fragment queriesMemories_session on Session
  @argumentDefinitions(
    first: { type: "Int", defaultValue: 10 }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
  )
  @refetchable(queryName: "queriesMemoriesPaginationQuery") {
    memories(first: $first, after: $after, last: $last, before: $before)
      @connection(key: "queriesMemories_memories") {
      edges {
        node {
          uuid
          messages(last: 3) {
            seq
          }
        }
      }
    }
  }
`;

graphql`
  fragment queriesMessage_message on Message @refetchable(queryName: "queriesMessageRefetchQuery") {
    uuid
    seq
    role
    content
    entities {
      name
      matches {
        start
        end
      }
    }
  }
`;

graphql`
  fragment queriesSessions_query on Query
  @argumentDefinitions(
    first: { type: "Int", defaultValue: 20 }
    after: { type: "String" }
    filter: { type: "SessionFilter" }
    orderBy: { type: "SessionOrder" }
  )
  @refetchable(queryName: "queriesSessionsPaginationQuery") {
    sessions(first: $first, after: $after, filter: $filter, orderBy: $orderBy)
      @connection(key: "queriesSessions_sessions") {
      edges {
        node {
          sessionId
          user {
            userId
          }
        }
      }
    }
  }
`;

graphql`
  fragment queriesUserSessions_user on User
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" })
  @refetchable(queryName: "queriesUserSessionsPaginationQuery") {
    sessions(first: $first, after: $after) @connection(key: "queriesUserSessions_sessions") {
      edges {
        node {
          sessionId
        }
      }
    }
  }
`;

graphql`
  query queriesListsQuery($ids: [ID!]!, $userId: ID!) {
    ...queriesSessions_query
    user(userId: $userId) {
      ...queriesUserSessions_user
    }
    users(first: 10) @connection(key: "queriesLists_users") {
      edges {
        node {
          userId
        }
      }
    }
    nodes(ids: $ids) {
      __typename
      ... on Message {
        uuid
      }
      ...queriesMessage_message @alias
      ... on Session {
        sessionId
      }
    }
  }
`;

graphql`
  mutation queriesDeleteMessageMutation($uuid: UUID!, $connections: [ID!]!) {
    deleteMessage(input: { uuid: $uuid }) {
      deletedId @deleteRecord @deleteEdge(connections: $connections)
    }
  }
`;

graphql`
  mutation queriesUpdateMessageMutation($input: UpdateMessageInput!) {
    updateMessage(input: $input) {
      message {
        ...queriesMessage_message
      }
    }
  }
`;

graphql`
  subscription queriesMessageEdgeAddedSubscription($sessionId: ID!, $afterSeq: Int, $connections: [ID!]!) {
    messageEdgeAdded(sessionId: $sessionId, afterSeq: $afterSeq) @appendEdge(connections: $connections) {
      cursor
      node {
        ...queriesMessage_message
      }
    }
  }
`;
