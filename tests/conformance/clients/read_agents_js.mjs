// What the Agents SDK for JavaScript makes of single events, by its own parser: no test itself.
//
// Arguments: a file with a JSON list of events, the folder whose node_modules holds the SDK. Prints a JSON list: null
// for an event that was read, or what is wrong with it.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [file, packages] = process.argv.slice(2);
const require = createRequire(join(packages, "client.cjs"));
const { parseRealtimeEvent, realtimeServerEventSchema } = require(
  join(packages, "node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.js"),
);

function fault(event) {
  if (!parseRealtimeEvent({ data: JSON.stringify(event) }).isGeneric) return null;
  const issue = realtimeServerEventSchema.safeParse(event).error.issues[0];
  return `${issue.path.join(".")}: ${issue.message}`;
}

console.log(JSON.stringify(JSON.parse(readFileSync(file, "utf8")).map(fault)));
