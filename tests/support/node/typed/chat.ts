// A client as an application writes it: what TypeScript finds wrong here, it would find there.
import { graphql } from "./gql";

export const MessageParts = graphql(`
  fragment MessageParts on Message { id uuid seq role content metadata tokenCount createdAt enrichment { state reason } }
`);

export const Memory = graphql(`
  query Memory($sessionId: ID!, $last: Int) {
    memory(sessionId: $sessionId) {
      id
      summary { id content lastSeq source }
      messages(last: $last) { ...MessageParts entities { id name label matches { start end text } } }
    }
  }
`);

export const Page = graphql(`
  query Page($sessionId: ID!, $first: Int, $after: String) {
    session(sessionId: $sessionId) {
      id
      user { id userId }
      messages(first: $first, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        edges { cursor node { ...MessageParts } }
      }
    }
  }
`);

export const Add = graphql(`
  mutation Add($input: AddMemoryInput!) {
    addMemory(input: $input) { replayed memory { id messages { ...MessageParts } } session { id messageCount } }
  }
`);

export const Added = graphql(`
  subscription Added($sessionId: ID!, $afterSeq: Int) {
    messageAdded(sessionId: $sessionId, afterSeq: $afterSeq) { ...MessageParts }
  }
`);

export const Thing = graphql(`
  query Thing($id: ID!) { node(id: $id) { __typename id ... on Entity { name } ... on Session { sessionId } } }
`);

type Variables<T> = T extends { __apiType?: (variables: infer V) => unknown } ? V : never;
export const asked: Variables<typeof Memory> = { sessionId: "s", last: 10 };
export const sent: Variables<typeof Add> = {
  input: { sessionId: "s", messages: [{ role: "human", content: "Hello", metadata: { any: ["thing"] } }] },
};

type Result<T> = T extends { __apiType?: (variables: never) => infer R } ? R : never;
export function lastSeq(result: Result<typeof Memory>): number | undefined {
  return result.memory?.summary?.lastSeq;
}
// @ts-expect-error a session id is needed
export const wrong: Variables<typeof Memory> = {};
