// Runs every audit of the graphql-http package against a server; exit status 1 when one is anything but ok.
import { serverAudits } from "graphql-http";

const audits = serverAudits({ url: process.argv[2] });
let ok = 0;
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status === "ok") {
    ok += 1;
  } else {
    console.error(`${result.status} ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
console.log(JSON.stringify({ audits: audits.length, ok }));
process.exitCode = ok === audits.length ? 0 : 1;
