/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** Messages to add to a session. */
export type AddMemoryInput = {
  /** Wait for the entities, at most some seconds; `enrichment` has their state afterwards. */
  awaitEntities?: boolean | null | undefined;
  /** The `Session.revision` that you read, 0 for a new session. CONFLICT if the session changed since, with the current one in `extensions.revision`. A retry with the same idempotencyKey is no conflict. */
  expectedRevision?: number | null | undefined;
  /** The `Session.uuid` that you read. CONFLICT if the session is another one, which was made with the same id after a deletion: its revisions begin again, and may be equal. */
  expectedUuid?: string | null | undefined;
  /** A time to come: from then on the session is as deleted, and workers erase it. null removes the expiry; without the field, the session keeps the one that it has. */
  expiresAt?: string | null | undefined;
  /** A retry with the same key changes nothing and returns the result of the first call. With another payload the key is refused (CONFLICT). */
  idempotencyKey?: string | null | undefined;
  /** 1 to 1,000 messages, in order. */
  messages: Array<MessageInput>;
  /** Any JSON object, stored with the memory and merged into the session's metadata. */
  metadata?: unknown;
  /** Your own id of the session, at most 512 bytes. An unknown session is created. */
  sessionId: string | number;
  /** Your own id of the user that the session belongs to. The user can't change later. */
  userId?: string | number | null | undefined;
};

/** A span of time, without a limit on a side that is left out. */
export type DateTimeRange = {
  /** The start, included. */
  since?: string | null | undefined;
  /** The end, excluded. */
  until?: string | null | undefined;
};

/** The message to delete. */
export type DeleteMessageInput = {
  /** UUID of the message. */
  uuid: string;
};

/** The state of a message's enrichment. */
export type EnrichmentState =
  /** The entities are stored. */
  | 'DONE'
  /** Every attempt of the extraction failed; `reason` has the error. */
  | 'FAILED'
  /** The entities are not extracted yet. */
  | 'PENDING';

/** The result of a check. */
export type FindingGrade =
  /** It does not work. */
  | 'BROKEN'
  /** As it should be. */
  | 'OK'
  /** It works, and needs a look. */
  | 'WARNING';

/** The session to fork. */
export type ForkSessionInput = {
  /** Your own id of the new session, at most 512 bytes. */
  newSessionId: string | number;
  /** Your own id of the session with the messages. */
  sessionId: string | number;
  /** The `seq` of the last message to copy, at least 1 and at most the newest message's. At most 200,000 messages of 1 GiB together are copied. */
  throughSeq: number;
  /** The user of the new session; by default, and at most, the user of the source. */
  userId?: string | number | null | undefined;
};

/** The messages to find or list: each meets all given conditions. */
export type MessageFilter = {
  /** Only messages with an entity of this name, in upper or lower case, once their entities are there. In a session where a short name stands for a full one, each finds the messages with either, as in `Session.entities`. */
  hasEntity?: string | null | undefined;
  /** Only messages whose metadata meets all these conditions, with the bounds of `SessionFilter`. */
  metadata?: Array<MetadataFilter> | null | undefined;
  /** Only messages of one of these speakers; for `Session.messages` alone. */
  names?: Array<string> | null | undefined;
  /** Only messages of one of these roles. */
  roles?: Array<string> | null | undefined;
  /** Only messages of one of these sessions; for searches alone. */
  sessionIds?: Array<string | number> | null | undefined;
  /** Only messages that were created at this time or later. */
  since?: string | null | undefined;
  /** Only messages that were created before this time. */
  until?: string | null | undefined;
};

