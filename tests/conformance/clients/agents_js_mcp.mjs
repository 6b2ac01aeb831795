// The unmodified Agents SDK for JavaScript with a remote MCP server that asks for approval, run by Node: no test itself.
//
// Arguments: the voice server's WebSocket address, the MCP server's, the folder whose node_modules holds the SDK.
// Asks for three orders in writing: the first is approved, the second refused, the third approved again. Prints what came
// of them as one line of JSON.

import { createRequire } from "node:module";
import { join } from "node:path";

const [url, mcpUrl, packages] = process.argv.slice(2);
const require = createRequire(join(packages, "client.cjs"));
const { RealtimeAgent, RealtimeSession, OpenAIRealtimeWebSocket } = require("@openai/agents-realtime");
const { hostedMcpTool } = require("@openai/agents-core");

const WAIT_MS = 60_000;
const WISHES = [
  { text: "Find order 7.", approve: true },
  { text: "Find order 8.", approve: false },
  { text: "Find order 9.", approve: true },
];
const waiting = [];
const seen = { events: [], errors: [], listed: [], available: [], asked: [], said: [] };
const wake = () => waiting.splice(0).forEach((go) => go());

async function until(holds) {
  const deadline = Date.now() + WAIT_MS;
  while (!holds()) {
    await new Promise((resolve, reject) => {
      const last = seen.events.slice(-8).map(({ type }) => type);
      const timer = setTimeout(() => reject(new Error(`waited for ${holds}; last: ${last}`)), deadline - Date.now());
      waiting.push(() => (clearTimeout(timer), resolve()));
    });
  }
}

const shop = hostedMcpTool({ serverLabel: "shop", serverUrl: mcpUrl, requireApproval: "always" });
const agent = new RealtimeAgent({ name: "clerk", instructions: "Be brief.", tools: [shop] });
const transport = new OpenAIRealtimeWebSocket({ url, useInsecureApiKey: true });
const session = new RealtimeSession(agent, { transport, model: "gpt-realtime" });
transport.on("*", (event) => (seen.events.push(event), wake()));
transport.on("mcp_tools_listed", ({ serverLabel, tools }) => (seen.listed.push([serverLabel, tools.map(({ name }) => name)]), wake()));
session.on("mcp_tools_changed", (tools) => (seen.available = tools.map(({ name }) => name)));
session.on("error", ({ error }) => seen.errors.push(JSON.stringify(error, Object.getOwnPropertyNames(error ?? {}))));

const MADE = "response.mcp_call.completed";
const count = (kind) => seen.events.filter(({ type }) => type === kind).length;
/** What was said since the newest call was made. */
const answer = () => seen.events.slice(seen.events.findLastIndex(({ type }) => type === MADE)).find(({ type }) => type === "response.output_audio_transcript.done");
session.on("tool_approval_requested", (_context, _agent, request) => {
  const wish = WISHES[seen.asked.length];
  const { name, arguments: given } = request.approvalItem.rawItem;
  seen.asked.push([request.type, name, given]);
  void (wish.approve ? session.approve(request.approvalItem) : session.reject(request.approvalItem));
});

await session.connect({ apiKey: "none", url });
await until(() => seen.listed.length > 0);
for (const [index, wish] of WISHES.entries()) {
  const before = count(MADE);
  session.sendMessage(wish.text);
  await until(() => seen.asked.length === index + 1);
  if (wish.approve) {
    await until(() => count(MADE) > before && answer());
    seen.said.push(answer().transcript);
  } else {
    // The library asks for no answer to a refusal; the conversation just goes on.
    const { id } = seen.events.findLast(({ item }) => item?.type === "mcp_approval_request").item;
    await until(() => seen.events.some(({ item }) => item?.approval_request_id === id));
  }
}
session.close();
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
