/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** The message to abort. */
export type AbortMessageInput = {
  /** UUID of the message. */
  uuid: string;
};

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
  sessionId: string;
  /** Your own id of the user that the session belongs to. The user can't change later. */
  userId?: string | null | undefined;
};

/** The next pieces of a message. */
export type AppendMessageInput = {
  /** 1 to 1,000 pieces with consecutive indexes. A message has at most 20,000 pieces, with texts and data of 1 MiB together. */
  pieces: Array<PieceInput>;
  /** UUID of the message. */
  uuid: string;
};

/** A session to create. */
export type CreateSessionInput = {
  /** A time to come: from then on, the session is as deleted. */
  expiresAt?: string | null | undefined;
  /** Any JSON object, at most 256 KiB. */
  metadata?: unknown;
  /** Your own id of the session, at most 512 bytes. */
  sessionId: string;
  /** Its title, at most 1,024 bytes. */
  title?: string | null | undefined;
  /** Your own id of the user that the session belongs to; an unknown user is created. It can't change later. */
  userId?: string | null | undefined;
};

/** A span of time, without a limit on a side that is left out. */
export type DateTimeRange = {
  /** The start, included. */
  since?: string | null | undefined;
  /** The end, excluded. */
  until?: string | null | undefined;
};

/** Items of a user to delete. */
export type DeleteItemsInput = {
  /** The places of 1 to 100 items. */
  items: Array<ItemPlace>;
  /** Your own id of the user. */
  userId: string;
};

/** The session whose memory is to be deleted. */
export type DeleteMemoryInput = {
  /** Your own id of the session. */
  sessionId: string;
};

/** The session to delete. */
export type DeleteSessionInput = {
  /** Your own id of the session. */
  sessionId: string;
};

/** The end of a message. */
export type FinishMessageInput = {
  /** The text, at most 1 MiB; by default the text of the parts, or else of the pieces. */
  content?: string | null | undefined;
  /** A JSON Merge Patch (RFC 7396) for the metadata: objects merge at every level, other values replace, and a null removes its key. */
  metadata?: unknown;
  /** The content in the form of model APIs, as `addMemory` takes it. */
  parts?: Array<unknown> | null | undefined;
  /** UUID of the message. */
  uuid: string;
};

/** A condition on the value at a path in an item: give path or segments, and one of the comparisons. Numbers are in an order with numbers, and texts with texts, by code points. */
export type ItemFilter = {
  /** A number or text that the value is equal to or greater than. */
  atLeast?: unknown;
  /** A number or text that the value is equal to or less than. */
  atMost?: unknown;
  /** The JSON value at the path; numbers are compared by value, and objects independent of the order of their keys. null matches a null, not an absent value. */
  equals?: unknown;
  /** Whether a value, null included, must or must not be at the path. */
  exists?: boolean | null | undefined;
  /** A number or text that the value is greater than. */
  greaterThan?: unknown;
  /** A number or text that the value is less than. */
  lessThan?: unknown;
  /** A JSON value that is not at the path; an absent value meets this. */
  notEquals?: unknown;
  /** Keys from the outermost one, with dots between them: `customer.plan`. */
  path?: string | null | undefined;
  /** The path as a list of keys, which may have dots or be empty. In a list, a whole number is the index of an item, from 0. */
  segments?: Array<string> | null | undefined;
};

/** An item to store. */
export type ItemInput = {
  /** The `Item.revision` that you read, or 0 for an item that must not exist. CONFLICT otherwise, with the current one in `extensions.revision`. */
  expectedRevision?: number | null | undefined;
  /** A time to come: from then on, the item is as deleted. Not together with ttl. */
  expiresAt?: string | null | undefined;
  /** Paths to the texts by which a search finds the item, at most 20: `title`, `author.name`, `chapters[*].text`, `tags[0]`, `*`, or `$` for the whole value. Null for the whole value; empty for none. Of an item, 8 texts with 10,000 characters together are compared. */
  index?: Array<string> | null | undefined;
  /** Its key in the namespace, at most 512 bytes. */
  key: string;
  /** The labels of its namespace: 1 to 16, each of at most 256 bytes. */
  namespace: Array<string>;
  /** Minutes until the item expires; `renewItems` begins them again. */
  ttl?: number | null | undefined;
  /** Any JSON object, at most 256 KiB. */
  value: unknown;
};