/** A message to add. */
export type MessageInput = {
  /** The text, at most 1 MiB, stored unchanged. Required without parts; by default the text of the parts of type `text`, `input_text` or `output_text`, joined by line breaks. */
  content?: string | null | undefined;
  /** The time of the message, not in the future, stored in milliseconds. By default, and for a time up to a minute ahead, the time of arrival. Messages stay in the order of their arrival, `seq`, independent of their times. A stored message keeps its time. */
  createdAt?: string | null | undefined;
  /** Any JSON object, at most 256 KiB. */
  metadata?: unknown;
  /** The name of the speaker, in addition to the role; at most 256 bytes. */
  name?: string | null | undefined;
  /** UUID of the message that this one follows: any message of the session, or one before in this call. By default the message before in this call, and for the first one the session's `head`. The nil UUID, of zeros alone, stands for the beginning of the session. A message that follows another one than the last of its branch begins a branch; a session has at most 1,000 branches. The last message of the call becomes the `head`. A stored message keeps its place. */
  parentUuid?: string | null | undefined;
  /** The content in the form of model APIs: JSON objects with a `type` (`text`, `tool-call`, `image`, …), stored unchanged; at most 1,000 parts, 131,072 values and 1 MiB. */
  parts?: Array<unknown> | null | undefined;
  /** The role of the speaker, at most 256 bytes: human, ai, user, assistant, tool, … End users may send only the configured roles, by default user and human. */
  role: string;
  /** The tool call that the message answers, at most 512 bytes. */
  toolCallId?: string | null | undefined;
  /** Your own UUID for the message. A UUID of a stored message updates that message in place. A UUID that an end user chooses identifies one of that user's messages alone: the message's `uuid` is derived from it, and the user may give either one. */
  uuid?: string | null | undefined;
};

/** Whether the text of a message is complete. */
export type MessageStatus =
  /** Its writer ended it early; it has the text that had come. */
  | 'ABORTED'
  /** The message was added whole, or finished. */
  | 'COMPLETE'
  /** Its writer was silent for too long; it has the text that had come. */
  | 'INTERRUPTED'
  /** The message is being written. */
  | 'STREAMING';

/** The kind of a change to a message. */
export type MessageUpdateKind =
  /** All messages of the session up to `seq` were deleted. */
  | 'CLEARED'
  /** The message was deleted. */
  | 'DELETED'
  /** Its role, content or metadata changed. */
  | 'EDITED'
  /** Its enrichment ended, with entities or with a failure. */
  | 'ENRICHED';

/** A condition on the value at a path in metadata: give path or segments, and one of equals, contains and exists. */
export type MetadataFilter = {
  /** A JSON value that must be an item of the list at the path. */
  contains?: unknown;
  /** The JSON value at the path; numbers are compared by value, and objects independent of the order of their keys. null matches a null, not an absent value. */
  equals?: unknown;
  /** Whether a value, null included, must or must not be at the path. */
  exists?: boolean | null | undefined;
  /** Keys from the outermost one, with dots between them: `customer.plan`. */
  path?: string | null | undefined;
  /** The path as a list of keys, which may have dots or be empty. In a list, a whole number is the index of an item, from 0: `["tools", "0", "$ref"]`. */
  segments?: Array<string> | null | undefined;
};

/** The failed messages to extract entities from again. */
export type RetryEnrichmentInput = {
  /** All failed messages of a session. */
  sessionId?: string | number | null | undefined;
  /** One failed message. */
  uuid?: string | null | undefined;
};

/** The signals that a search compares. */
export type SearchMode =
  /** Words and embeddings in one score; words alone without an embedding model, or while it is unavailable. */
  | 'HYBRID'
  /** Words, speakers and dates. */
  | 'LEXICAL'
  /** Embeddings alone. UNAVAILABLE without an embedding model. */
  | 'VECTOR';

/** The sessions to list: each meets all given conditions. */
export type SessionFilter = {
  /** true: only archived sessions; false: only other sessions. */
  archived?: boolean | null | undefined;
  /** Only sessions that were created in this range. */
  createdAt?: DateTimeRange | null | undefined;
  /** Only sessions whose metadata meets all these conditions: at most 20, which compare at most 64 texts, numbers, booleans, nulls and empty objects or lists in all filters of an operation. An index finds texts, numbers and booleans at keys without $ and dots; a filter without such a condition is slower. */
  metadata?: Array<MetadataFilter> | null | undefined;
  /** Only sessions whose id begins with this text, in the same case, or whose title, if it was set, has for each word of the text a word that begins with it, independent of case: at most 10 words and 512 bytes. Indexes find them. A default title is found by `search`, as its message is. */
  named?: string | null | undefined;
  /** Only sessions that last changed within this span. */
  updatedAt?: DateTimeRange | null | undefined;
  /** Only sessions of this user. */
  userId?: string | number | null | undefined;
};

/** The kind of a change to a session. */
export type SessionUpdateKind =
  /** A message, a summary, its metadata or its user changed. */
  | 'CHANGED'
  /** The session is new. */
  | 'CREATED'
  /** The session was deleted: remove it from the list. */
  | 'DELETED';

/** The origin of a summary's text. */
export type SummarySource =
  /** Sentences selected from the messages. */
  | 'EXTRACTIVE'
  /** Text written by the language model that the service is configured to use. */
  | 'LLM';

