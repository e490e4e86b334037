import { graphql } from './gql';

/** Begins the failed enrichment of a message, or of all messages of a session, again. */
export const RETRY = graphql(`
  mutation RetryEnrichment($input: RetryEnrichmentInput!) {
    retryEnrichment(input: $input) {
      retried
    }
  }
`);
