// The vendor's SDK for browsers by WebSocket in Chromium, unmodified: an ephemeral key in the sub-protocol, one written turn.
//
// Usage: node sdk_socket.mjs PLAN.json. The plan:
//   server     the voice server, https (the SDK insists on wss)
//   key        the server's own key, which mints the ephemeral one and never enters the page
//   packages   the folder whose node_modules holds the SDK
//   out        folder for result.json
// Run with NODE_EXTRA_CA_CERTS naming the server's certificate.
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { launch } from "./browser.mjs";

const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
const LIMIT_MS = 30_000;

const PAGE = `
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket";
import { OpenAI } from "openai";

window.talk = ({ server, secret, limit_ms }) => new Promise((resolve, reject) => {
  const seen = { events: [], errors: [] };
  const client = new OpenAI({ apiKey: secret, baseURL: server + "/v1", dangerouslyAllowBrowser: true });
  const realtime = new OpenAIRealtimeWebSocket({ model: "gpt-realtime" }, client);
  const timer = setTimeout(() => reject(new Error("nothing came: " + JSON.stringify(seen))), limit_ms);
  realtime.on("event", (event) => seen.events.push(event));
  realtime.on("error", (error) => seen.errors.push(error.message));
  realtime.on("session.created", () => {
    seen.protocol = realtime.socket.protocol;
    const content = [{ type: "input_text", text: "What can you do?" }];
    realtime.send({ type: "session.update", session: { type: "realtime", output_modalities: ["text"] } });
    realtime.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
    realtime.send({ type: "response.create" });
  });
  realtime.on("response.done", () => realtime.close());
  realtime.socket.addEventListener("close", ({ code }) => {
    clearTimeout(timer);
    resolve({ ...seen, closed: code });
  });
});
`;
const bundle = await build({ stdin: { contents: PAGE, loader: "js", resolveDir: plan.packages }, bundle: true, format: "esm", platform: "browser", target: "chrome111", write: false, logLevel: "warning" });
const script = bundle.outputFiles[0].text;

const pages = createServer((request, response) => {
  const isScript = request.url === "/page.js";
  response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" });
  response.end(isScript ? script : '<!doctype html><title>SDK</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>');
});
await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));

const headers = { "content-type": "application/json", authorization: `Bearer ${plan.key}` };
const session = { type: "realtime", instructions: "Answer briefly." };
const body = JSON.stringify({ session, parley: { hide: ["instructions"] } });
const minted = await (await fetch(`${plan.server}/v1/realtime/client_secrets`, { method: "POST", headers, body })).json();

const browser = await launch();
const problems = [];
try {
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  await page.waitForFunction(() => window.talk !== undefined);
  const given = { server: plan.server, secret: minted.value, limit_ms: LIMIT_MS };
  const seen = await page.evaluate((given) => window.talk(given), given);
  await writeFile(join(plan.out, "result.json"), JSON.stringify({ ...seen, ephemeral: minted.value.startsWith("ek_"), problems }, null, 1));
} finally {
  await browser.close();
  pages.close();
}
