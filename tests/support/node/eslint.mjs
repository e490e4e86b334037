// Lints schema.graphql; prints each finding. Exit status 1 when there is one.
import { ESLint } from "eslint";
import path from "node:path";

const root = path.resolve("../../..");
const eslint = new ESLint({ cwd: root, overrideConfigFile: path.resolve("eslint.config.mjs") });
const results = await eslint.lintFiles(["schema.graphql"]);
const found = results.flatMap((file) => file.messages.map((m) => `${m.line}: ${m.ruleId}: ${m.message}`));
for (const line of found) console.error(line);
console.log(JSON.stringify({ files: results.length, findings: found.length }));
process.exitCode = found.length === 0 && results.length === 1 ? 0 : 1;
