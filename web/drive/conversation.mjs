// Holds one spoken conversation in Chromium and records both sides in the page's own AudioContext.
//
// Usage: node conversation.mjs PLAN.json. The plan:
//   url          the page
//   out          folder for recording.wav (left: microphone, right: speaker), events.jsonl, end.png, result.json
//   microphone   wav that the fake microphone plays once, from the moment the page opens it; absent: keyboard only
//   preferences  the console's stored preferences
//   keys         tries to sign in with each of them first
//   typed        [{after_s, text}]: sent by keyboard
//   until        "over" waits for the conversation to end by itself
//   limit_s      ends it by force
//   record       false: no recording, and the page's content security policy stays in force
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launch } from "./browser.mjs";

const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
await mkdir(plan.out, { recursive: true });

const RECORDER = `
class Recorder extends AudioWorkletProcessor {
  #block = new Int16Array(2 * 4096);
  #at = 0;
  process(inputs) {
    for (let i = 0; i < 128; i++) {
      for (let side = 0; side < 2; side++) {
        const value = inputs[side][0]?.[i] ?? 0;
        this.#block[this.#at++] = Math.max(-1, Math.min(1, value)) * 32767;
      }
    }
    if (this.#at === this.#block.length) {
      this.port.postMessage(this.#block.slice());
      this.#at = 0;
    }
    return true;
  }
}
registerProcessor("drive-recorder", Recorder);
`;

/** Runs in the page before its own scripts: everything that goes to the speaker or comes from the microphone is taped. */
function tap(recorderCode) {
  window.__tape = { blocks: [], rate: 0 };
  const connect = AudioNode.prototype.connect;
  const recorders = new WeakMap();
  const recorderOf = (context) => {
    let ready = recorders.get(context);
    if (!ready) {
      window.__tape.rate = context.sampleRate;
      ready = context.audioWorklet.addModule(URL.createObjectURL(new Blob([recorderCode], { type: "text/javascript" }))).then(() => {
        const node = new AudioWorkletNode(context, "drive-recorder", { numberOfInputs: 2, numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit" });
        node.port.onmessage = (message) => window.__tape.blocks.push(message.data);
        connect.call(node, context.destination);
        return node;
      });
      recorders.set(context, ready);
    }
    return ready;
  };
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target === this.context.destination) void recorderOf(this.context).then((node) => connect.call(this, node, 0, 1));
    return connect.call(this, target, ...rest);
  };
  const source = AudioContext.prototype.createMediaStreamSource;
  AudioContext.prototype.createMediaStreamSource = function (stream) {
    const node = source.call(this, stream);
    void recorderOf(this).then((recorder) => connect.call(node, recorder, 0, 0));
    return node;
  };
}

/** The tape as bytes, in base64. */
function tape() {
  const { blocks } = window.__tape;
  const bytes = new Uint8Array(blocks.reduce((sum, block) => sum + block.byteLength, 0));
  let at = 0;
  for (const block of blocks) {
    bytes.set(new Uint8Array(block.buffer), at);
    at += block.byteLength;
  }
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return { rate: window.__tape.rate, audio: btoa(text) };
}

function wav(pcm, rate) {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + pcm.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(2, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 4, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([head, pcm]);
}

const browser = await launch({ microphone: plan.microphone });
// The recorder is a script that the page's policy forbids, as it should; a run that records does without the policy.
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: plan.record !== false });
const page = await context.newPage();
const problems = [];
const hosts = new Set();
const events = [];
const logins = [];
page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
page.on("console", (message) => {
  if (message.type() === "error") problems.push(`console: ${message.text()}`);
});
page.on("request", (request) => hosts.add(new URL(request.url()).host));
let began = 0;
page.on("websocket", (socket) => {
  hosts.add(new URL(socket.url()).host);
  const note = (direction) => (frame) => {
    const event = JSON.parse(frame.payload);
    if (event.type === "input_audio_buffer.append") return;
    if (event.type === "response.output_audio.delta") event.delta = Buffer.from(event.delta, "base64").length;
    events.push({ at_ms: Math.round(performance.now() - began), direction, event });
  };
  socket.on("framesent", note("sent"));
  socket.on("framereceived", note("received"));
  socket.on("close", () => events.push({ at_ms: Math.round(performance.now() - began), direction: "closed", event: {} }));
});
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
    return { phase: root.querySelector("[data-phase]").dataset.phase, lines, orb: root.querySelector("voice-orb").color, kept, alert };
  });
  if (plan.record !== false) {
    const { rate, audio } = await page.evaluate(tape);
    await writeFile(join(plan.out, "recording.wav"), wav(Buffer.from(audio, "base64"), rate));
  }
  await writeFile(join(plan.out, "events.jsonl"), events.map((row) => JSON.stringify(row)).join("\n"));
  await writeFile(join(plan.out, "result.json"), JSON.stringify({ ended, ...seen, hosts: [...hosts], problems, logins }, null, 1));
} finally {
  await browser.close();
}
