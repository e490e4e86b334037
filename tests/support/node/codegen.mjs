// Generates a typed client from schema.graphql with graphql-codegen's client preset, and its manifest of documents.
import { generate } from "@graphql-codegen/cli";

const out = process.argv[2];
await generate(
  {
    schema: new URL("../../../schema.graphql", import.meta.url).pathname,
    documents: [`${out}/**/*.ts`, `!${out}/gql/**`],
    generates: {
      [`${out}/gql/`]: {
        preset: "client",
        presetConfig: { persistedDocuments: { hashAlgorithm: "sha256" } },
        config: { strictScalars: true, scalars: { DateTime: "string", JSON: "unknown", UUID: "string" } },
      },
    },
    silent: true,
  },
  true,
);
