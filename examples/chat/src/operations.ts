import type { ResultOf } from "@graphql-typed-document-node/core";

import { graphql } from "./gql";

/** Each operation selects messages by this fragment, so that a cached message has all fields in one state. */
export const MESSAGE = graphql(`
  fragment ChatMessage on Message {
    id
    uuid
    seq
    revision
    role
    content
    status
    metadata
    enrichment { state }
    entities(first: 10) { id label matches(first: 3) { start(unit: UTF16) end(unit: UTF16) } }
  }
`);

export const SESSION = graphql(`
  fragment ChatSession on Session {
    id
    sessionId
    revision
    title
    updatedAt
    readSeq
    unreadCount
    lastMessage { ...ChatMessage }
  }
`);

export const SESSIONS = graphql(`
  query Sessions {
    sessions(first: 50, orderBy: { field: UPDATED_AT, direction: DESC }) { edges { node { ...ChatSession } } }
  }
`);

/** The place from which `messageUpdated` goes on, read before the messages. The cache has a later revision, so it has an alias. */
export const PLACE = graphql(`
  query Place($sessionId: ID!) { session(sessionId: $sessionId) { id since: revision } }
`);

export const HISTORY = graphql(`
  query History($sessionId: ID!, $before: String) {
    session(sessionId: $sessionId) {
      id
      messages(last: 20, before: $before) {
        edges { cursor node { ...ChatMessage } }
        pageInfo { startCursor endCursor hasPreviousPage hasNextPage }
      }
    }
  }
`);

export const SESSION_UPDATED = graphql(`
  subscription SessionUpdated($sinceRevision: String) {
    sessionUpdated(sinceRevision: $sinceRevision) { kind sessionId revision session { ...ChatSession } }
  }
`);

export const MESSAGE_ADDED = graphql(`
  subscription MessageAdded($sessionId: ID!, $afterSeq: Int) {
    messageEdgeAdded(sessionId: $sessionId, afterSeq: $afterSeq) { cursor node { ...ChatMessage } }
  }
`);

export const MESSAGE_UPDATED = graphql(`
  subscription MessageUpdated($sessionId: ID!, $sinceRevision: Int) {
    messageUpdated(sessionId: $sessionId, sinceRevision: $sinceRevision) {
      kind
      uuid
      seq
      revision
      message { ...ChatMessage }
    }
  }
`);

export const MESSAGE_STREAM = graphql(`
  subscription MessageStream($uuid: UUID!, $afterIndex: Int) {
    messageStream(uuid: $uuid, afterIndex: $afterIndex) { index text message { ...ChatMessage } }
  }
`);

export const CREATE = graphql(`
  mutation Create($sessionId: ID!) {
    createSession(input: { sessionId: $sessionId }) { session { ...ChatSession } }
  }
`);

export const SEND = graphql(`
  mutation Send($sessionId: ID!, $message: MessageInput!) {
    addMemory(input: { sessionId: $sessionId, messages: [$message] }) {
      memory { id messages(last: 1) { ...ChatMessage } }
    }
  }
`);

export const EDIT = graphql(`
  mutation Edit($uuid: UUID!, $content: String!) {
    updateMessage(input: { uuid: $uuid, content: $content }) { message { ...ChatMessage } }
  }
`);

export const DELETE_MESSAGE = graphql(`
  mutation DeleteMessage($uuid: UUID!) {
    deleteMessage(input: { uuid: $uuid }) { deletedMessage { id uuid seq } }
  }
`);

export const DELETE_SESSION = graphql(`
  mutation DeleteSession($sessionId: ID!) {
    deleteSession(input: { sessionId: $sessionId }) { deletedSessionId }
  }
`);

export const FORK = graphql(`
  mutation Fork($sessionId: ID!, $throughSeq: Int!, $newSessionId: ID!) {
    forkSession(input: { sessionId: $sessionId, throughSeq: $throughSeq, newSessionId: $newSessionId }) {
      session { ...ChatSession }
    }
  }
`);

export const MARK_READ = graphql(`
  mutation MarkRead($sessionId: ID!, $seq: Int!) {
    markRead(input: { sessionId: $sessionId, seq: $seq }) { session { ...ChatSession } }
  }
`);

export type Message = ResultOf<typeof MESSAGE>;
export type Edge = NonNullable<ResultOf<typeof HISTORY>["session"]>["messages"]["edges"][number];
export type Session = ResultOf<typeof SESSION>;
