import type { Root, Text } from 'mdast';
import { useState } from 'react';
import Markdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { SKIP, visit } from 'unist-util-visit';
import { countOf, formatTime } from '../format';
import { graphql } from '../gql';
import type { MessageFieldsFragment } from '../gql/graphql';
import { Mark, WithinLink } from './entity-card';
import { useStreamed } from './streamed';

export type MessageFields = MessageFieldsFragment;

const MESSAGE = graphql(`
  query Message($uuid: UUID!) {
    message(uuid: $uuid) {
      ...MessageFields
    }
  }
`);

/** A range of a text in UTF-16 code units, with what it stands for. */
interface Range {
  start: number;
  end: number;
  title: string;
  kind: string;
  /** The name and the label of the entity that it mentions. */
  entity?: { name: string; label: string };
}

export interface MessageActions {
  onEdit: (message: MessageFields, content: string) => Promise<unknown>;
  onDelete: (message: MessageFields) => void;
  onFork: (message: MessageFields) => void;
  onRetry: (message: MessageFields) => void;
  /** Gets a message that was being written, at its end. */
  onEnd: (message: MessageFields) => void;
}

/** Marks ranges of the source in the text nodes of a Markdown document. */
function remarkRanges(ranges: Range[]) {
  return () => (tree: Root) => {
    visit(tree, 'text', (node, index, parent) => {
      const start = node.position?.start.offset;
      const end = node.position?.end.offset;
      // A node with an escape or a character reference is shorter than its source: its offsets say nothing.
      if (start === undefined || end === undefined || index === undefined || !parent) return undefined;
      if (end - start !== node.value.length) return undefined;
      const inside = ranges.filter((range) => range.start >= start && range.end <= end);
      if (inside.length === 0) return undefined;
      const nodes = split(node.value, start, inside);
      parent.children.splice(index, 1, ...(nodes as Text[]));
      return [SKIP, index + nodes.length];
    });
  };
}

function split(text: string, offset: number, ranges: Range[]): object[] {
  const nodes: object[] = [];
  let at = 0;
  for (const { start, end, title, kind, entity } of ranges.toSorted((a, b) => a.start - b.start)) {
    if (start - offset < at) continue; // it overlaps with the range before
    nodes.push({ type: 'text', value: text.slice(at, start - offset) });
    nodes.push({
      type: 'mark',
      data: { hName: 'mark', hProperties: { title, className: kind.split(' '), dataName: entity?.name, dataLabel: entity?.label } },
      children: [{ type: 'text', value: text.slice(start - offset, end - offset) }],
    });
    at = end - offset;
  }
  nodes.push({ type: 'text', value: text.slice(at) });
  return nodes;
}

const COMPONENTS: Components = {
  // An image would ask another host, which the page's policy forbids.
  img: ({ src, alt }) => (
    <a href={String(src)} target="_blank" rel="noreferrer noopener">
      {alt || 'image'}
    </a>
  ),
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noreferrer noopener">
      <WithinLink value={true}>{children}</WithinLink>
    </a>
  ),
  mark: Mark,
  // A checked box in a list of tasks has no label of its own.
  input: ({ checked }) => <span>{checked ? '☑' : '☐'}</span>,
};

export function Content({ text, ranges }: { text: string; ranges: Range[] }) {
  return (
    <div className="content">
      <Markdown remarkPlugins={[remarkGfm, remarkRanges(ranges)]} components={COMPONENTS}>
        {text}
      </Markdown>
    </div>
  );
}

/** The colours of entities: spaCy's labels in a few kinds. */
const KINDS: Record<string, string> = {
  PERSON: 'person',
  ORG: 'group',
  NORP: 'group',
  GPE: 'place',
  LOC: 'place',
  FAC: 'place',
  DATE: 'time',
  TIME: 'time',
};

