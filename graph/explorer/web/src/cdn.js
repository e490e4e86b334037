// The entry of the page when no bundle was built: the page's import map says where each name comes from, version included.
// graphiql's own set-up for this CDN leaves the version of monaco-graphql open, hence the names here.
import EditorWorker from 'monaco-editor/editor.worker';
import JsonWorker from 'monaco-editor/json.worker';
import GraphQLWorker from 'monaco-graphql/graphql.worker';

const WORKERS = { json: JsonWorker, graphql: GraphQLWorker };

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => new (WORKERS[label] ?? EditorWorker)(),
};

await import('./explorer.js');
