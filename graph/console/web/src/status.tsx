import { useEffect } from 'react';
import { ApiError } from './api';

/** The error of a view. A refused credential opens the sign-in. */
export function Failure({ error }: { error: Error }) {
  const refused = error instanceof ApiError && error.code === 'UNAUTHENTICATED';
  useEffect(() => {
    if (refused) dispatchEvent(new Event('recallql:unauthenticated'));
  }, [refused]);
  return (
    <p role="alert" className="failure">
      {error.message}
    </p>
  );
}

export function Loading() {
  return (
    <p role="status" className="quiet">
      Loading…
    </p>
  );
}
