// The entry of the bundle that the service serves itself.
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './explorer.js';
