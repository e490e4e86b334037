import { useQuery } from '@tanstack/react-query';
import { execute } from '../api';
import { countOf } from '../format';
import { graphql } from '../gql';
import { hrefOf } from '../route';
import { Failure } from '../status';
import { Timeline } from './timeline';

const MENTIONS = graphql(`
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
`);

/** When messages mention the entities that a user mentions most, each in a chart of the same time. */
export function Mentions({ userId }: { userId: string }) {
  const { data, error } = useQuery({
    queryKey: ['mentions', userId],
    queryFn: ({ signal }) => execute(MENTIONS, { userId }, signal),
  });
  if (error) return <Failure error={error} />;
  const entities = (data?.user?.entities.edges ?? []).map(({ node: { messages, ...entity } }) => ({
    ...entity,
    times: messages.edges.map(({ node }) => node.createdAt),
    isCut: messages.totalCount > messages.edges.length,
  }));
  const times = entities.flatMap((entity) => entity.times).toSorted();
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined || first === last) return null;
  return (
    <>
      <h2>Most mentioned over time</h2>
      {entities.map(({ id, name, times: mentions, isCut }) => (
        <section key={id} className="mentions">
          <a href={hrefOf('entities', id)}>{name}</a>
          {isCut && <small>latest {countOf(mentions.length, 'message')}</small>}
          <Timeline title={`Messages with ${name}`} times={mentions} within={[first, last]} />
        </section>
      ))}
    </>
  );
}
