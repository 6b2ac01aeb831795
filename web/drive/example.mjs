// Holds one spoken or typed conversation with a page over WebRTC and records both sides on one clock.
//
// Usage: node example.mjs PLAN.json. The plan:
//   url          the page; a file is named by file://
//   framed       folder that is served so that the page stands in an iframe of another origin; `url` is then its file name
//   out          folder for recording.wav, events.jsonl, end.png, result.json
//   microphone   wav that the fake microphone plays once, from the moment the page opens it; absent: keyboard only
//   storage      {key: text} in the page's local storage
//   typed        [{after_s, text}]: sent by keyboard
//   watch        {name: [selector, property]}: computed styles, noted whenever one changes
//   limit_s      ends it by force; else it is over when the button that starts conversations is back
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { launch } from "./browser.mjs";
import { listen, RECORDER, tapChannel, tapTracks, tape, wav } from "./tape.mjs";

const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
await mkdir(plan.out, { recursive: true });

/** Serves the file at 127.0.0.1 and, at localhost, which is another origin, a page that frames it. */
async function frame(folder, name) {
  const server = createServer(async (request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    if (request.url === `/${name}`) return response.end(await readFile(join(folder, name)));
    const source = `http://127.0.0.1:${server.address().port}/${name}`;
    response.end(`<!doctype html><title>Frame</title><style>iframe { width: 100%; height: 90vh }</style><iframe src="${source}" allow="microphone; autoplay"></iframe>`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://localhost:${server.address().port}/`, close: () => server.close() };
}

/** Runs in the page: tell when a microphone or a connection is given up. */
function tapEnds() {
  const stop = MediaStreamTrack.prototype.stop;
  MediaStreamTrack.prototype.stop = function () {
    void window.__noted("track-stopped", "{}");
    return stop.call(this);
  };
}

/** Runs in the page: note the styles whenever one of them changes. */
function watch(wanted) {
  let last = "";
  setInterval(() => {
    if (document.readyState !== "complete") return;
    const seen = {};
    for (const [name, [selector, property]] of Object.entries(wanted)) {
      const element = document.querySelector(selector);
      if (!element) return;
      seen[name] = getComputedStyle(element).getPropertyValue(property);
    }
    const text = JSON.stringify(seen);
    if (text !== last) void window.__noted("style", text);
    last = text;
  }, 100);
}

const framed = plan.framed ? await frame(plan.framed, plan.url) : undefined;
const browser = await launch({ microphone: plan.microphone });
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce", bypassCSP: true });
const page = await context.newPage();
const problems = [];
const requests = [];
const events = [];
let began = 0;
page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
page.on("console", (message) => {
  if (message.type() === "error") problems.push(`console: ${message.text()}`);
});
page.on("request", (request) => {
  const [kind = ""] = (request.headers()["content-type"] ?? "").split(";");
  requests.push({ method: request.method(), url: request.url(), kind, keyed: "authorization" in request.headers() });
});
await listen(page, (direction, event) => events.push({ at_ms: Math.round(performance.now() - began), direction, event }));
await page.addInitScript(tapChannel);
await page.addInitScript(tapEnds);
await page.addInitScript(tapTracks, RECORDER);
if (plan.watch) await page.addInitScript(watch, plan.watch);
await page.addInitScript((kept) => {
  for (const [key, text] of Object.entries(kept)) localStorage.setItem(key, text);
}, plan.storage ?? {});

try {
  await page.goto(framed?.url ?? plan.url);
  const here = framed ? page.frameLocator("iframe") : page;
  began = performance.now();
  await here.getByRole("button", { name: plan.microphone ? "Start talking" : "Type instead" }).click();
  const startAgain = here.getByRole("button", { name: "Start talking" });
  // A page that is refused at once has its button back before anybody could look.
  await startAgain.waitFor({ state: "detached", timeout: 3000 }).catch(() => undefined);
  for (const { after_s, text } of plan.typed ?? []) {
    await page.waitForTimeout(after_s * 1000);
    await here.getByLabel("Message").fill(text);
    await here.getByLabel("Message").press("Enter");
  }
  const ended = await startAgain.waitFor({ timeout: plan.limit_s * 1000 }).then(() => true, () => false);
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(plan.out, "end.png") });
  const root = framed ? page.frames().at(-1) : page.mainFrame();
  const seen = await root.evaluate(() => ({
    captions: [...document.querySelectorAll("#captions li")].map((line) => ({
      who: line.className,
      heard: line.firstChild?.textContent ?? "",
      unheard: line.querySelector("s")?.textContent ?? "",
    })),
    state: document.querySelector("#state")?.textContent ?? "",
    alert: document.querySelector("voice-dock")?.shadowRoot.querySelector("fault-screen")?.shadowRoot.textContent ?? "",
  }));
  const { rate, audio } = await root.evaluate(tape);
  await writeFile(join(plan.out, "recording.wav"), wav(Buffer.from(audio, "base64"), rate));
  await writeFile(join(plan.out, "events.jsonl"), events.map((row) => JSON.stringify(row)).join("\n"));
  await writeFile(join(plan.out, "result.json"), JSON.stringify({ ended, ...seen, requests, problems }, null, 1));
} finally {
  await browser.close();
  framed?.close();
}
