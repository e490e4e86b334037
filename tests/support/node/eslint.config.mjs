// The rules of @graphql-eslint for schemas, recommended and Relay's, each exception with its reason.
import graphql from "@graphql-eslint/eslint-plugin";

const schema = new URL("../../../schema.graphql", import.meta.url).pathname;

export default [
  {
    files: ["**/*.graphql"],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          exceptions: {
            // Parts of an answer, which no client looks up: their identity is that of what holds them.
            types: [
              "CollectionStorage",
              "Context",
              "Deployment",
              "Enrichment",
              "EnrichmentProgress",
              "Finding",
              "Fork",
              "ForkOrigin",
              "Match",
              "MessageUpdate",
              "OperationTimes",
              "PageInfo",
              "RecalledMessage",
              "SessionUpdate",
              "MessagePiece",
              "ScoreParts",
              "SearchMatch",
              "Storage",
              "TypingNotice",
            ],
            suffixes: ["Connection", "Edge", "Payload"],
          },
        },
      ],
      // Memory.messages and others are short lists with a bound, not pages: a connection would only be in the way.
      "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],
      // Session.sessionId and User.userId are the application's own ids, named as everywhere else, beside the global id.
      "@graphql-eslint/no-typename-prefix": "off",
    },
  },
];