/** Changes of a message. A field that is absent or null stays unchanged. */
export type UpdateMessageInput = {
  /** The text, at most 1 MiB. Entities are extracted from a new text again; until then the message has no entities. */
  content?: string | null | undefined;
  /** A JSON Merge Patch (RFC 7396) for the metadata: objects merge at every level, other values replace, and a null removes its key. */
  metadata?: unknown;
  /** The speaker, at most 256 bytes. */
  name?: string | null | undefined;
  /** The parts, which replace all that there are; without content, the content becomes their text. An empty list takes them away. A message with parts gets another role or content with parts alone. */
  parts?: Array<unknown> | null | undefined;
  /** The role of the speaker, at most 256 bytes. */
  role?: string | null | undefined;
  /** The tool call that the message answers, at most 512 bytes. */
  toolCallId?: string | null | undefined;
  /** UUID of the message. */
  uuid: string;
};

export type RetryEnrichmentMutationVariables = Exact<{
  input: RetryEnrichmentInput;
}>;


export type RetryEnrichmentMutation = { retryEnrichment: { retried: number } };

export type SessionQueryVariables = Exact<{
  sessionId: string | number;
}>;


export type SessionQuery = { session: { sessionId: string, title: string | null, messageCount: number, tokenCount: number, metadata: unknown, user: { userId: string } | null, forkedFrom: { sessionId: string, seq: number } | null, summaries: { edges: Array<{ cursor: string }> }, entities: { edges: Array<{ node: { id: string, name: string, label: string, mentionCount: number } }> } } | null };

export type UpdateMessageMutationVariables = Exact<{
  input: UpdateMessageInput;
}>;


export type UpdateMessageMutation = { updateMessage: { message: { uuid: string, seq: number, revision: number, createdAt: string, role: string, name: string | null, content: string, parts: Array<unknown>, metadata: unknown, toolCallId: string | null, tokenCount: number, status: MessageStatus, enrichment: { state: EnrichmentState, reason: string | null }, entities: Array<{ id: string, name: string, label: string, mentionCount: number, matches: Array<{ start: number, end: number }> }> } } };

export type DeleteMessageMutationVariables = Exact<{
  input: DeleteMessageInput;
}>;


export type DeleteMessageMutation = { deleteMessage: { deletedId: string } };

export type ForkSessionMutationVariables = Exact<{
  input: ForkSessionInput;
}>;


export type ForkSessionMutation = { forkSession: { fork: { newSessionId: string } } };

export type DeploymentQueryVariables = Exact<{ [key: string]: never; }>;


export type DeploymentQuery = { deployment: { version: string, pythonVersion: string, mongodbVersion: string, subscribers: number, webProcesses: number, slowestOperations: Array<{ name: string | null, kind: string, count: number, medianSeconds: number, p99Seconds: number, longestSeconds: number, lastAt: string }>, storage: { totalBytes: number, diskBytes: number | null, freeBytes: number | null, collections: Array<{ name: string, documents: number, dataBytes: number, indexBytes: number }> } } };

export type FindingsQueryVariables = Exact<{ [key: string]: never; }>;


export type FindingsQuery = { deployment: { findings: Array<{ name: string, grade: FindingGrade, text: string, advice: string | null }> } };

export type OccurrencesQueryVariables = Exact<{
  sessionId: string | number;
  name: string;
  labels: Array<string> | string;
}>;


export type OccurrencesQuery = { session: { entities: { edges: Array<{ node: { id: string, name: string, mentionCount: number } }> }, user: { entities: { edges: Array<{ node: { id: string, name: string, mentionCount: number, sessions: { totalCount: number, edges: Array<{ node: { sessionId: string, title: string | null } }> } } }> } } | null } | null };

export type EntityQueryVariables = Exact<{
  id: string | number;
}>;


export type EntityQuery = { node:
    | { id: string, name: string, label: string, mentionCount: number, firstSeenAt: string, lastSeenAt: string, messages: { totalCount: number, edges: Array<{ node: { uuid: string, seq: number, role: string, name: string | null, createdAt: string, content: string, session: { sessionId: string, title: string | null } } }> } }
    | Record<PropertyKey, never>
   | null };

export type HealthQueryVariables = Exact<{ [key: string]: never; }>;


