// Client of RecallQL, the conversation memory API.

export { type AddedMemory, type Change, type Message, type Piece, type PoppedMessage, type PromptContext, RecallQL, type SearchHit } from "./client.js";
export {
  BadUserInput,
  Conflict,
  ConnectionLost,
  Forbidden,
  Internal,
  NotFound,
  RecallQLError,
  type ResponseError,
  TooCostly,
  Unauthenticated,
  Unavailable,
} from "./errors.js";
export type { MessageFilter, MessageInput, MetadataFilter, SearchMode, TypedDocumentString } from "./generated.js";
export type { Options, Sending, Transport } from "./transport.js";
