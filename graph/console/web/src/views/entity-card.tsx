import { useQuery } from '@tanstack/react-query';
import { type ComponentProps, createContext, type CSSProperties, type KeyboardEvent, use, useEffect, useId, useRef, useState } from 'react';
import { execute } from '../api';
import { countOf } from '../format';
import { graphql } from '../gql';
import { hrefOf } from '../route';

const OCCURRENCES = graphql(`
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
`);

const LONGEST = 60; // characters of a name that a search takes, at most 256 bytes
const WAITING = 300; // milliseconds that a mark is pointed at, or has the focus, before its card opens
const WIDTH = 288; // pixels of a card, as the style sheet has them
const GAP = 4; // pixels between a mark and its card

/** The session whose messages are shown; null where they are of several. */
export const ShownSession = createContext<string | null>(null);

/** Whether the text is within a link, which has no other control in it. */
export const WithinLink = createContext(false);

/** The place of a card beside its mark, within the window. */
function placeBeside(mark: HTMLElement): CSSProperties {
  const { left, top, bottom } = mark.getBoundingClientRect();
  const x = Math.max(GAP, Math.min(left, innerWidth - WIDTH - GAP));
  return bottom < innerHeight / 2 ? { left: x, top: bottom + GAP } : { left: x, bottom: innerHeight - top + GAP };
}

type MarkProps = ComponentProps<'mark'> & { 'data-name'?: string; 'data-label'?: string };

/** A marked part of a text; that of an entity opens a card of where else the entity occurs. */
export function Mark({ 'data-name': name, 'data-label': label, className, title, children }: MarkProps) {
  const sessionId = use(ShownSession);
  const isWithinLink = use(WithinLink);
  if (name === undefined || label === undefined || sessionId === null || isWithinLink) {
    return (
      <mark className={className} title={title}>
        {children}
      </mark>
    );
  }
  return (
    <EntityMark entity={{ sessionId, name, label }} className={className} summary={title ?? ''}>
      {children}
    </EntityMark>
  );
}

interface Marked {
  sessionId: string;
  name: string;
  label: string;
}

type EntityMarkProps = Pick<ComponentProps<'mark'>, 'className' | 'children'> & { entity: Marked; summary: string };

function EntityMark({ entity, className, summary, children }: EntityMarkProps) {
  const [place, setPlace] = useState<CSSProperties | null>(null);
  const mark = useRef<HTMLElement>(null);
  const card = useId();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const isOpen = place !== null;

  function show(after: number, isShown: boolean) {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setPlace((now) => (isShown ? (now ?? (mark.current && placeBeside(mark.current))) : null)), after);
  }
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (!isOpen) return undefined;
    // The card does not move with its mark.
    const close = (event: Event) => {
      if (!(event.target instanceof Element && event.target.closest('.entity-card'))) show(0, false);
    };
    addEventListener('scroll', close, true);
    return () => removeEventListener('scroll', close, true);
  }, [isOpen]);

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'Escape') {
      if (isOpen) mark.current?.focus();
      show(0, false);
    } else if (event.target === mark.current && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      show(0, !isOpen);
    }
  }

  return (
    <span
      onPointerEnter={() => show(WAITING, true)}
      onPointerLeave={() => show(WAITING, false)}
      onFocus={() => show(WAITING, true)}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) show(0, false);
      }}
      onKeyDown={onKeyDown}
    >
      <mark
        ref={mark}
        className={className}
        role="button"
        tabIndex={0}
        aria-expanded={isOpen}
        aria-controls={isOpen ? card : undefined}
        onClick={() => show(0, true)}
      >
        {children}
      </mark>
      {isOpen && (
        <span id={card} className="entity-card" role="group" aria-label={`Occurrences of ${entity.name}`} style={place}>
          <span className="facts">{summary}</span>
          <Occurrences {...entity} />
        </span>
      )}
    </span>
  );
}

/** The one of some entities that has a name; a search finds longer names, too. */
function named<T extends { name: string }>(edges: readonly { node: T }[] | undefined, name: string): T | undefined {
  const wanted = name.toLowerCase();
  return edges?.map(({ node }) => node).find((node) => node.name.toLowerCase() === wanted);
}

function Occurrences({ sessionId, name, label }: Marked) {
  const { data, error, isPending } = useQuery({
    queryKey: ['occurrences', sessionId, name, label],
    queryFn: ({ signal }) => execute(OCCURRENCES, { sessionId, name: name.slice(0, LONGEST), labels: [label] }, signal),
  });
  // No paragraphs: the card stands within one.
  if (error) {
    return (
      <span role="alert" className="failure">
        {error.message}
      </span>
    );
  }
  if (isPending) {
    return (
      <span role="status" className="facts">
        Loading…
      </span>
    );
  }
  const here = named(data.session?.entities.edges, name);
  const everywhere = named(data.session?.user?.entities.edges, name);
  const others = (everywhere?.sessions.edges ?? []).map(({ node }) => node).filter((node) => node.sessionId !== sessionId);
  const left = (everywhere?.sessions.totalCount ?? 0) - (everywhere?.sessions.edges.length ?? 0);
  return (
    <>
      {here && <a href={hrefOf('entities', here.id)}>{countOf(here.mentionCount, 'mention')} in this session</a>}
      {everywhere && <a href={hrefOf('entities', everywhere.id)}>{countOf(everywhere.mentionCount, 'mention')} of the user</a>}
      {others.length > 0 && <span className="facts">Latest other sessions</span>}
      {others.toReversed().map((session) => (
        <a key={session.sessionId} href={hrefOf('sessions', session.sessionId)}>
          {session.title || session.sessionId}
        </a>
      ))}
      {left > 0 && <span className="facts">and {countOf(left, 'earlier session')}</span>}
      {others.length === 0 && (
        <span className="facts">{data.session?.user ? 'In no other session of the user' : 'The session has no user with other sessions'}</span>
      )}
    </>
  );
}
