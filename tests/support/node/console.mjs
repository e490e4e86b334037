// Generates the typed documents of the console from schema.graphql: `node tests/support/node/console.mjs [FOLDER]`.
import { generate } from "@graphql-codegen/cli";
import { preset } from "@graphql-codegen/client-preset";

const root = new URL("../../../", import.meta.url).pathname;
const sources = `${root}graph/console/web/src`;

await generate(
  {
    schema: `${root}schema.graphql`,
    documents: [`${sources}/**/*.{ts,tsx}`, `!${sources}/gql/**`],
    generates: {
      [`${process.argv[2] ?? `${sources}/gql`}/`]: {
        preset,
        presetConfig: { fragmentMasking: false },
        config: {
          documentMode: "string",
          onlyOperationTypes: true,
          strictScalars: true,
          useTypeImports: true,
          enumsAsTypes: true,
          scalars: { DateTime: "string", JSON: "unknown", UUID: "string" },
        },
      },
    },
    silent: true,
  },
  true,
);
