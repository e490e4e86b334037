import './style.css';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api';
import { App } from './app';

const REFUSED = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'BAD_USER_INPUT', 'NOT_FOUND', 'TOO_COSTLY']);

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays one; a lost connection or a MongoDB that is away may come back.
      retry: (failures, error) => failures < 3 && !(error instanceof ApiError && REFUSED.has(error.code)),
      staleTime: 30_000,
      refetchOnWindowFocus: false,
    },
  },
});

const root = document.getElementById('console');
if (!root) throw new Error('the page has no element for the console');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