function entityRanges(message: MessageFields): Range[] {
  return message.entities.flatMap(({ label, name, mentionCount, matches }) =>
    matches.map(({ start, end }) => ({
      start,
      end,
      kind: `entity ${KINDS[label] ?? 'other'}`,
      entity: { name, label },
      title: `${label}: ${name}, ${countOf(mentionCount, 'mention')} in this message`,
    })),
  );
}

interface Part {
  type?: unknown;
  [key: string]: unknown;
}

function Parts({ parts }: { parts: Part[] }) {
  return parts
    .filter((part) => part.type !== 'text')
    .map((part, index) => {
      const name = part.toolName ?? part.name;
      return (
        // Parts have no id of their own.
        <details key={index} className="part">
          <summary>
            {String(part.type)}
            {typeof name === 'string' && <code>{name}</code>}
          </summary>
          <pre tabIndex={0}>{JSON.stringify(part, null, 2)}</pre>
        </details>
      );
    });
}

/** The message as the API returns it, and the query for it. */
function Raw({ message }: { message: MessageFields }) {
  // The generated text of a fragment begins with spaces.
  const query = MESSAGE.toString().trim().replace(/^ +fragment/gm, '\nfragment');
  const variables = JSON.stringify({ uuid: message.uuid });
  return (
    <div className="raw">
      <pre tabIndex={0} aria-label={`Message ${message.seq} as JSON`}>
        {JSON.stringify(message, null, 2)}
      </pre>
      <pre tabIndex={0} aria-label={`Query for message ${message.seq}`}>
        {query}
      </pre>
      <p className="row">
        Variables: <code>{variables}</code>
        <a href={`graphql#${new URLSearchParams({ query, variables })}`} target="_blank" rel="noreferrer">
          Open in the explorer
        </a>
      </p>
    </div>
  );
}

export function MessageView({ message, actions, isTarget }: { message: MessageFields; actions: MessageActions; isTarget: boolean }) {
  const [draft, setDraft] = useState<string | null>(null);
  const [isRaw, setIsRaw] = useState(false);
  const { enrichment, status } = message;
  const text = useStreamed(message, actions.onEnd);
  return (
    <article className={`message ${message.role === 'user' || message.role === 'human' ? 'own' : ''}`} data-target={isTarget || undefined}>
      <header>
        <strong>{message.name ?? message.role}</strong>
        <span>#{message.seq}</span>
        <time dateTime={message.createdAt}>{formatTime(message.createdAt)}</time>
        <span>{countOf(message.tokenCount, 'token')}</span>
        {status !== 'COMPLETE' && <span className="badge">{status.toLowerCase()}</span>}
        {enrichment.state === 'PENDING' && <span className="badge">pending</span>}
        {enrichment.state === 'FAILED' && (
          <span className="badge bad" title={enrichment.reason ?? ''}>
            failed
          </span>
        )}
      </header>
      {draft === null ? (
        <Content text={text} ranges={entityRanges(message)} />
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            actions.onEdit(message, draft).then(
              () => setDraft(null),
              () => undefined, // the view shows the error, and the draft stays
            );
          }}
        >
          <textarea aria-label={`Content of message ${message.seq}`} value={draft} rows={4} onChange={(event) => setDraft(event.target.value)} />
          <div className="row">
            <button type="submit" className="primary">
              Save
            </button>
            <button type="button" onClick={() => setDraft(null)}>
              Cancel
            </button>
          </div>
        </form>
      )}
      <Parts parts={message.parts as Part[]} />
      {isRaw && <Raw message={message} />}
      <footer>
        <button type="button" onClick={() => setDraft(message.content)}>
          Edit
        </button>
        <button type="button" onClick={() => actions.onFork(message)}>
          Fork here
        </button>
        <button type="button" onClick={() => actions.onDelete(message)}>
          Delete
        </button>
        {enrichment.state === 'FAILED' && (
          <button type="button" onClick={() => actions.onRetry(message)}>
            Retry enrichment
          </button>
        )}
        <button type="button" aria-expanded={isRaw} onClick={() => setIsRaw(!isRaw)}>
          JSON
        </button>
      </footer>
    </article>
  );
}
