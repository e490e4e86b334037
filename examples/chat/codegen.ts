import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: process.env["SCHEMA"] ?? "../../schema.graphql",
  documents: ["src/**/*.{ts,tsx}", "!src/gql/**"],
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      // Without the scalars, each DateTime, JSON and UUID would have the type any.
      config: { strictScalars: true, scalars: { DateTime: "string", JSON: "unknown", UUID: "string" } },
    },
  },
};

export default config;