/** The place of an item. */
export type ItemPlace = {
  /** Its key in the namespace. */
  key: string;
  /** The labels of its namespace. */
  namespace: Array<string>;
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
  sessionIds?: Array<string> | null | undefined;
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

/** A piece of a message. */
export type PieceInput = {
  /** A text for readers of `messageStream`, at most 64 KiB: the event of a model API as JSON, for example. It is no part of the content, and goes with the pieces. */
  data?: string | null | undefined;
  /** Place of the piece in the message: 0, 1, 2, … */
  index: number;
  /** The text of the piece, at most 64 KiB. */
  text: string;
};

/** The session whose newest message is to be deleted. */
export type PopMessageInput = {
  /** The `Session.revision` that you read. CONFLICT if the session changed since, with the current one in `extensions.revision`. It makes a retry safe: without it, each call deletes a message. */
  expectedRevision?: number | null | undefined;
  /** The `Session.uuid` that you read. CONFLICT if the session is another one, which was made with the same id after a deletion: its revisions begin again, and may be equal. */
  expectedUuid?: string | null | undefined;
  /** Your own id of the session. */
  sessionId: string;
};

/** Items of a user to store. */
export type PutItemsInput = {
  /** 1 to 100 items, at different places. */
  items: Array<ItemInput>;
  /** Your own id of the user, at most 512 bytes; an unknown user is created. */
  userId: string;
};

/** Items of a user to renew. */
export type RenewItemsInput = {
  /** The places of 1 to 100 items. */
  items: Array<ItemPlace>;
  /** Your own id of the user. */
  userId: string;
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
  userId?: string | null | undefined;
};

/** A message whose text comes in pieces. */
export type StartMessageInput = {
  /** Any JSON object, at most 256 KiB. */
  metadata?: unknown;
  /** The name of the speaker, at most 256 bytes. */
  name?: string | null | undefined;
  /** UUID of the message that this one follows, as in `MessageInput`; by default the session's `head`. */
  parentUuid?: string | null | undefined;
  /** The role of the speaker, at most 256 bytes. End users may send only the configured roles. */
  role: string;
  /** Your own id of the session, at most 512 bytes. An unknown session is created. */
  sessionId: string;
  /** The tool call that the message answers, at most 512 bytes. */
  toolCallId?: string | null | undefined;
  /** Your own id of the user that the session belongs to. */
  userId?: string | null | undefined;
  /** Your own UUID for the message. A repeated call with the same UUID, role, name and toolCallId changes nothing; a UUID in use is refused otherwise (CONFLICT). */
  uuid?: string | null | undefined;
};

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

export type MessageFieldsFragment = { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus };

export type AddMemoryMutationVariables = Exact<{
  input: AddMemoryInput;
}>;


export type AddMemoryMutation = { addMemory: { replayed: boolean, memory: { uuid: string, tokenCount: number, messages: Array<{ id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus }> }, session: { sessionId: string, revision: number, messageCount: number } } };

export type MessagesQueryVariables = Exact<{
  sessionId: string;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  filter?: MessageFilter | null | undefined;
}>;


export type MessagesQuery = { session: { messages: { edges: Array<{ cursor: string, node: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } } | null };

export type ContextQueryVariables = Exact<{
  maxTokens: number;
  query?: string | null | undefined;
  userId?: string | null | undefined;
  sessionId?: string | null | undefined;
  recent?: number | null | undefined;
}>;


export type ContextQuery = { context: { text: string, tokenCount: number, omittedMessages: number, messages: Array<{ id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus }>, recalled: Array<{ score: number, message: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus, session: { sessionId: string } } }> } };

export type SearchQueryVariables = Exact<{
  query: string;
  userId?: string | null | undefined;
  sessionId?: string | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
  filter?: MessageFilter | null | undefined;
  mode?: SearchMode | null | undefined;
}>;


export type SearchQuery = { search: { edges: Array<{ cursor: string, score: number, node: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus, session: { sessionId: string } } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type FollowSubscriptionVariables = Exact<{
  sessionId: string;
  afterSeq?: number | null | undefined;
}>;


export type FollowSubscription = { messageAdded: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus } };

export type ChangesSubscriptionVariables = Exact<{
  sessionId: string;
  sinceRevision?: number | null | undefined;
}>;


export type ChangesSubscription = { messageUpdated: { kind: MessageUpdateKind, seq: number, uuid: string | null, revision: number, message: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus } | null } };

export type FollowStreamSubscriptionVariables = Exact<{
  uuid: string;
  afterIndex?: number | null | undefined;
}>;


export type FollowStreamSubscription = { messageStream: { index: number | null, text: string, data: string | null, done: boolean, status: MessageStatus, message: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus } | null } };

