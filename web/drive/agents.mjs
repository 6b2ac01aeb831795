// Holds one spoken conversation with the vendor's agents library in Chromium, nothing but its base URL changed.
//
// Usage: node agents.mjs PLAN.json. The plan:
//   server             the voice server
//   out                folder for recording.wav, events.jsonl, result.json
//   microphone         wav that the fake microphone plays once, from the moment the page opens it
//   story              what the function `tell_story` answers
//   interruptAfterMs   how long the first answer may sound
//   limit_s            how long it lasts
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./browser.mjs";
import { listen, RECORDER, tapChannel, tapTracks, tape, wav } from "./tape.mjs";

const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
await mkdir(plan.out, { recursive: true });
const here = dirname(fileURLToPath(import.meta.url));
const bundle = await build({ entryPoints: [join(here, "agents_page.mjs")], bundle: true, format: "esm", platform: "browser", target: "chrome111", write: false, logLevel: "warning" });
const script = bundle.outputFiles[0].text;

const pages = createServer((request, response) => {
  const isScript = request.url === "/page.js";
  response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" });
  response.end(isScript ? script : '<!doctype html><title>Agents</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>');
});
await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));

const minted = await fetch(`${plan.server}/v1/realtime/client_secrets`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
const { value: secret } = await minted.json();

const browser = await launch({ microphone: plan.microphone });
const problems = [];
const events = [];
let began = performance.now();
try {
  const page = await (await browser.newContext()).newPage();
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  await listen(page, (direction, event) => events.push({ at_ms: Math.round(performance.now() - began), direction, event }));
  await page.addInitScript(tapChannel);
  await page.addInitScript(tapTracks, RECORDER);
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  began = performance.now();
  await page.evaluate((given) => window.talk(given), { server: plan.server, secret, story: plan.story, interruptAfterMs: plan.interruptAfterMs });
  await page.waitForTimeout(plan.limit_s * 1000);
  const seen = await page.evaluate(() => window.seen);
  const history = await page.evaluate(() => JSON.parse(JSON.stringify(window.session.history)));
  const { rate, audio } = await page.evaluate(tape);
  await page.evaluate(() => window.session.close());
  await writeFile(join(plan.out, "recording.wav"), wav(Buffer.from(audio, "base64"), rate));
  await writeFile(join(plan.out, "events.jsonl"), events.map((row) => JSON.stringify(row)).join("\n"));
  await writeFile(join(plan.out, "result.json"), JSON.stringify({ ...seen, history, problems }, null, 1));
} finally {
  await browser.close();
  pages.close();
}
