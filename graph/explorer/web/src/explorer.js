import { useMonaco } from '@graphiql/react';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { Kind, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { createElement, useEffect } from 'react';
import { createRoot } from 'react-dom/client';

/** The page's own address takes the queries, whatever proxy or prefix it is behind. */
const url = new URL(location.pathname, location.origin);
const webSocketUrl = new URL(url);
webSocketUrl.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';

/** A browser can't send headers with a WebSocket: the token travels in `connection_init`. */
function connectionParams(headers) {
  const authorization = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization');
  return authorization ? { authorization: authorization[1] } : {};
}

/**
 * GraphiQL reads an editor's operations a moment after its text: run right after a change of tab, a query would go with the
 * name and the kind of the tab before. So both are read from the text that is sent.
 */
function operationOf(params, options) {
  let documentAST;
  try {
    documentAST = parse(params.query);
  } catch {
    return [params, options]; // the server says what is wrong
  }
  const names = documentAST.definitions
    .filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)
    .map(({ name }) => name?.value);
  const stale = names.length === 1 && names[0] !== params.operationName;
  return [stale ? { ...params, operationName: names[0] } : params, { ...options, documentAST }];
}

/** The headers that a tab sent last: a tab without headers of its own sends them, too. */
let sharedHeaders;

function headersOf(options) {
  if (options?.headers) sharedHeaders = options.headers;
  return sharedHeaders;
}

const MOST_EVENTS = 100;

/** GraphiQL shows the last result alone: each result of a subscription has the events before it, the oldest first. */
async function* withEventsBefore(results) {
  const events = [];
  for await (const result of results) {
    events.push(result);
    if (events.length > MOST_EVENTS) events.shift();
    yield { events: [...events] };
  }
}

function isSubscription({ operationName }, { documentAST }) {
  return documentAST?.definitions.some(
    ({ operation, name }) => operation === 'subscription' && (!operationName || name?.value === operationName),
  );
}

async function fetcher(params, options) {
  const headers = headersOf(options);
  // A client of its own for each run (it connects when a subscription starts), so that each uses the current token.
  const wsClient = createClient({ url: webSocketUrl.href, connectionParams: connectionParams(headers) });
  const operation = operationOf(params, { ...options, headers });
  const results = await createGraphiQLFetcher({ url: url.href, wsClient })(...operation);
  return isSubscription(...operation) && Symbol.asyncIterator in results ? withEventsBefore(results) : results;
}

const { tabs, console: hasConsole } = JSON.parse(document.getElementById('explorer-config').textContent);

/** The operation of a link: in the fragment of the address, which no server gets. It is opened once. */
function takeLinked() {
  const linked = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (!linked.query) return undefined;
  history.replaceState(null, '', location.pathname + location.search);
  return linked;
}

const linked = takeLinked();

/**
 * GraphiQL opens its tabs, stored or default, with the texts that it stored last, which lag behind: on a first visit the
 * first tab would lack its variables, and after a reload a tab would open twice. So the active tab's texts are stored first.
 * Those of a link are stored in their place: GraphiQL opens a tab for a stored query that no tab has.
 */
function storeActiveTab() {
  try {
    const stored = JSON.parse(localStorage.getItem('graphiql:tabState'));
    const active = linked ?? stored?.tabs?.[stored.activeTabIndex] ?? tabs[0];
    for (const name of ['query', 'variables', 'headers']) {
      if (active[name]) localStorage.setItem(`graphiql:${name}`, active[name]);
      else localStorage.removeItem(`graphiql:${name}`);
    }
  } catch {
    // Where nothing can be stored, the first example shows without its variables.
  }
}

storeActiveTab();

/** Monaco boxes each character that looks like another one, as a dash does: in conversations these are plain text. */
const OPTIONS = { unicodeHighlight: { ambiguousCharacters: false } };

/** The name of the service; it stands within GraphiQL, which gives its editors there. */
function Name() {
  const monaco = useMonaco((state) => state.monaco);
  useEffect(() => {
    if (!monaco) return undefined;
    for (const editor of monaco.editor.getEditors()) editor.updateOptions(OPTIONS);
    const listening = monaco.editor.onDidCreateEditor((editor) => editor.updateOptions(OPTIONS));
    return () => listening.dispose();
  }, [monaco]);
  return hasConsole ? createElement('a', { href: 'console' }, 'RecallQL') : 'RecallQL';
}

createRoot(document.getElementById('explorer')).render(
  createElement(
    GraphiQL,
    { fetcher, defaultTabs: linked ? [linked, ...tabs] : tabs, isHeadersEditorEnabled: true, defaultEditorToolsVisibility: 'variables' },
    createElement(GraphiQL.Logo, null, createElement(Name)),
  ),
);