export type SessionFieldsFragment = { sessionId: string, uuid: string, createdAt: string, updatedAt: string, revision: number, metadata: unknown, messageCount: number, user: { userId: string } | null };

export type CreateSessionMutationVariables = Exact<{
  input: CreateSessionInput;
}>;


export type CreateSessionMutation = { createSession: { session: { sessionId: string, uuid: string, createdAt: string, updatedAt: string, revision: number, metadata: unknown, messageCount: number, user: { userId: string } | null } } };

export type SessionQueryVariables = Exact<{
  sessionId: string;
}>;


export type SessionQuery = { session: { sessionId: string, uuid: string, createdAt: string, updatedAt: string, revision: number, metadata: unknown, messageCount: number, user: { userId: string } | null } | null };

export type SessionsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
  filter?: SessionFilter | null | undefined;
}>;


export type SessionsQuery = { sessions: { edges: Array<{ node: { sessionId: string, uuid: string, createdAt: string, updatedAt: string, revision: number, metadata: unknown, messageCount: number, user: { userId: string } | null } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type DeleteSessionMutationVariables = Exact<{
  input: DeleteSessionInput;
}>;


export type DeleteSessionMutation = { deleteSession: { deletedId: string } };

export type StartMessageMutationVariables = Exact<{
  input: StartMessageInput;
}>;


export type StartMessageMutation = { startMessage: { replayed: boolean, message: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus } } };

export type AppendMessageMutationVariables = Exact<{
  input: AppendMessageInput;
}>;


export type AppendMessageMutation = { appendMessage: { nextIndex: number } };

export type FinishMessageMutationVariables = Exact<{
  input: FinishMessageInput;
}>;


export type FinishMessageMutation = { finishMessage: { message: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus } } };

export type AbortMessageMutationVariables = Exact<{
  input: AbortMessageInput;
}>;


export type AbortMessageMutation = { abortMessage: { message: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus } } };

export type UpdateMessageMutationVariables = Exact<{
  input: UpdateMessageInput;
}>;


export type UpdateMessageMutation = { updateMessage: { message: { id: string, uuid: string, seq: number, createdAt: string, updatedAt: string, revision: number, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number, status: MessageStatus } } };

export type DeleteMemoryMutationVariables = Exact<{
  input: DeleteMemoryInput;
}>;


export type DeleteMemoryMutation = { deleteMemory: { deletedId: string } };

export type PopMessageMutationVariables = Exact<{
  input: PopMessageInput;
}>;


export type PopMessageMutation = { popMessage: { poppedMessage: { id: string, uuid: string, seq: number, createdAt: string, role: string, name: string | null, toolCallId: string | null, content: string, parts: Array<unknown>, metadata: unknown, tokenCount: number } | null } };

