// Holds one spoken conversation with the console in Debian's Firefox, driven over WebDriver BiDi.
//
// Usage: node firefox.mjs PLAN.json, with the plan of conversation.mjs. Firefox can play no file as a microphone, so
// `getUserMedia` gives a stream that plays the wav; everything else is the browser's own.
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { watchLine } from "./line.mjs";
import { wav } from "./tape.mjs";

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "media.autoplay.block-webaudio": false,
  // A loudspeaker that only keeps time: machines that run tests have none.
  "media.cubeb.force_mock_context": true,
  "app.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
};

const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
if (!existsSync(FIREFOX)) throw new Error(`no browser at ${FIREFOX}; install it with: apt-get install firefox-esr`);
await mkdir(plan.out, { recursive: true });

/** Runs in the page before its own scripts. One context plays the microphone and tapes both sides, without loss. */
function prepare(preferences, microphone) {
  // The blank page before the first one has neither storage nor microphone.
  if (!self.isSecureContext) return;
  localStorage.setItem("parley.console", preferences);
  window.__tape = { blocks: [], rate: 0 };
  window.__events = [];
  const note = (direction, text) => window.__events.push({ at_ms: Math.round(performance.now()), direction, event: JSON.parse(text) });
  let ready;
  const studio = () => {
    ready ??= (async () => {
      const context = new AudioContext();
      const sides = new ChannelMergerNode(context, { numberOfInputs: 2 });
      // An audio worklet would be the page's script, which its policy forbids.
      const recorder = context.createScriptProcessor(16_384, 2, 2);
      recorder.onaudioprocess = ({ inputBuffer }) => {
        const block = new Int16Array(2 * inputBuffer.length);
        for (let side = 0; side < 2; side++) {
          inputBuffer.getChannelData(side).forEach((value, i) => (block[2 * i + side] = Math.max(-1, Math.min(1, value)) * 32_767));
        }
        window.__tape.blocks.push(block);
      };
      sides.connect(recorder).connect(context.destination);
      window.__tape.rate = context.sampleRate;
      const bytes = Uint8Array.from(atob(microphone), (letter) => letter.charCodeAt(0));
      return { context, sides, script: await context.decodeAudioData(bytes.buffer) };
    })();
    return ready;
  };
  MediaDevices.prototype.getUserMedia = async () => {
    const { context, sides, script } = await studio();
    await context.resume();
    const speech = new AudioBufferSourceNode(context, { buffer: script });
    const out = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    speech.connect(out);
    speech.connect(sides, 0, 0);
    speech.start();
    return out.stream;
  };
  const held = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...held,
    set(stream) {
      held.set.call(this, stream);
      if (!stream) return void studio().then(({ context }) => context.close());
      void studio().then(({ context, sides }) => {
        const loudness = new GainNode(context);
        const follow = () => (loudness.gain.value = this.paused || this.muted ? 0 : this.volume);
        for (const type of ["playing", "pause", "volumechange"]) this.addEventListener(type, follow);
        follow();
        // Kept: Firefox collects a source that nobody holds.
        window.__tape.source = context.createMediaStreamSource(stream);
        window.__tape.source.connect(loudness).connect(sides, 0, 1);
      });
    },
  });
  const create = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...given) {
    const channel = create.apply(this, given);
    channel.addEventListener("message", ({ data }) => note("received", data));
    const send = channel.send;
    channel.send = (data) => {
      note("sent", data);
      send.call(channel, data);
    };
    return channel;
  };
}

/** Runs in the page: everything it has kept, as plain data. */
function collect() {
  const root = document.querySelector("parley-console").shadowRoot;
  const lines = [...(root.querySelector("transcript-view")?.shadowRoot.querySelectorAll("li") ?? [])].map((line) => {
    const all = line.querySelector(".words, summary").textContent.replace(/\s+/g, " ").trim();
    const [words, unheard = ""] = all.split(" Not heard: ");
    return { who: line.querySelector(".who").textContent, words, unheard, aside: line.querySelector(".aside")?.textContent ?? "" };
  });
  const { blocks, rate } = window.__tape;
  let audio = "";
  for (const block of blocks) {
    const bytes = new Uint8Array(block.buffer);
    for (let i = 0; i < bytes.length; i += 8192) audio += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  const alert = root.querySelector("fault-screen")?.shadowRoot.textContent.replace(/\s+/g, " ") ?? "";
  return JSON.stringify({ phase: root.querySelector("[data-phase]").dataset.phase, orb: root.querySelector("voice-orb").color, lines, alert, line: window.__line, rate, audio: btoa(audio), events: window.__events });
}

const browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true, extraPrefsFirefox: PREFERENCES });
try {
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  await page.setViewport({ width: 1440, height: 900 });
  const microphone = (await readFile(plan.microphone)).toString("base64");
  await page.evaluateOnNewDocument(prepare, JSON.stringify(plan.preferences ?? {}), microphone);
  await page.evaluateOnNewDocument(watchLine);
  await page.goto(plan.url);
  await page.waitForFunction(() => document.querySelector("parley-console")?.shadowRoot.querySelector("#start"));
  await page.evaluate(() => document.querySelector("parley-console").shadowRoot.querySelector("#start").click());
  const reached = (phases, timeout) =>
    page
      .waitForFunction((wanted) => wanted.includes(document.querySelector("parley-console").shadowRoot.querySelector("[data-phase]").dataset.phase), { timeout, polling: 100 }, phases)
      .then(() => true, () => false);
  if (!(await reached(["listening", "thinking", "speaking", "error"], 30_000))) throw new Error("the conversation did not begin");
  const ended = await reached(["idle", "error"], plan.limit_s * 1000);
  await page.screenshot({ path: join(plan.out, "end.png") });
  const { rate, audio, events, ...seen } = JSON.parse(await page.evaluate(collect));
  await writeFile(join(plan.out, "recording.wav"), wav(Buffer.from(audio, "base64"), rate));
  await writeFile(join(plan.out, "events.jsonl"), events.map((row) => JSON.stringify(row)).join("\n"));
  const version = await browser.version();
  await writeFile(join(plan.out, "result.json"), JSON.stringify({ ended, version, ...seen, problems }, null, 1));
} finally {
  await browser.close();
}
