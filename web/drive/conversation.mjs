// Holds one spoken conversation in Chromium and records both sides on one clock.
//
// Usage: node conversation.mjs PLAN.json. The plan:
//   url          the page
//   out          folder for recording.wav (left: microphone, right: speaker), events.jsonl, end.png, result.json
//   microphone   wav that the fake microphone plays once, from the moment the page opens it; absent: keyboard only
//   preferences  the console's stored preferences; `transport` in them says how it connects
//   keys         tries to sign in with each of them first
//   typed        [{after_s, text}]: sent by keyboard
//   until        "over" waits for the conversation to end by itself
//   limit_s      ends it by force
//   record       false: no recording, and the page's content security policy stays in force
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launch } from "./browser.mjs";
import { watchLine } from "./line.mjs";
import { listen, RECORDER, tapChannel, tapSpeaker, tapTracks, tape, wav } from "./tape.mjs";

const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
await mkdir(plan.out, { recursive: true });

const browser = await launch({ microphone: plan.microphone });
// The recorder is a script that the page's policy forbids, as it should; a run that records does without the policy.
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: plan.record !== false });
const page = await context.newPage();
const problems = [];
const hosts = new Set();
const paths = new Set();
const events = [];
const logins = [];
page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
page.on("console", (message) => {
  if (message.type() === "error") problems.push(`console: ${message.text()}`);
});
page.on("request", (request) => {
  const { host, pathname, protocol } = new URL(request.url());
  // What the recorder loads is no request of the page's.
  if (protocol === "data:") return;
  hosts.add(host);
  paths.add(pathname);
});
let began = 0;
const note = (direction, event) => events.push({ at_ms: Math.round(performance.now() - began), direction, event });
page.on("websocket", (socket) => {
  hosts.add(new URL(socket.url()).host);
  const noted = (direction) => (frame) => {
    const event = JSON.parse(frame.payload);
    if (event.type === "input_audio_buffer.append") return;
    if (event.type === "response.output_audio.delta") event.delta = Buffer.from(event.delta, "base64").length;
    note(direction, event);
  };
  socket.on("framesent", noted("sent"));
  socket.on("framereceived", noted("received"));
  socket.on("close", () => note("closed", {}));
});
await listen(page, note);
await page.addInitScript(tapChannel);
await page.addInitScript(watchLine);
const tap = plan.preferences?.transport === "websocket" ? tapSpeaker : tapTracks;
if (plan.record !== false) await page.addInitScript(tap, RECORDER);
await page.addInitScript((preferences) => localStorage.setItem("parley.console", JSON.stringify(preferences)), plan.preferences ?? {});

try {
  await page.goto(plan.url);
  for (const key of plan.keys ?? []) {
    await page.getByLabel("Server key").fill(key);
    const answered = page.waitForResponse("**/ui/login");
    await page.getByRole("button", { name: "Sign in" }).click();
    logins.push((await answered).status());
  }
  began = performance.now();
  await page.getByRole("button", { name: plan.microphone ? "Start talking" : "Type instead" }).click();
  await page.locator('[data-phase="listening"], [data-phase="thinking"], [data-phase="speaking"]').waitFor({ timeout: 30_000 });
  for (const { after_s, text } of plan.typed ?? []) {
    await page.waitForTimeout(after_s * 1000);
    await page.getByLabel("Message").fill(text);
    await page.getByLabel("Message").press("Enter");
  }
  let ended = false;
  if (plan.until === "over") {
    ended = await page.locator('[data-phase="idle"], [data-phase="error"]').waitFor({ timeout: plan.limit_s * 1000 }).then(() => true, () => false);
  } else {
    await page.waitForTimeout(plan.limit_s * 1000);
  }
  await page.screenshot({ path: join(plan.out, "end.png") });
  const seen = await page.evaluate(() => {
    const root = document.querySelector("parley-console").shadowRoot;
    const script = root.querySelector("transcript-view")?.shadowRoot;
    const lines = [...(script?.querySelectorAll("li") ?? [])].map((line) => {
      const all = line.querySelector(".words, summary").textContent.replace(/\s+/g, " ").trim();
      const [words, unheard = ""] = all.split(" Not heard: ");
      return { who: line.querySelector(".who").textContent, words, unheard, aside: line.querySelector(".aside")?.textContent ?? "" };
    });
    const kept = JSON.stringify({ ...localStorage, ...sessionStorage, cookie: document.cookie });
    const alert = root.querySelector("fault-screen")?.shadowRoot.textContent.replace(/\s+/g, " ") ?? "";
    const path = document.querySelector("parley-console").snapshot.network?.path ?? "";
    return { path, line: window.__line, phase: root.querySelector("[data-phase]").dataset.phase, lines, orb: root.querySelector("voice-orb").color, kept, alert };
  });
  if (plan.record !== false) {
    const { rate, audio } = await page.evaluate(tape);
    await writeFile(join(plan.out, "recording.wav"), wav(Buffer.from(audio, "base64"), rate));
  }
  await writeFile(join(plan.out, "events.jsonl"), events.map((row) => JSON.stringify(row)).join("\n"));
  await writeFile(join(plan.out, "result.json"), JSON.stringify({ ended, ...seen, hosts: [...hosts], paths: [...paths], problems, logins }, null, 1));
} finally {
  await browser.close();
}
