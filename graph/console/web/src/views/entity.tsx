import { useQuery } from '@tanstack/react-query';
import { execute } from '../api';
import { countOf, formatTime } from '../format';
import { graphql } from '../gql';
import { hrefOf } from '../route';
import { Failure, Loading } from '../status';
import { Content } from './message';
import { Timeline } from './timeline';

const ENTITY = graphql(`
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
`);

/** An entity of a session or a user: when it is mentioned, and where. */
export function Entity({ id }: { id: string }) {
  const { data, error, isPending } = useQuery({
    queryKey: ['entity', id],
    queryFn: ({ signal }) => execute(ENTITY, { id }, signal),
  });
  if (error) {
    return (
      <main>
        <Failure error={error} />
      </main>
    );
  }
  if (isPending) {
    return (
      <main>
        <Loading />
      </main>
    );
  }
  const entity = data.node;
  if (!entity || !('mentionCount' in entity)) {
    return (
      <main>
        <p>This entity does not exist any more, or your credentials do not show it.</p>
      </main>
    );
  }
  const messages = entity.messages.edges.map((edge) => edge.node);
  const left = entity.messages.totalCount - messages.length;
  return (
    <main>
      <h1>{entity.name}</h1>
      <p className="facts">
        <span className="badge">{entity.label}</span>
        <span>{countOf(entity.mentionCount, 'mention')}</span>
        <span>
          from {formatTime(entity.firstSeenAt)} to {formatTime(entity.lastSeenAt)}
        </span>
      </p>
      <Timeline title={`Mentions of ${entity.name}`} times={messages.map((message) => message.createdAt)} />
      <ol className="results" aria-label="Messages">
        {messages.map((message) => (
          <li key={message.uuid}>
            <p className="facts">
              <a href={hrefOf('sessions', message.session.sessionId, { seq: String(message.seq) })}>
                {message.session.title || message.session.sessionId} #{message.seq}
              </a>
              <span>{message.name ?? message.role}</span>
              <time dateTime={message.createdAt}>{formatTime(message.createdAt)}</time>
            </p>
            <Content text={message.content} ranges={[]} />
          </li>
        ))}
      </ol>
      {left > 0 && <p className="quiet">{countOf(left, 'earlier message')} not shown.</p>}
    </main>
  );
}
