/* eslint-disable */
import * as types from './graphql';



/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "\n  mutation RetryEnrichment($input: RetryEnrichmentInput!) {\n    retryEnrichment(input: $input) {\n      retried\n    }\n  }\n": typeof types.RetryEnrichmentDocument,
    "\n  query Session($sessionId: ID!) {\n    session(sessionId: $sessionId) {\n      sessionId\n      title\n      messageCount\n      tokenCount\n      metadata\n      user {\n        userId\n      }\n      forkedFrom {\n        sessionId\n        seq\n      }\n      summaries(last: 1) {\n        edges {\n          cursor\n        }\n      }\n      entities(first: 12) {\n        edges {\n          node {\n            id\n            name\n            label\n            mentionCount\n          }\n        }\n      }\n    }\n  }\n": typeof types.SessionDocument,
    "\n  mutation UpdateMessage($input: UpdateMessageInput!) {\n    updateMessage(input: $input) {\n      message {\n        ...MessageFields\n      }\n    }\n  }\n": typeof types.UpdateMessageDocument,
    "\n  mutation DeleteMessage($input: DeleteMessageInput!) {\n    deleteMessage(input: $input) {\n      deletedId\n    }\n  }\n": typeof types.DeleteMessageDocument,
    "\n  mutation ForkSession($input: ForkSessionInput!) {\n    forkSession(input: $input) {\n      fork {\n        newSessionId\n      }\n    }\n  }\n": typeof types.ForkSessionDocument,
    "\n  query Deployment {\n    deployment {\n      version\n      pythonVersion\n      mongodbVersion\n      subscribers\n      webProcesses\n      slowestOperations {\n        name\n        kind\n        count\n        medianSeconds\n        p99Seconds\n        longestSeconds\n        lastAt\n      }\n      storage {\n        totalBytes\n        diskBytes\n        freeBytes\n        collections {\n          name\n          documents\n          dataBytes\n          indexBytes\n        }\n      }\n    }\n  }\n": typeof types.DeploymentDocument,
    "\n  query Findings {\n    deployment {\n      findings {\n        name\n        grade\n        text\n        advice\n      }\n    }\n  }\n": typeof types.FindingsDocument,
    "\n  query Occurrences($sessionId: ID!, $name: String!, $labels: [String!]!) {\n    session(sessionId: $sessionId) {\n      entities(first: 20, search: $name, labels: $labels) {\n        edges {\n          node {\n            id\n            name\n            mentionCount\n          }\n        }\n      }\n      user {\n        entities(first: 20, search: $name, labels: $labels) {\n          edges {\n            node {\n              id\n              name\n              mentionCount\n              sessions(last: 6) {\n                edges {\n                  node {\n                    sessionId\n                    title\n                  }\n                }\n                totalCount\n              }\n            }\n          }\n        }\n      }\n    }\n  }\n": typeof types.OccurrencesDocument,
    "\n  query Entity($id: ID!) {\n    node(id: $id) {\n      ... on Entity {\n        id\n        name\n        label\n        mentionCount\n        firstSeenAt\n        lastSeenAt\n        messages(last: 100) {\n          edges {\n            node {\n              uuid\n              seq\n              role\n              name\n              createdAt\n              content\n              session {\n                sessionId\n                title\n              }\n            }\n          }\n          totalCount\n        }\n      }\n    }\n  }\n": typeof types.EntityDocument,
    "\n  query Health {\n    enrichment {\n      pending\n      done\n      failed\n      unembedded\n      oldestPendingAt\n    }\n    failedMessages(first: 50) {\n      uuid\n      seq\n      enrichment {\n        reason\n      }\n      session {\n        sessionId\n        title\n      }\n    }\n  }\n": typeof types.HealthDocument,
    "\n  query Mentions($userId: ID!) {\n    user(userId: $userId) {\n      entities(first: 5) {\n        edges {\n          node {\n            id\n            name\n            messages(last: 100) {\n              edges {\n                node {\n                  createdAt\n                }\n              }\n              totalCount\n            }\n          }\n        }\n      }\n    }\n  }\n": typeof types.MentionsDocument,
    "\n  query Message($uuid: UUID!) {\n    message(uuid: $uuid) {\n      ...MessageFields\n    }\n  }\n": typeof types.MessageDocument,
    "\n  fragment MessageFields on Message {\n    uuid\n    seq\n    revision\n    createdAt\n    role\n    name\n    content\n    parts\n    metadata\n    toolCallId\n    tokenCount\n    status\n    enrichment {\n      state\n      reason\n    }\n    entities(first: 20) {\n      id\n      name\n      label\n      mentionCount\n      matches(first: 5) {\n        start(unit: UTF16)\n        end(unit: UTF16)\n      }\n    }\n  }\n": typeof types.MessageFieldsFragmentDoc,
    "\n  query Messages($sessionId: ID!, $first: Int, $after: String, $afterSeq: Int, $last: Int, $before: String) {\n    session(sessionId: $sessionId) {\n      messages(first: $first, after: $after, afterSeq: $afterSeq, last: $last, before: $before) {\n        edges {\n          cursor\n          node {\n            ...MessageFields\n          }\n        }\n        pageInfo {\n          hasNextPage\n          hasPreviousPage\n          startCursor\n          endCursor\n        }\n      }\n    }\n  }\n": typeof types.MessagesDocument,
    "\n  subscription MessageEdgeAdded($sessionId: ID!, $afterSeq: Int!) {\n    messageEdgeAdded(sessionId: $sessionId, afterSeq: $afterSeq) {\n      cursor\n      node {\n        ...MessageFields\n      }\n    }\n  }\n": typeof types.MessageEdgeAddedDocument,
    "\n  subscription MessageUpdated($sessionId: ID!) {\n    messageUpdated(sessionId: $sessionId) {\n      kind\n      uuid\n      message {\n        ...MessageFields\n      }\n    }\n  }\n": typeof types.MessageUpdatedDocument,
    "\n  query Search($query: String!, $userId: ID, $sessionId: ID, $mode: SearchMode!, $after: String) {\n    search(query: $query, userId: $userId, sessionId: $sessionId, mode: $mode, first: 20, after: $after) {\n      edges {\n        score\n        scoreParts {\n          words\n          session\n          meaning\n          neighbors\n          speaker\n          date\n          answer\n          length\n          question\n        }\n        matches {\n          start(unit: UTF16)\n          end(unit: UTF16)\n        }\n        node {\n          uuid\n          seq\n          role\n          name\n          createdAt\n          content\n          session {\n            sessionId\n            title\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n": typeof types.SearchDocument,
    "\n  query Context($query: String, $userId: ID, $sessionId: ID, $maxTokens: Int!) {\n    context(query: $query, userId: $userId, sessionId: $sessionId, maxTokens: $maxTokens) {\n      text\n      tokenCount\n      omittedMessages\n      summary {\n        tokenCount\n      }\n      messages {\n        tokenCount\n      }\n      recalled {\n        message {\n          tokenCount\n        }\n      }\n    }\n  }\n": typeof types.ContextDocument,
    "\n  fragment SessionRow on Session {\n    sessionId\n    title\n    updatedAt\n    messageCount\n    unreadCount\n    archived\n    user {\n      userId\n    }\n    lastMessage {\n      role\n      name\n      excerpt\n    }\n    enrichment {\n      pending\n      failed\n    }\n  }\n": typeof types.SessionRowFragmentDoc,
    "\n  query Sessions($first: Int, $after: String, $last: Int, $before: String, $filter: SessionFilter) {\n    sessions(\n      first: $first\n      after: $after\n      last: $last\n      before: $before\n      filter: $filter\n      orderBy: { field: UPDATED_AT, direction: DESC }\n    ) {\n      edges {\n        node {\n          ...SessionRow\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n": typeof types.SessionsDocument,
    "\n  subscription SessionUpdated($userId: ID) {\n    sessionUpdated(userId: $userId) {\n      kind\n      sessionId\n    }\n  }\n": typeof types.SessionUpdatedDocument,
    "\n  query SessionsFound($query: String!, $userId: ID, $filter: MessageFilter) {\n    search(query: $query, userId: $userId, filter: $filter, first: 100) {\n      edges {\n        node {\n          role\n          name\n          excerpt\n          session {\n            ...SessionRow\n          }\n        }\n      }\n    }\n  }\n": typeof types.SessionsFoundDocument,
    "\n  query SessionsNamed($filter: SessionFilter, $first: Int!) {\n    sessions(filter: $filter, first: $first, orderBy: { field: UPDATED_AT, direction: DESC }) {\n      edges {\n        node {\n          ...SessionRow\n        }\n      }\n      pageInfo {\n        hasNextPage\n      }\n    }\n  }\n": typeof types.SessionsNamedDocument,
    "\n  mutation AddSample($input: AddMemoryInput!) {\n    addMemory(input: $input) {\n      session {\n        sessionId\n      }\n    }\n  }\n": typeof types.AddSampleDocument,
    "\n  subscription MessageStream($uuid: UUID!) {\n    messageStream(uuid: $uuid) {\n      index\n      text\n      message {\n        ...MessageFields\n      }\n    }\n  }\n": typeof types.MessageStreamDocument,
    "\n  query Summaries($sessionId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n    session(sessionId: $sessionId) {\n      summaries(first: $first, after: $after, last: $last, before: $before) {\n        edges {\n          node {\n            uuid\n            content\n            firstSeq\n            lastSeq\n            tokenCount\n            stale\n            source\n          }\n        }\n        pageInfo {\n          hasNextPage\n          hasPreviousPage\n          startCursor\n          endCursor\n        }\n      }\n    }\n  }\n": typeof types.SummariesDocument,
    "\n  query User($userId: ID!) {\n    user(userId: $userId) {\n      userId\n      email\n      firstName\n      lastName\n      createdAt\n      metadata\n      entities(first: 20) {\n        edges {\n          node {\n            id\n            name\n            label\n            mentionCount\n          }\n        }\n      }\n      sessions(last: 100) {\n        edges {\n          node {\n            sessionId\n            createdAt\n          }\n        }\n      }\n    }\n  }\n": typeof types.UserDocument,
};
const documents: Documents = {
    "\n  mutation RetryEnrichment($input: RetryEnrichmentInput!) {\n    retryEnrichment(input: $input) {\n      retried\n    }\n  }\n": types.RetryEnrichmentDocument,
    "\n  query Session($sessionId: ID!) {\n    session(sessionId: $sessionId) {\n      sessionId\n      title\n      messageCount\n      tokenCount\n      metadata\n      user {\n        userId\n      }\n      forkedFrom {\n        sessionId\n        seq\n      }\n      summaries(last: 1) {\n        edges {\n          cursor\n        }\n      }\n      entities(first: 12) {\n        edges {\n          node {\n            id\n            name\n            label\n            mentionCount\n          }\n        }\n      }\n    }\n  }\n": types.SessionDocument,
    "\n  mutation UpdateMessage($input: UpdateMessageInput!) {\n    updateMessage(input: $input) {\n      message {\n        ...MessageFields\n      }\n    }\n  }\n": types.UpdateMessageDocument,
    "\n  mutation DeleteMessage($input: DeleteMessageInput!) {\n    deleteMessage(input: $input) {\n      deletedId\n    }\n  }\n": types.DeleteMessageDocument,
    "\n  mutation ForkSession($input: ForkSessionInput!) {\n    forkSession(input: $input) {\n      fork {\n        newSessionId\n      }\n    }\n  }\n": types.ForkSessionDocument,
    "\n  query Deployment {\n    deployment {\n      version\n      pythonVersion\n      mongodbVersion\n      subscribers\n      webProcesses\n      slowestOperations {\n        name\n        kind\n        count\n        medianSeconds\n        p99Seconds\n        longestSeconds\n        lastAt\n      }\n      storage {\n        totalBytes\n        diskBytes\n        freeBytes\n        collections {\n          name\n          documents\n          dataBytes\n          indexBytes\n        }\n      }\n    }\n  }\n": types.DeploymentDocument,
    "\n  query Findings {\n    deployment {\n      findings {\n        name\n        grade\n        text\n        advice\n      }\n    }\n  }\n": types.FindingsDocument,
    "\n  query Occurrences($sessionId: ID!, $name: String!, $labels: [String!]!) {\n    session(sessionId: $sessionId) {\n      entities(first: 20, search: $name, labels: $labels) {\n        edges {\n          node {\n            id\n            name\n            mentionCount\n          }\n        }\n      }\n      user {\n        entities(first: 20, search: $name, labels: $labels) {\n          edges {\n            node {\n              id\n              name\n              mentionCount\n              sessions(last: 6) {\n                edges {\n                  node {\n                    sessionId\n                    title\n                  }\n                }\n                totalCount\n              }\n            }\n          }\n        }\n      }\n    }\n  }\n": types.OccurrencesDocument,
    "\n  query Entity($id: ID!) {\n    node(id: $id) {\n      ... on Entity {\n        id\n        name\n        label\n        mentionCount\n        firstSeenAt\n        lastSeenAt\n        messages(last: 100) {\n          edges {\n            node {\n              uuid\n              seq\n              role\n              name\n              createdAt\n              content\n              session {\n                sessionId\n                title\n              }\n            }\n          }\n          totalCount\n        }\n      }\n    }\n  }\n": types.EntityDocument,
    "\n  query Health {\n    enrichment {\n      pending\n      done\n      failed\n      unembedded\n      oldestPendingAt\n    }\n    failedMessages(first: 50) {\n      uuid\n      seq\n      enrichment {\n        reason\n      }\n      session {\n        sessionId\n        title\n      }\n    }\n  }\n": types.HealthDocument,
    "\n  query Mentions($userId: ID!) {\n    user(userId: $userId) {\n      entities(first: 5) {\n        edges {\n          node {\n            id\n            name\n            messages(last: 100) {\n              edges {\n                node {\n                  createdAt\n                }\n              }\n              totalCount\n            }\n          }\n        }\n      }\n    }\n  }\n": types.MentionsDocument,
    "\n  query Message($uuid: UUID!) {\n    message(uuid: $uuid) {\n      ...MessageFields\n    }\n  }\n": types.MessageDocument,
    "\n  fragment MessageFields on Message {\n    uuid\n    seq\n    revision\n    createdAt\n    role\n    name\n    content\n    parts\n    metadata\n    toolCallId\n    tokenCount\n    status\n    enrichment {\n      state\n      reason\n    }\n    entities(first: 20) {\n      id\n      name\n      label\n      mentionCount\n      matches(first: 5) {\n        start(unit: UTF16)\n        end(unit: UTF16)\n      }\n    }\n  }\n": types.MessageFieldsFragmentDoc,
    "\n  query Messages($sessionId: ID!, $first: Int, $after: String, $afterSeq: Int, $last: Int, $before: String) {\n    session(sessionId: $sessionId) {\n      messages(first: $first, after: $after, afterSeq: $afterSeq, last: $last, before: $before) {\n        edges {\n          cursor\n          node {\n            ...MessageFields\n          }\n        }\n        pageInfo {\n          hasNextPage\n          hasPreviousPage\n          startCursor\n          endCursor\n        }\n      }\n    }\n  }\n": types.MessagesDocument,
    "\n  subscription MessageEdgeAdded($sessionId: ID!, $afterSeq: Int!) {\n    messageEdgeAdded(sessionId: $sessionId, afterSeq: $afterSeq) {\n      cursor\n      node {\n        ...MessageFields\n      }\n    }\n  }\n": types.MessageEdgeAddedDocument,
    "\n  subscription MessageUpdated($sessionId: ID!) {\n    messageUpdated(sessionId: $sessionId) {\n      kind\n      uuid\n      message {\n        ...MessageFields\n      }\n    }\n  }\n": types.MessageUpdatedDocument,
    "\n  query Search($query: String!, $userId: ID, $sessionId: ID, $mode: SearchMode!, $after: String) {\n    search(query: $query, userId: $userId, sessionId: $sessionId, mode: $mode, first: 20, after: $after) {\n      edges {\n        score\n        scoreParts {\n          words\n          session\n          meaning\n          neighbors\n          speaker\n          date\n          answer\n          length\n          question\n        }\n        matches {\n          start(unit: UTF16)\n          end(unit: UTF16)\n        }\n        node {\n          uuid\n          seq\n          role\n          name\n          createdAt\n          content\n          session {\n            sessionId\n            title\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n": types.SearchDocument,
    "\n  query Context($query: String, $userId: ID, $sessionId: ID, $maxTokens: Int!) {\n    context(query: $query, userId: $userId, sessionId: $sessionId, maxTokens: $maxTokens) {\n      text\n      tokenCount\n      omittedMessages\n      summary {\n        tokenCount\n      }\n      messages {\n        tokenCount\n      }\n      recalled {\n        message {\n          tokenCount\n        }\n      }\n    }\n  }\n": types.ContextDocument,
    "\n  fragment SessionRow on Session {\n    sessionId\n    title\n    updatedAt\n    messageCount\n    unreadCount\n    archived\n    user {\n      userId\n    }\n    lastMessage {\n      role\n      name\n      excerpt\n    }\n    enrichment {\n      pending\n      failed\n    }\n  }\n": types.SessionRowFragmentDoc,
    "\n  query Sessions($first: Int, $after: String, $last: Int, $before: String, $filter: SessionFilter) {\n    sessions(\n      first: $first\n      after: $after\n      last: $last\n      before: $before\n      filter: $filter\n      orderBy: { field: UPDATED_AT, direction: DESC }\n    ) {\n      edges {\n        node {\n          ...SessionRow\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n": types.SessionsDocument,
    "\n  subscription SessionUpdated($userId: ID) {\n    sessionUpdated(userId: $userId) {\n      kind\n      sessionId\n    }\n  }\n": types.SessionUpdatedDocument,
    "\n  query SessionsFound($query: String!, $userId: ID, $filter: MessageFilter) {\n    search(query: $query, userId: $userId, filter: $filter, first: 100) {\n      edges {\n        node {\n          role\n          name\n          excerpt\n          session {\n            ...SessionRow\n          }\n        }\n      }\n    }\n  }\n": types.SessionsFoundDocument,
    "\n  query SessionsNamed($filter: SessionFilter, $first: Int!) {\n    sessions(filter: $filter, first: $first, orderBy: { field: UPDATED_AT, direction: DESC }) {\n      edges {\n        node {\n          ...SessionRow\n        }\n      }\n      pageInfo {\n        hasNextPage\n      }\n    }\n  }\n": types.SessionsNamedDocument,
    "\n  mutation AddSample($input: AddMemoryInput!) {\n    addMemory(input: $input) {\n      session {\n        sessionId\n      }\n    }\n  }\n": types.AddSampleDocument,
    "\n  subscription MessageStream($uuid: UUID!) {\n    messageStream(uuid: $uuid) {\n      index\n      text\n      message {\n        ...MessageFields\n      }\n    }\n  }\n": types.MessageStreamDocument,
    "\n  query Summaries($sessionId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n    session(sessionId: $sessionId) {\n      summaries(first: $first, after: $after, last: $last, before: $before) {\n        edges {\n          node {\n            uuid\n            content\n            firstSeq\n            lastSeq\n            tokenCount\n            stale\n            source\n          }\n        }\n        pageInfo {\n          hasNextPage\n          hasPreviousPage\n          startCursor\n          endCursor\n        }\n      }\n    }\n  }\n": types.SummariesDocument,
    "\n  query User($userId: ID!) {\n    user(userId: $userId) {\n      userId\n      email\n      firstName\n      lastName\n      createdAt\n      metadata\n      entities(first: 20) {\n        edges {\n          node {\n            id\n            name\n            label\n            mentionCount\n          }\n        }\n      }\n      sessions(last: 100) {\n        edges {\n          node {\n            sessionId\n            createdAt\n          }\n        }\n      }\n    }\n  }\n": types.UserDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation RetryEnrichment($input: RetryEnrichmentInput!) {\n    retryEnrichment(input: $input) {\n      retried\n    }\n  }\n"): typeof import('./graphql').RetryEnrichmentDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Session($sessionId: ID!) {\n    session(sessionId: $sessionId) {\n      sessionId\n      title\n      messageCount\n      tokenCount\n      metadata\n      user {\n        userId\n      }\n      forkedFrom {\n        sessionId\n        seq\n      }\n      summaries(last: 1) {\n        edges {\n          cursor\n        }\n      }\n      entities(first: 12) {\n        edges {\n          node {\n            id\n            name\n            label\n            mentionCount\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').SessionDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation UpdateMessage($input: UpdateMessageInput!) {\n    updateMessage(input: $input) {\n      message {\n        ...MessageFields\n      }\n    }\n  }\n"): typeof import('./graphql').UpdateMessageDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation DeleteMessage($input: DeleteMessageInput!) {\n    deleteMessage(input: $input) {\n      deletedId\n    }\n  }\n"): typeof import('./graphql').DeleteMessageDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation ForkSession($input: ForkSessionInput!) {\n    forkSession(input: $input) {\n      fork {\n        newSessionId\n      }\n    }\n  }\n"): typeof import('./graphql').ForkSessionDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Deployment {\n    deployment {\n      version\n      pythonVersion\n      mongodbVersion\n      subscribers\n      webProcesses\n      slowestOperations {\n        name\n        kind\n        count\n        medianSeconds\n        p99Seconds\n        longestSeconds\n        lastAt\n      }\n      storage {\n        totalBytes\n        diskBytes\n        freeBytes\n        collections {\n          name\n          documents\n          dataBytes\n          indexBytes\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').DeploymentDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Findings {\n    deployment {\n      findings {\n        name\n        grade\n        text\n        advice\n      }\n    }\n  }\n"): typeof import('./graphql').FindingsDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Occurrences($sessionId: ID!, $name: String!, $labels: [String!]!) {\n    session(sessionId: $sessionId) {\n      entities(first: 20, search: $name, labels: $labels) {\n        edges {\n          node {\n            id\n            name\n            mentionCount\n          }\n        }\n      }\n      user {\n        entities(first: 20, search: $name, labels: $labels) {\n          edges {\n            node {\n              id\n              name\n              mentionCount\n              sessions(last: 6) {\n                edges {\n                  node {\n                    sessionId\n                    title\n                  }\n                }\n                totalCount\n              }\n            }\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').OccurrencesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Entity($id: ID!) {\n    node(id: $id) {\n      ... on Entity {\n        id\n        name\n        label\n        mentionCount\n        firstSeenAt\n        lastSeenAt\n        messages(last: 100) {\n          edges {\n            node {\n              uuid\n              seq\n              role\n              name\n              createdAt\n              content\n              session {\n                sessionId\n                title\n              }\n            }\n          }\n          totalCount\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').EntityDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Health {\n    enrichment {\n      pending\n      done\n      failed\n      unembedded\n      oldestPendingAt\n    }\n    failedMessages(first: 50) {\n      uuid\n      seq\n      enrichment {\n        reason\n      }\n      session {\n        sessionId\n        title\n      }\n    }\n  }\n"): typeof import('./graphql').HealthDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Mentions($userId: ID!) {\n    user(userId: $userId) {\n      entities(first: 5) {\n        edges {\n          node {\n            id\n            name\n            messages(last: 100) {\n              edges {\n                node {\n                  createdAt\n                }\n              }\n              totalCount\n            }\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').MentionsDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Message($uuid: UUID!) {\n    message(uuid: $uuid) {\n      ...MessageFields\n    }\n  }\n"): typeof import('./graphql').MessageDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment MessageFields on Message {\n    uuid\n    seq\n    revision\n    createdAt\n    role\n    name\n    content\n    parts\n    metadata\n    toolCallId\n    tokenCount\n    status\n    enrichment {\n      state\n      reason\n    }\n    entities(first: 20) {\n      id\n      name\n      label\n      mentionCount\n      matches(first: 5) {\n        start(unit: UTF16)\n        end(unit: UTF16)\n      }\n    }\n  }\n"): typeof import('./graphql').MessageFieldsFragmentDoc;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Messages($sessionId: ID!, $first: Int, $after: String, $afterSeq: Int, $last: Int, $before: String) {\n    session(sessionId: $sessionId) {\n      messages(first: $first, after: $after, afterSeq: $afterSeq, last: $last, before: $before) {\n        edges {\n          cursor\n          node {\n            ...MessageFields\n          }\n        }\n        pageInfo {\n          hasNextPage\n          hasPreviousPage\n          startCursor\n          endCursor\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').MessagesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription MessageEdgeAdded($sessionId: ID!, $afterSeq: Int!) {\n    messageEdgeAdded(sessionId: $sessionId, afterSeq: $afterSeq) {\n      cursor\n      node {\n        ...MessageFields\n      }\n    }\n  }\n"): typeof import('./graphql').MessageEdgeAddedDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription MessageUpdated($sessionId: ID!) {\n    messageUpdated(sessionId: $sessionId) {\n      kind\n      uuid\n      message {\n        ...MessageFields\n      }\n    }\n  }\n"): typeof import('./graphql').MessageUpdatedDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Search($query: String!, $userId: ID, $sessionId: ID, $mode: SearchMode!, $after: String) {\n    search(query: $query, userId: $userId, sessionId: $sessionId, mode: $mode, first: 20, after: $after) {\n      edges {\n        score\n        scoreParts {\n          words\n          session\n          meaning\n          neighbors\n          speaker\n          date\n          answer\n          length\n          question\n        }\n        matches {\n          start(unit: UTF16)\n          end(unit: UTF16)\n        }\n        node {\n          uuid\n          seq\n          role\n          name\n          createdAt\n          content\n          session {\n            sessionId\n            title\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n"): typeof import('./graphql').SearchDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Context($query: String, $userId: ID, $sessionId: ID, $maxTokens: Int!) {\n    context(query: $query, userId: $userId, sessionId: $sessionId, maxTokens: $maxTokens) {\n      text\n      tokenCount\n      omittedMessages\n      summary {\n        tokenCount\n      }\n      messages {\n        tokenCount\n      }\n      recalled {\n        message {\n          tokenCount\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').ContextDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment SessionRow on Session {\n    sessionId\n    title\n    updatedAt\n    messageCount\n    unreadCount\n    archived\n    user {\n      userId\n    }\n    lastMessage {\n      role\n      name\n      excerpt\n    }\n    enrichment {\n      pending\n      failed\n    }\n  }\n"): typeof import('./graphql').SessionRowFragmentDoc;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Sessions($first: Int, $after: String, $last: Int, $before: String, $filter: SessionFilter) {\n    sessions(\n      first: $first\n      after: $after\n      last: $last\n      before: $before\n      filter: $filter\n      orderBy: { field: UPDATED_AT, direction: DESC }\n    ) {\n      edges {\n        node {\n          ...SessionRow\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n"): typeof import('./graphql').SessionsDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription SessionUpdated($userId: ID) {\n    sessionUpdated(userId: $userId) {\n      kind\n      sessionId\n    }\n  }\n"): typeof import('./graphql').SessionUpdatedDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query SessionsFound($query: String!, $userId: ID, $filter: MessageFilter) {\n    search(query: $query, userId: $userId, filter: $filter, first: 100) {\n      edges {\n        node {\n          role\n          name\n          excerpt\n          session {\n            ...SessionRow\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').SessionsFoundDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query SessionsNamed($filter: SessionFilter, $first: Int!) {\n    sessions(filter: $filter, first: $first, orderBy: { field: UPDATED_AT, direction: DESC }) {\n      edges {\n        node {\n          ...SessionRow\n        }\n      }\n      pageInfo {\n        hasNextPage\n      }\n    }\n  }\n"): typeof import('./graphql').SessionsNamedDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation AddSample($input: AddMemoryInput!) {\n    addMemory(input: $input) {\n      session {\n        sessionId\n      }\n    }\n  }\n"): typeof import('./graphql').AddSampleDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription MessageStream($uuid: UUID!) {\n    messageStream(uuid: $uuid) {\n      index\n      text\n      message {\n        ...MessageFields\n      }\n    }\n  }\n"): typeof import('./graphql').MessageStreamDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Summaries($sessionId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n    session(sessionId: $sessionId) {\n      summaries(first: $first, after: $after, last: $last, before: $before) {\n        edges {\n          node {\n            uuid\n            content\n            firstSeq\n            lastSeq\n            tokenCount\n            stale\n            source\n          }\n        }\n        pageInfo {\n          hasNextPage\n          hasPreviousPage\n          startCursor\n          endCursor\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').SummariesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query User($userId: ID!) {\n    user(userId: $userId) {\n      userId\n      email\n      firstName\n      lastName\n      createdAt\n      metadata\n      entities(first: 20) {\n        edges {\n          node {\n            id\n            name\n            label\n            mentionCount\n          }\n        }\n      }\n      sessions(last: 100) {\n        edges {\n          node {\n            sessionId\n            createdAt\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').UserDocument;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