export type HealthQuery = { enrichment: { pending: number, done: number, failed: number, unembedded: number, oldestPendingAt: string | null }, failedMessages: Array<{ uuid: string, seq: number, enrichment: { reason: string | null }, session: { sessionId: string, title: string | null } }> };

export type MentionsQueryVariables = Exact<{
  userId: string | number;
}>;


export type MentionsQuery = { user: { entities: { edges: Array<{ node: { id: string, name: string, messages: { totalCount: number, edges: Array<{ node: { createdAt: string } }> } } }> } } | null };

export type MessageQueryVariables = Exact<{
  uuid: string;
}>;


export type MessageQuery = { message: { uuid: string, seq: number, revision: number, createdAt: string, role: string, name: string | null, content: string, parts: Array<unknown>, metadata: unknown, toolCallId: string | null, tokenCount: number, status: MessageStatus, enrichment: { state: EnrichmentState, reason: string | null }, entities: Array<{ id: string, name: string, label: string, mentionCount: number, matches: Array<{ start: number, end: number }> }> } | null };

export type MessageFieldsFragment = { uuid: string, seq: number, revision: number, createdAt: string, role: string, name: string | null, content: string, parts: Array<unknown>, metadata: unknown, toolCallId: string | null, tokenCount: number, status: MessageStatus, enrichment: { state: EnrichmentState, reason: string | null }, entities: Array<{ id: string, name: string, label: string, mentionCount: number, matches: Array<{ start: number, end: number }> }> };