export type ItemFieldsFragment = { namespace: Array<string>, key: string, value: unknown, revision: number, createdAt: string, updatedAt: string, ttl: number | null, expiresAt: string | null };

export type ItemQueryVariables = Exact<{
  userId: string;
  namespace: Array<string> | string;
  key: string;
}>;


export type ItemQuery = { item: { namespace: Array<string>, key: string, value: unknown, revision: number, createdAt: string, updatedAt: string, ttl: number | null, expiresAt: string | null } | null };

export type ItemsQueryVariables = Exact<{
  userId: string;
  namespacePrefix?: Array<string> | string | null | undefined;
  filter?: Array<ItemFilter> | ItemFilter | null | undefined;
  query?: string | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type ItemsQuery = { items: { edges: Array<{ score: number | null, node: { namespace: Array<string>, key: string, value: unknown, revision: number, createdAt: string, updatedAt: string, ttl: number | null, expiresAt: string | null } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } };

export type ItemNamespacesQueryVariables = Exact<{
  userId: string;
  prefix?: Array<string> | string | null | undefined;
  suffix?: Array<string> | string | null | undefined;
  maxDepth?: number | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type ItemNamespacesQuery = { itemNamespaces: { edges: Array<{ node: { namespace: Array<string> } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type PutItemsMutationVariables = Exact<{
  input: PutItemsInput;
}>;


export type PutItemsMutation = { putItems: { items: Array<{ key: string }> } };

export type RenewItemsMutationVariables = Exact<{
  input: RenewItemsInput;
}>;


export type RenewItemsMutation = { renewItems: { items: Array<{ key: string }> } };

export type DeleteItemsMutationVariables = Exact<{
  input: DeleteItemsInput;
}>;


export type DeleteItemsMutation = { deleteItems: { deletedIds: Array<string> } };

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
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}
    `, {"fragmentName":"MessageFields"}) as unknown as TypedDocumentString<MessageFieldsFragment, unknown>;
export const SessionFieldsFragmentDoc = new TypedDocumentString(`
    fragment SessionFields on Session {
  sessionId
  uuid
  user {
    userId
  }
  createdAt
  updatedAt
  revision
  metadata
  messageCount
}
    `, {"fragmentName":"SessionFields"}) as unknown as TypedDocumentString<SessionFieldsFragment, unknown>;
export const ItemFieldsFragmentDoc = new TypedDocumentString(`
    fragment ItemFields on Item {
  namespace
  key
  value
  revision
  createdAt
  updatedAt
  ttl
  expiresAt
}
    `, {"fragmentName":"ItemFields"}) as unknown as TypedDocumentString<ItemFieldsFragment, unknown>;
export const AddMemoryDocument = new TypedDocumentString(`
    mutation AddMemory($input: AddMemoryInput!) {
  addMemory(input: $input) {
    replayed
    memory {
      uuid
      tokenCount
      messages {
        ...MessageFields
      }
    }
    session {
      sessionId
      revision
      messageCount
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<AddMemoryMutation, AddMemoryMutationVariables>;
export const MessagesDocument = new TypedDocumentString(`
    query Messages($sessionId: ID!, $first: Int, $after: String, $last: Int, $before: String, $filter: MessageFilter) {
  session(sessionId: $sessionId) {
    messages(
      first: $first
      after: $after
      last: $last
      before: $before
      filter: $filter
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
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<MessagesQuery, MessagesQueryVariables>;
export const ContextDocument = new TypedDocumentString(`
    query Context($maxTokens: Int!, $query: String, $userId: ID, $sessionId: ID, $recent: Int) {
  context(
    maxTokens: $maxTokens
    query: $query
    userId: $userId
    sessionId: $sessionId
    recent: $recent
  ) {
    text
    tokenCount
    omittedMessages
    messages {
      ...MessageFields
    }
    recalled {
      score
      message {
        ...MessageFields
        session {
          sessionId
        }
      }
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<ContextQuery, ContextQueryVariables>;
export const SearchDocument = new TypedDocumentString(`
    query Search($query: String!, $userId: ID, $sessionId: ID, $first: Int, $after: String, $filter: MessageFilter, $mode: SearchMode) {
  search(
    query: $query
    userId: $userId
    sessionId: $sessionId
    first: $first
    after: $after
    filter: $filter
    mode: $mode
  ) {
    edges {
      cursor
      score
      node {
        ...MessageFields
        session {
          sessionId
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<SearchQuery, SearchQueryVariables>;
export const FollowDocument = new TypedDocumentString(`
    subscription Follow($sessionId: ID!, $afterSeq: Int) {
  messageAdded(sessionId: $sessionId, afterSeq: $afterSeq) {
    ...MessageFields
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<FollowSubscription, FollowSubscriptionVariables>;
export const ChangesDocument = new TypedDocumentString(`
    subscription Changes($sessionId: ID!, $sinceRevision: Int) {
  messageUpdated(sessionId: $sessionId, sinceRevision: $sinceRevision) {
    kind
    seq
    uuid
    revision
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<ChangesSubscription, ChangesSubscriptionVariables>;
export const FollowStreamDocument = new TypedDocumentString(`
    subscription FollowStream($uuid: UUID!, $afterIndex: Int) {
  messageStream(uuid: $uuid, afterIndex: $afterIndex) {
    index
    text
    data
    done
    status
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<FollowStreamSubscription, FollowStreamSubscriptionVariables>;
export const CreateSessionDocument = new TypedDocumentString(`
    mutation CreateSession($input: CreateSessionInput!) {
  createSession(input: $input) {
    session {
      ...SessionFields
    }
  }
}
    fragment SessionFields on Session {
  sessionId
  uuid
  user {
    userId
  }
  createdAt
  updatedAt
  revision
  metadata
  messageCount
}`) as unknown as TypedDocumentString<CreateSessionMutation, CreateSessionMutationVariables>;
export const SessionDocument = new TypedDocumentString(`
    query Session($sessionId: ID!) {
  session(sessionId: $sessionId) {
    ...SessionFields
  }
}
    fragment SessionFields on Session {
  sessionId
  uuid
  user {
    userId
  }
  createdAt
  updatedAt
  revision
  metadata
  messageCount
}`) as unknown as TypedDocumentString<SessionQuery, SessionQueryVariables>;
export const SessionsDocument = new TypedDocumentString(`
    query Sessions($first: Int, $after: String, $filter: SessionFilter) {
  sessions(first: $first, after: $after, filter: $filter) {
    edges {
      node {
        ...SessionFields
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    fragment SessionFields on Session {
  sessionId
  uuid
  user {
    userId
  }
  createdAt
  updatedAt
  revision
  metadata
  messageCount
}`) as unknown as TypedDocumentString<SessionsQuery, SessionsQueryVariables>;
export const DeleteSessionDocument = new TypedDocumentString(`
    mutation DeleteSession($input: DeleteSessionInput!) {
  deleteSession(input: $input) {
    deletedId
  }
}
    `) as unknown as TypedDocumentString<DeleteSessionMutation, DeleteSessionMutationVariables>;
export const StartMessageDocument = new TypedDocumentString(`
    mutation StartMessage($input: StartMessageInput!) {
  startMessage(input: $input) {
    replayed
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<StartMessageMutation, StartMessageMutationVariables>;
export const AppendMessageDocument = new TypedDocumentString(`
    mutation AppendMessage($input: AppendMessageInput!) {
  appendMessage(input: $input) {
    nextIndex
  }
}
    `) as unknown as TypedDocumentString<AppendMessageMutation, AppendMessageMutationVariables>;
export const FinishMessageDocument = new TypedDocumentString(`
    mutation FinishMessage($input: FinishMessageInput!) {
  finishMessage(input: $input) {
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<FinishMessageMutation, FinishMessageMutationVariables>;
export const AbortMessageDocument = new TypedDocumentString(`
    mutation AbortMessage($input: AbortMessageInput!) {
  abortMessage(input: $input) {
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<AbortMessageMutation, AbortMessageMutationVariables>;
export const UpdateMessageDocument = new TypedDocumentString(`
    mutation UpdateMessage($input: UpdateMessageInput!) {
  updateMessage(input: $input) {
    message {
      ...MessageFields
    }
  }
}
    fragment MessageFields on Message {
  id
  uuid
  seq
  createdAt
  updatedAt
  revision
  role
  name
  toolCallId
  content
  parts
  metadata
  tokenCount
  status
}`) as unknown as TypedDocumentString<UpdateMessageMutation, UpdateMessageMutationVariables>;
export const DeleteMemoryDocument = new TypedDocumentString(`
    mutation DeleteMemory($input: DeleteMemoryInput!) {
  deleteMemory(input: $input) {
    deletedId
  }
}
    `) as unknown as TypedDocumentString<DeleteMemoryMutation, DeleteMemoryMutationVariables>;
export const PopMessageDocument = new TypedDocumentString(`
    mutation PopMessage($input: PopMessageInput!) {
  popMessage(input: $input) {
    poppedMessage {
      id
      uuid
      seq
      createdAt
      role
      name
      toolCallId
      content
      parts
      metadata
      tokenCount
    }
  }
}
    `) as unknown as TypedDocumentString<PopMessageMutation, PopMessageMutationVariables>;
export const ItemDocument = new TypedDocumentString(`
    query Item($userId: ID!, $namespace: [String!]!, $key: String!) {
  item(userId: $userId, namespace: $namespace, key: $key) {
    ...ItemFields
  }
}
    fragment ItemFields on Item {
  namespace
  key
  value
  revision
  createdAt
  updatedAt
  ttl
  expiresAt
}`) as unknown as TypedDocumentString<ItemQuery, ItemQueryVariables>;
export const ItemsDocument = new TypedDocumentString(`
    query Items($userId: ID!, $namespacePrefix: [String!], $filter: [ItemFilter!], $query: String, $first: Int, $after: String, $last: Int, $before: String) {
  items(
    userId: $userId
    namespacePrefix: $namespacePrefix
    filter: $filter
    query: $query
    first: $first
    after: $after
    last: $last
    before: $before
  ) {
    edges {
      score
      node {
        ...ItemFields
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
    fragment ItemFields on Item {
  namespace
  key
  value
  revision
  createdAt
  updatedAt
  ttl
  expiresAt
}`) as unknown as TypedDocumentString<ItemsQuery, ItemsQueryVariables>;
export const ItemNamespacesDocument = new TypedDocumentString(`
    query ItemNamespaces($userId: ID!, $prefix: [String!], $suffix: [String!], $maxDepth: Int, $first: Int, $after: String) {
  itemNamespaces(
    userId: $userId
    prefix: $prefix
    suffix: $suffix
    maxDepth: $maxDepth
    first: $first
    after: $after
  ) {
    edges {
      node {
        namespace
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<ItemNamespacesQuery, ItemNamespacesQueryVariables>;
export const PutItemsDocument = new TypedDocumentString(`
    mutation PutItems($input: PutItemsInput!) {
  putItems(input: $input) {
    items {
      key
    }
  }
}
    `) as unknown as TypedDocumentString<PutItemsMutation, PutItemsMutationVariables>;
export const RenewItemsDocument = new TypedDocumentString(`
    mutation RenewItems($input: RenewItemsInput!) {
  renewItems(input: $input) {
    items {
      key
    }
  }
}
    `) as unknown as TypedDocumentString<RenewItemsMutation, RenewItemsMutationVariables>;
export const DeleteItemsDocument = new TypedDocumentString(`
    mutation DeleteItems($input: DeleteItemsInput!) {
  deleteItems(input: $input) {
    deletedIds
  }
}
    `) as unknown as TypedDocumentString<DeleteItemsMutation, DeleteItemsMutationVariables>;