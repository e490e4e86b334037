// Prints what of a schema a newer one breaks, as JSON: [{ path, message }].
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema } from "graphql";
import { readFileSync } from "node:fs";

const [before, after] = process.argv.slice(2, 4).map((file) => buildSchema(readFileSync(file, "utf8")));
const changes = await diff(before, after);
const breaking = changes.filter((change) => change.criticality.level === CriticalityLevel.Breaking);
console.log(JSON.stringify(breaking.map(({ path, message }) => ({ path, message }))));
