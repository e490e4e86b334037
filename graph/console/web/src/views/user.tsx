import { useQuery } from '@tanstack/react-query';
import { execute } from '../api';
import { countOf, formatTime } from '../format';
import { graphql } from '../gql';
import { hrefOf } from '../route';
import { Failure, Loading } from '../status';
import { Mentions } from './mentions';
import { Timeline } from './timeline';

const USER = graphql(`
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
`);

export function User({ userId }: { userId: string }) {
  const { data, error, isPending } = useQuery({
    queryKey: ['user', userId],
    queryFn: ({ signal }) => execute(USER, { userId }, signal),
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
  const { user } = data;
  if (!user) {
    return (
      <main>
        <h1>{userId}</h1>
        <p>This user does not exist, or your credentials do not show it.</p>
      </main>
    );
  }
  const most = user.entities.edges[0]?.node.mentionCount ?? 1;
  const name = [user.firstName, user.lastName].filter(Boolean).join(' ');
  return (
    <main>
      <h1>{name || user.userId}</h1>
      <p className="facts">
        <code>{user.userId}</code>
        {user.email && <span>{user.email}</span>}
        <span>since {formatTime(user.createdAt)}</span>
        <a href={hrefOf('sessions', null, { user: userId })}>Sessions</a>
        <a href={hrefOf('recall', null, { user: userId })}>Search</a>
      </p>
      <Timeline title="New sessions" times={user.sessions.edges.map(({ node }) => node.createdAt)} />
      <h2>Entities</h2>
      {user.entities.edges.length === 0 ? (
        <p className="quiet">The user’s messages have no entities yet.</p>
      ) : (
        <ul className="bars">
          {user.entities.edges.map(({ node }) => (
            <li key={node.id}>
              <a href={hrefOf('entities', node.id)}>{node.name}</a>
              <small>{node.label}</small>
              <meter min={0} max={most} value={node.mentionCount} aria-label={`Mentions of ${node.name}`} />
              <span>{countOf(node.mentionCount, 'mention')}</span>
            </li>
          ))}
        </ul>
      )}
      <Mentions userId={userId} />
      <h2>Metadata</h2>
      <pre tabIndex={0}>{JSON.stringify(user.metadata, null, 2)}</pre>
    </main>
  );
}