export type MessagesQueryVariables = Exact<{
  sessionId: string | number;
  first?: number | null | undefined;
  after?: string | null | undefined;
  afterSeq?: number | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type MessagesQuery = { session: { messages: { edges: Array<{ cursor: string, node: { uuid: string, seq: number, revision: number, createdAt: string, role: string, name: string | null, content: string, parts: Array<unknown>, metadata: unknown, toolCallId: string | null, tokenCount: number, status: MessageStatus, enrichment: { state: EnrichmentState, reason: string | null }, entities: Array<{ id: string, name: string, label: string, mentionCount: number, matches: Array<{ start: number, end: number }> }> } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } } | null };

export type MessageEdgeAddedSubscriptionVariables = Exact<{
  sessionId: string | number;
  afterSeq: number;
}>;


export type MessageEdgeAddedSubscription = { messageEdgeAdded: { cursor: string, node: { uuid: string, seq: number, revision: number, createdAt: string, role: string, name: string | null, content: string, parts: Array<unknown>, metadata: unknown, toolCallId: string | null, tokenCount: number, status: MessageStatus, enrichment: { state: EnrichmentState, reason: string | null }, entities: Array<{ id: string, name: string, label: string, mentionCount: number, matches: Array<{ start: number, end: number }> }> } } };

export type MessageUpdatedSubscriptionVariables = Exact<{
  sessionId: string | number;
}>;


export type MessageUpdatedSubscription = { messageUpdated: { kind: MessageUpdateKind, uuid: string | null, message: { uuid: string, seq: number, revision: number, createdAt: string, role: string, name: string | null, content: string, parts: Array<unknown>, metadata: unknown, toolCallId: string | null, tokenCount: number, status: MessageStatus, enrichment: { state: EnrichmentState, reason: string | null }, entities: Array<{ id: string, name: string, label: string, mentionCount: number, matches: Array<{ start: number, end: number }> }> } | null } };

export type SearchQueryVariables = Exact<{
  query: string;
  userId?: string | number | null | undefined;
  sessionId?: string | number | null | undefined;
  mode: SearchMode;
  after?: string | null | undefined;
}>;


export type SearchQuery = { search: { edges: Array<{ score: number, scoreParts: { words: number, session: number, meaning: number, neighbors: number, speaker: number, date: number, answer: number, length: number, question: number }, matches: Array<{ start: number, end: number }>, node: { uuid: string, seq: number, role: string, name: string | null, createdAt: string, content: string, session: { sessionId: string, title: string | null } } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type ContextQueryVariables = Exact<{
  query?: string | null | undefined;
  userId?: string | number | null | undefined;
  sessionId?: string | number | null | undefined;
  maxTokens: number;
}>;


export type ContextQuery = { context: { text: string, tokenCount: number, omittedMessages: number, summary: { tokenCount: number } | null, messages: Array<{ tokenCount: number }>, recalled: Array<{ message: { tokenCount: number } }> } };

export type SessionRowFragment = { sessionId: string, title: string | null, updatedAt: string, messageCount: number, unreadCount: number, archived: boolean, user: { userId: string } | null, lastMessage: { role: string, name: string | null, excerpt: string } | null, enrichment: { pending: number, failed: number } };

export type SessionsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  filter?: SessionFilter | null | undefined;
}>;


export type SessionsQuery = { sessions: { edges: Array<{ node: { sessionId: string, title: string | null, updatedAt: string, messageCount: number, unreadCount: number, archived: boolean, user: { userId: string } | null, lastMessage: { role: string, name: string | null, excerpt: string } | null, enrichment: { pending: number, failed: number } } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } };

export type SessionUpdatedSubscriptionVariables = Exact<{
  userId?: string | number | null | undefined;
}>;


export type SessionUpdatedSubscription = { sessionUpdated: { kind: SessionUpdateKind, sessionId: string } };

export type SessionsFoundQueryVariables = Exact<{
  query: string;
  userId?: string | number | null | undefined;
  filter?: MessageFilter | null | undefined;
}>;


export type SessionsFoundQuery = { search: { edges: Array<{ node: { role: string, name: string | null, excerpt: string, session: { sessionId: string, title: string | null, updatedAt: string, messageCount: number, unreadCount: number, archived: boolean, user: { userId: string } | null, lastMessage: { role: string, name: string | null, excerpt: string } | null, enrichment: { pending: number, failed: number } } } }> } };

export type SessionsNamedQueryVariables = Exact<{
  filter?: SessionFilter | null | undefined;
  first: number;
}>;


export type SessionsNamedQuery = { sessions: { edges: Array<{ node: { sessionId: string, title: string | null, updatedAt: string, messageCount: number, unreadCount: number, archived: boolean, user: { userId: string } | null, lastMessage: { role: string, name: string | null, excerpt: string } | null, enrichment: { pending: number, failed: number } } }>, pageInfo: { hasNextPage: boolean } } };

export type AddSampleMutationVariables = Exact<{
  input: AddMemoryInput;
}>;


export type AddSampleMutation = { addMemory: { session: { sessionId: string } } };

export type MessageStreamSubscriptionVariables = Exact<{
  uuid: string;
}>;


export type MessageStreamSubscription = { messageStream: { index: number | null, text: string, message: { uuid: string, seq: number, revision: number, createdAt: string, role: string, name: string | null, content: string, parts: Array<unknown>, metadata: unknown, toolCallId: string | null, tokenCount: number, status: MessageStatus, enrichment: { state: EnrichmentState, reason: string | null }, entities: Array<{ id: string, name: string, label: string, mentionCount: number, matches: Array<{ start: number, end: number }> }> } | null } };

export type SummariesQueryVariables = Exact<{
  sessionId: string | number;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type SummariesQuery = { session: { summaries: { edges: Array<{ node: { uuid: string, content: string, firstSeq: number, lastSeq: number, tokenCount: number, stale: boolean, source: SummarySource } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } } | null };

export type UserQueryVariables = Exact<{
  userId: string | number;
}>;


export type UserQuery = { user: { userId: string, email: string | null, firstName: string | null, lastName: string | null, createdAt: string, metadata: unknown, entities: { edges: Array<{ node: { id: string, name: string, label: string, mentionCount: number } }> }, sessions: { edges: Array<{ node: { sessionId: string, createdAt: string } }> } } | null };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const MessageFieldsFragmentDoc = new TypedDocumentString(`
    fragment MessageFields on Message {
  uuid
  seq
  revision
  createdAt
  role
  name
  content
  parts
  metadata
  toolCallId
  tokenCount
  status
  enrichment {
    state
    reason
  }
  entities(first: 20) {
    id
    name
    label
    mentionCount
    matches(first: 5) {
      start(unit: UTF16)
      end(unit: UTF16)
    }
  }
}
    `, {"fragmentName":"MessageFields"}) as unknown as TypedDocumentString<MessageFieldsFragment, unknown>;
export const SessionRowFragmentDoc = new TypedDocumentString(`
    fragment SessionRow on Session {
  sessionId
  title
  updatedAt
  messageCount
  unreadCount
  archived
  user {
    userId
  }
  lastMessage {
    role
    name
    excerpt
  }
  enrichment {
    pending
    failed
  }
}
    `, {"fragmentName":"SessionRow"}) as unknown as TypedDocumentString<SessionRowFragment, unknown>;
export const RetryEnrichmentDocument = new TypedDocumentString(`
    mutation RetryEnrichment($input: RetryEnrichmentInput!) {
  retryEnrichment(input: $input) {
    retried
  }
}
    `) as unknown as TypedDocumentString<RetryEnrichmentMutation, RetryEnrichmentMutationVariables>;
export const SessionDocument = new TypedDocumentString(`
    query Session($sessionId: ID!) {
  session(sessionId: $sessionId) {
    sessionId
    title
    messageCount
    tokenCount
    metadata
    user {
      userId
    }
    forkedFrom {
      sessionId
      seq
    }
    summaries(last: 1) {
      edges {
        cursor
      }
    }
    entities(first: 12) {
      edges {
        node {
          id
          name
          label
          mentionCount
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<SessionQuery, SessionQueryVariables>;
export const UpdateMessageDocument = new TypedDocumentString(`
    mutation UpdateMessage($input: UpdateMessageInput!) {
  updateMessage(input: $input) {
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  uuid
  seq
  revision
  createdAt
  role
  name
  content
  parts
  metadata
  toolCallId
  tokenCount
  status
  enrichment {
    state
    reason
  }
  entities(first: 20) {
    id
    name
    label
    mentionCount
    matches(first: 5) {
      start(unit: UTF16)
      end(unit: UTF16)
    }
  }
}`) as unknown as TypedDocumentString<UpdateMessageMutation, UpdateMessageMutationVariables>;
export const DeleteMessageDocument = new TypedDocumentString(`
    mutation DeleteMessage($input: DeleteMessageInput!) {
  deleteMessage(input: $input) {
    deletedId
  }
}
    `) as unknown as TypedDocumentString<DeleteMessageMutation, DeleteMessageMutationVariables>;
export const ForkSessionDocument = new TypedDocumentString(`
    mutation ForkSession($input: ForkSessionInput!) {
  forkSession(input: $input) {
    fork {
      newSessionId
    }
  }
}
    `) as unknown as TypedDocumentString<ForkSessionMutation, ForkSessionMutationVariables>;
export const DeploymentDocument = new TypedDocumentString(`
    query Deployment {
  deployment {
    version
    pythonVersion
    mongodbVersion
    subscribers
    webProcesses
    slowestOperations {
      name
      kind
      count
      medianSeconds
      p99Seconds
      longestSeconds
      lastAt
    }
    storage {
      totalBytes
      diskBytes
      freeBytes
      collections {
        name
        documents
        dataBytes
        indexBytes
      }
    }
  }
}
    `) as unknown as TypedDocumentString<DeploymentQuery, DeploymentQueryVariables>;
export const FindingsDocument = new TypedDocumentString(`
    query Findings {
  deployment {
    findings {
      name
      grade
      text
      advice
    }
  }
}
    `) as unknown as TypedDocumentString<FindingsQuery, FindingsQueryVariables>;
export const OccurrencesDocument = new TypedDocumentString(`
    query Occurrences($sessionId: ID!, $name: String!, $labels: [String!]!) {
  session(sessionId: $sessionId) {
    entities(first: 20, search: $name, labels: $labels) {
      edges {
        node {
          id
          name
          mentionCount
        }
      }
    }
    user {
      entities(first: 20, search: $name, labels: $labels) {
        edges {
          node {
            id
            name
            mentionCount
            sessions(last: 6) {
              edges {
                node {
                  sessionId
                  title
                }
              }
              totalCount
            }
          }
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<OccurrencesQuery, OccurrencesQueryVariables>;
export const EntityDocument = new TypedDocumentString(`
    query Entity($id: ID!) {
  node(id: $id) {
    ... on Entity {
      id
      name
      label
      mentionCount
      firstSeenAt
      lastSeenAt
      messages(last: 100) {
        edges {
          node {
            uuid
            seq
            role
            name
            createdAt
            content
            session {
              sessionId
              title
            }
          }
        }
        totalCount
      }
    }
  }
}
    `) as unknown as TypedDocumentString<EntityQuery, EntityQueryVariables>;
export const HealthDocument = new TypedDocumentString(`
    query Health {
  enrichment {
    pending
    done
    failed
    unembedded
    oldestPendingAt
  }
  failedMessages(first: 50) {
    uuid
    seq
    enrichment {
      reason
    }
    session {
      sessionId
      title
    }
  }
}
    `) as unknown as TypedDocumentString<HealthQuery, HealthQueryVariables>;
export const MentionsDocument = new TypedDocumentString(`
    query Mentions($userId: ID!) {
  user(userId: $userId) {
    entities(first: 5) {
      edges {
        node {
          id
          name
          messages(last: 100) {
            edges {
              node {
                createdAt
              }
            }
            totalCount
          }
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<MentionsQuery, MentionsQueryVariables>;
export const MessageDocument = new TypedDocumentString(`
    query Message($uuid: UUID!) {
  message(uuid: $uuid) {
    ...MessageFields
  }
}
    fragment MessageFields on Message {
  uuid
  seq
  revision
  createdAt
  role
  name
  content
  parts
  metadata
  toolCallId
  tokenCount
  status
  enrichment {
    state
    reason
  }
  entities(first: 20) {
    id
    name
    label
    mentionCount
    matches(first: 5) {
      start(unit: UTF16)
      end(unit: UTF16)
    }
  }
}`) as unknown as TypedDocumentString<MessageQuery, MessageQueryVariables>;
export const MessagesDocument = new TypedDocumentString(`
    query Messages($sessionId: ID!, $first: Int, $after: String, $afterSeq: Int, $last: Int, $before: String) {
  session(sessionId: $sessionId) {
    messages(
      first: $first
      after: $after
      afterSeq: $afterSeq
      last: $last
      before: $before
    ) {
      edges {
        cursor
        node {
          ...MessageFields
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
}
    fragment MessageFields on Message {
  uuid
  seq
  revision
  createdAt
  role
  name
  content
  parts
  metadata
  toolCallId
  tokenCount
  status
  enrichment {
    state
    reason
  }
  entities(first: 20) {
    id
    name
    label
    mentionCount
    matches(first: 5) {
      start(unit: UTF16)
      end(unit: UTF16)
    }
  }
}`) as unknown as TypedDocumentString<MessagesQuery, MessagesQueryVariables>;
export const MessageEdgeAddedDocument = new TypedDocumentString(`
    subscription MessageEdgeAdded($sessionId: ID!, $afterSeq: Int!) {
  messageEdgeAdded(sessionId: $sessionId, afterSeq: $afterSeq) {
    cursor
    node {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  uuid
  seq
  revision
  createdAt
  role
  name
  content
  parts
  metadata
  toolCallId
  tokenCount
  status
  enrichment {
    state
    reason
  }
  entities(first: 20) {
    id
    name
    label
    mentionCount
    matches(first: 5) {
      start(unit: UTF16)
      end(unit: UTF16)
    }
  }
}`) as unknown as TypedDocumentString<MessageEdgeAddedSubscription, MessageEdgeAddedSubscriptionVariables>;
export const MessageUpdatedDocument = new TypedDocumentString(`
    subscription MessageUpdated($sessionId: ID!) {
  messageUpdated(sessionId: $sessionId) {
    kind
    uuid
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  uuid
  seq
  revision
  createdAt
  role
  name
  content
  parts
  metadata
  toolCallId
  tokenCount
  status
  enrichment {
    state
    reason
  }
  entities(first: 20) {
    id
    name
    label
    mentionCount
    matches(first: 5) {
      start(unit: UTF16)
      end(unit: UTF16)
    }
  }
}`) as unknown as TypedDocumentString<MessageUpdatedSubscription, MessageUpdatedSubscriptionVariables>;
export const SearchDocument = new TypedDocumentString(`
    query Search($query: String!, $userId: ID, $sessionId: ID, $mode: SearchMode!, $after: String) {
  search(
    query: $query
    userId: $userId
    sessionId: $sessionId
    mode: $mode
    first: 20
    after: $after
  ) {
    edges {
      score
      scoreParts {
        words
        session
        meaning
        neighbors
        speaker
        date
        answer
        length
        question
      }
      matches {
        start(unit: UTF16)
        end(unit: UTF16)
      }
      node {
        uuid
        seq
        role
        name
        createdAt
        content
        session {
          sessionId
          title
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<SearchQuery, SearchQueryVariables>;
export const ContextDocument = new TypedDocumentString(`
    query Context($query: String, $userId: ID, $sessionId: ID, $maxTokens: Int!) {
  context(
    query: $query
    userId: $userId
    sessionId: $sessionId
    maxTokens: $maxTokens
  ) {
    text
    tokenCount
    omittedMessages
    summary {
      tokenCount
    }
    messages {
      tokenCount
    }
    recalled {
      message {
        tokenCount
      }
    }
  }
}
    `) as unknown as TypedDocumentString<ContextQuery, ContextQueryVariables>;
export const SessionsDocument = new TypedDocumentString(`
    query Sessions($first: Int, $after: String, $last: Int, $before: String, $filter: SessionFilter) {
  sessions(
    first: $first
    after: $after
    last: $last
    before: $before
    filter: $filter
    orderBy: {field: UPDATED_AT, direction: DESC}
  ) {
    edges {
      node {
        ...SessionRow
      }
    }
    pageInfo {
      hasNextPage
      hasPreviousPage
      startCursor
      endCursor
    }
  }
}
    fragment SessionRow on Session {
  sessionId
  title
  updatedAt
  messageCount
  unreadCount
  archived
  user {
    userId
  }
  lastMessage {
    role
    name
    excerpt
  }
  enrichment {
    pending
    failed
  }
}`) as unknown as TypedDocumentString<SessionsQuery, SessionsQueryVariables>;
export const SessionUpdatedDocument = new TypedDocumentString(`
    subscription SessionUpdated($userId: ID) {
  sessionUpdated(userId: $userId) {
    kind
    sessionId
  }
}
    `) as unknown as TypedDocumentString<SessionUpdatedSubscription, SessionUpdatedSubscriptionVariables>;
export const SessionsFoundDocument = new TypedDocumentString(`
    query SessionsFound($query: String!, $userId: ID, $filter: MessageFilter) {
  search(query: $query, userId: $userId, filter: $filter, first: 100) {
    edges {
      node {
        role
        name
        excerpt
        session {
          ...SessionRow
        }
      }
    }
  }
}
    fragment SessionRow on Session {
  sessionId
  title
  updatedAt
  messageCount
  unreadCount
  archived
  user {
    userId
  }
  lastMessage {
    role
    name
    excerpt
  }
  enrichment {
    pending
    failed
  }
}`) as unknown as TypedDocumentString<SessionsFoundQuery, SessionsFoundQueryVariables>;
export const SessionsNamedDocument = new TypedDocumentString(`
    query SessionsNamed($filter: SessionFilter, $first: Int!) {
  sessions(
    filter: $filter
    first: $first
    orderBy: {field: UPDATED_AT, direction: DESC}
  ) {
    edges {
      node {
        ...SessionRow
      }
    }
    pageInfo {
      hasNextPage
    }
  }
}
    fragment SessionRow on Session {
  sessionId
  title
  updatedAt
  messageCount
  unreadCount
  archived
  user {
    userId
  }
  lastMessage {
    role
    name
    excerpt
  }
  enrichment {
    pending
    failed
  }
}`) as unknown as TypedDocumentString<SessionsNamedQuery, SessionsNamedQueryVariables>;
export const AddSampleDocument = new TypedDocumentString(`
    mutation AddSample($input: AddMemoryInput!) {
  addMemory(input: $input) {
    session {
      sessionId
    }
  }
}
    `) as unknown as TypedDocumentString<AddSampleMutation, AddSampleMutationVariables>;
export const MessageStreamDocument = new TypedDocumentString(`
    subscription MessageStream($uuid: UUID!) {
  messageStream(uuid: $uuid) {
    index
    text
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  uuid
  seq
  revision
  createdAt
  role
  name
  content
  parts
  metadata
  toolCallId
  tokenCount
  status
  enrichment {
    state
    reason
  }
  entities(first: 20) {
    id
    name
    label
    mentionCount
    matches(first: 5) {
      start(unit: UTF16)
      end(unit: UTF16)
    }
  }
}`) as unknown as TypedDocumentString<MessageStreamSubscription, MessageStreamSubscriptionVariables>;
export const SummariesDocument = new TypedDocumentString(`
    query Summaries($sessionId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  session(sessionId: $sessionId) {
    summaries(first: $first, after: $after, last: $last, before: $before) {
      edges {
        node {
          uuid
          content
          firstSeq
          lastSeq
          tokenCount
          stale
          source
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
}
    `) as unknown as TypedDocumentString<SummariesQuery, SummariesQueryVariables>;
export const UserDocument = new TypedDocumentString(`
    query User($userId: ID!) {
  user(userId: $userId) {
    userId
    email
    firstName
    lastName
    createdAt
    metadata
    entities(first: 20) {
      edges {
        node {
          id
          name
          label
          mentionCount
        }
      }
    }
    sessions(last: 100) {
      edges {
        node {
          sessionId
          createdAt
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<UserQuery, UserQueryVariables>;