// Every state of the console, light and dark, wide and narrow: a picture, axe-core, no horizontal scroll, every control
// reachable by Tab. Usage: node states.mjs OUT_DIR [STATE,…]. Writes pictures and STATE.json there, `{"error"}` for a state
// that never came about; judging is the caller's.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { launch } from "./browser.mjs";
import { servePages } from "./pages.mjs";
import { script } from "./script.mjs";

const out = process.argv[2];
if (!out) throw new Error("usage: node states.mjs OUT_DIR");
const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const GREETING = "Hello! I am Parley. What would you like to do?";
const ANSWER = "The orb is purple now. Shall I try another colour, or tell you what time it is where you are?";
const PATIENCE_MS = 30_000;
/** The orb eases into a state. */
const SETTLE_MS = 600;
const TIMELINE = { committed_ms: 512, transcript_ms: 598, first_token_ms: 601, first_audio_ms: 684, first_sent_ms: 687 };

/** The greeting, heard to its end. */
async function greeted({ page, server }) {
  server.begin("resp_0", "item_a0");
  server.speak("resp_0", "item_a0", GREETING, { msPerChar: 8 });
  server.finish("resp_0", "item_a0", GREETING, { timeline: { first_token_ms: 40, first_audio_ms: 96, first_sent_ms: 97 } });
  await page.getByText("answered in").waitFor({ timeout: PATIENCE_MS });
  await phase(page, "listening");
}

/** A spoken wish, granted by a function. */
async function asked({ page, server }) {
  server.userSays("item_u1", "Could you paint the orb purple, please?", "item_a0");
  const answered = server.heard("response.create");
  server.call("resp_1", "item_c1", "set_orb_color", { color: "purple" }, "item_u1");
  await answered;
  await phase(page, "thinking");
}

/** The answer about it, well under way. */
async function answering({ page, server }) {
  server.begin("resp_2", "item_a2", "item_c1");
  server.speak("resp_2", "item_a2", ANSWER, { msPerChar: 140 });
  server.finish("resp_2", "item_a2", ANSWER, { timeline: TIMELINE });
  await phase(page, "speaking");
  await page.waitForTimeout(1800);
}

/** Three wishes to the page, granted, and the last one spoken about. */
async function repainted({ page, server }) {
  server.begin("resp_0", "item_a0");
  server.speak("resp_0", "item_a0", GREETING, { msPerChar: 8 });
  server.finish("resp_0", "item_a0", GREETING);
  await page.getByText(GREETING).waitFor({ timeout: PATIENCE_MS });
  await phase(page, "listening");
  const wishes = [
    ["change_background_color", { color: "purple" }],
    ["change_font_color", { color: "white" }],
    ["change_button", { size: "bigger", color: "green" }],
  ];
  for (const [index, [name, args]] of wishes.entries()) {
    const answered = server.heard("response.create");
    server.call(`resp_w${index}`, `item_w${index}`, name, args, index === 0 ? "item_a0" : `item_s${index - 1}`);
    await answered;
    server.begin(`resp_s${index}`, `item_s${index}`, `item_w${index}`);
    server.finish(`resp_s${index}`, `item_s${index}`, "Done.");
  }
  server.userSays("item_u9", "Now make the button bigger and green.", "item_s2");
  server.begin("resp_9", "item_9", "item_u9");
  server.speak("resp_9", "item_9", "The button is bigger and green now.", { msPerChar: 300 });
  await phase(page, "speaking");
}

const phase = (page, name) => page.locator(`[data-phase="${name}"]`).waitFor({ timeout: PATIENCE_MS });
const all = (...acts) => async (scene) => {
  for (const act of acts) await act(scene);
};
const error = (code, message) => ({ type: "error", error: { type: "server_error", code, message, param: null, event_id: null } });

/** Replace `getUserMedia`: a DOMException's name, or "pending" for a question nobody answers. */
const microphone = (what) => (page) =>
  page.addInitScript((name) => {
    navigator.mediaDevices.getUserMedia = () =>
      name === "pending" ? new Promise(() => undefined) : Promise.reject(new DOMException("Said by the browser.", name));
  }, what);

/**
 * name → how to get there. `page`: another page than the console. `live` acts once the session is open, for the states that talk; `start: false` does not press
 * Start. `then` comes last. `phase` is what the stage must say; `text` must be on the screen.
 */
const STATES = {
  idle: { start: false, phase: "idle", text: "Start talking" },
  loading: { config: { state: "warming" }, start: false, phase: "idle", text: "models are loading" },
  permission: { before: microphone("pending"), phase: "permission", text: "Allow the microphone" },
  connecting: { before: (page) => page.route("**/ui/secret", () => undefined), phase: "connecting", text: "Connecting" },
  listening: { live: greeted, phase: "listening", text: "Listening" },
  thinking: { live: all(greeted, asked), phase: "thinking", text: "Thinking" },
  speaking: { live: all(greeted, asked, answering), phase: "speaking", text: "Speaking" },
  interrupted: {
    live: all(greeted, asked, answering, ({ server }) => server.interrupted("resp_2", "item_a2", "The orb is purple now.", 2100)),
    phase: "interrupted",
    text: "Interrupted",
  },
  over: { live: greeted, then: (page) => page.getByRole("button", { name: "End", exact: true }).click(), phase: "idle", text: "Conversation over" },
  notice: {
    live: all(greeted, ({ server }) => server.send(error("engine_failed", "The language model did not answer. Check that it runs at the address given with --llm."))),
    phase: "listening",
    text: "did not answer",
  },
  "interrupted-websocket": {
    wire: "websocket",
    live: all(greeted, asked, answering, ({ server }) => server.interrupted()),
    phase: "interrupted",
    text: "Interrupted",
  },
  muted: {
    live: greeted,
    then: async (page) => {
      await page.getByRole("button", { name: "Mute loudspeaker" }).click();
      await page.getByRole("button", { name: "Mute microphone" }).click();
    },
    phase: "listening",
    text: "Microphone muted",
  },
  "panel-sound": { live: greeted, view: "session", then: (page) => page.locator("sound-panel select").last().scrollIntoViewIfNeeded(), text: "Loudspeaker" },
  "panel-session": { start: false, view: "session", text: "Instructions" },
  "panel-tools": { live: greeted, view: "tools", then: (page) => page.getByRole("button", { name: "Add a function" }).click(), text: "JSON Schema" },
  "panel-events": { live: all(greeted, asked), view: "events", then: (page) => page.locator("events-panel summary").nth(2).click(), text: "session.updated" },
  "panel-timing": { live: all(greeted, asked, answering), view: "timing", text: "Round trip" },
  "panel-engines": { start: false, view: "engines", text: "moonshine-tiny-en" },
  "sign-in": { config: { auth_required: true }, start: false, text: "Server key" },
  "sign-in-refused": {
    config: { auth_required: true },
    start: false,
    then: async (page) => {
      await page.getByLabel("Server key").fill("wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
    },
    text: "not one of this server's keys",
  },
  "error-microphone-denied": { before: microphone("NotAllowedError"), phase: "error", text: "The microphone is blocked" },
  "error-microphone-missing": { before: microphone("NotFoundError"), phase: "error", text: "No microphone found" },
  "error-microphone-busy": { before: microphone("NotReadableError"), phase: "error", text: "in use" },
  "error-insecure-origin": {
    before: (page) => page.addInitScript(() => Object.defineProperty(window, "isSecureContext", { value: false })),
    phase: "error",
    text: "cannot use a microphone",
  },
  "error-sound-blocked": {
    before: (page) =>
      page.addInitScript(() => {
        AudioContext.prototype.resume = () => new Promise(() => undefined);
        Object.defineProperty(AudioContext.prototype, "state", { get: () => "suspended" });
      }),
    phase: "error",
    text: "Turn on sound",
  },
  "error-no-media-path": { wire: "deaf", phase: "error", text: "does not get through" },
  "error-server-gone": { wire: "websocket", live: ({ server }) => server.close(1011, ""), phase: "error", text: "does not answer" },
  "error-in-conversation": { wire: "websocket", live: all(greeted, asked, ({ server }) => server.close(1011, "")), phase: "error", text: "Could you paint" },
  "error-server-starting": {
    wire: "websocket",
    live: ({ server }) => {
      server.send(error("server_starting", "The models are being loaded. Try again in a moment."));
      server.close(1013, "server_error.server_starting");
    },
    phase: "error",
    text: "still starting",
  },
  "error-session-expired": {
    live: ({ server }) => {
      server.send(error("session_expired", "Your session hit the maximum duration of 60 minutes."));
      server.close(1001, "Your session hit the maximum duration of 60 minutes.");
    },
    phase: "error",
    text: "Time is up",
  },
  "error-at-capacity": { secretStatus: 503, phase: "error", text: "The server is full" },
  "page-control": { page: "/page-control/", start: false, phase: "idle", text: "Talk to this page" },
  "page-control-painted": { page: "/page-control/", live: repainted, phase: "speaking", text: "bigger and green" },
  "page-control-sign-in": { page: "/page-control/", config: { auth_required: true }, start: false, text: "Server key" },
  "page-control-error": { page: "/page-control/", before: microphone("NotAllowedError"), phase: "error", text: "The microphone is blocked" },
  "error-no-server": { before: (page) => page.route("**/ui/config", (route) => route.abort()), start: false, text: "does not answer" },
};

const SHAPES = [
  { width: 1440, height: 900, scheme: "light" },
  { width: 1440, height: 900, scheme: "dark" },
  { width: 390, height: 844, scheme: "light" },
  { width: 390, height: 844, scheme: "dark" },
];

/** Every control a person could want, by walking the open shadow trees. */
function controlsIn() {
  const found = [];
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      const wanted = element.matches("button:not(:disabled), a[href], input, select, textarea, summary, [tabindex='0']");
      if (wanted && element.checkVisibility({ visibilityProperty: true })) found.push(element);
      if (element.shadowRoot) walk(element.shadowRoot);
    }
  };
  walk(document);
  return found;
}

async function unreachable(page) {
  await page.evaluate(`window.__controls = (${controlsIn.toString()})(); window.__reached = new Set()`);
  const total = await page.evaluate(() => window.__controls.length);
  for (let i = 0; i < total + 12; i++) {
    await page.keyboard.press("Tab");
    await page.evaluate(() => {
      let active = document.activeElement;
      while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
      window.__reached.add(active);
    });
  }
  return page.evaluate(() => window.__controls.filter((control) => !window.__reached.has(control)).map((control) => control.outerHTML.slice(0, 120)));
}

/** A promise and the function that settles it. */
function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

async function look(browser, name, state, shape, pages) {
  const context = await browser.newContext({ viewport: { width: shape.width, height: shape.height }, colorScheme: shape.scheme, permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) problems.push(`console: ${message.text()}`);
  });
  const opened = withResolvers();
  await script(page, { config: state.config, onOpen: opened.resolve, wire: state.wire, secretStatus: state.secretStatus });
  if (state.wire === "websocket") await page.addInitScript(() => localStorage.setItem("parley.console", '{"transport":"websocket"}'));
  await state.before?.(page);
  await page.goto(pages.origin + (state.page ?? "/"));
  if (state.start !== false) await page.getByRole("button", { name: "Start talking" }).click();
  if (state.live) await state.live({ page, server: await opened.promise });
  if (state.phase && !state.then) await phase(page, state.phase);
  if (state.view) await page.locator(`#tab-${state.view}`).click();
  await state.then?.(page);
  if (state.phase) await phase(page, state.phase);
  await page.getByText(state.text, { exact: false }).locator("visible=true").first().waitFor({ timeout: PATIENCE_MS });
  await page.waitForTimeout(SETTLE_MS);
  await page.evaluate(() => document.fonts.ready);
  const picture = `${name}-${shape.width}-${shape.scheme}.png`;
  await page.screenshot({ path: join(out, picture) });
  // What moves has been seen. Four animated pages without a graphics card leave little of two cores for the rest.
  await page.evaluate(() => (window.requestAnimationFrame = () => 0));
  const stage = page.locator("[data-phase]");
  const seen = (await stage.count()) > 0 ? await stage.first().getAttribute("data-phase") : null;
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  const clipped = await page.evaluate(() => {
    const wide = [];
    const walk = (root) => {
      for (const element of root.querySelectorAll("*")) {
        const box = element.getBoundingClientRect();
        if (box.width > 0 && box.right > innerWidth + 1 && element.checkVisibility() && !element.matches(".visually-hidden")) wide.push(element.outerHTML.slice(0, 100));
        if (element.shadowRoot) walk(element.shadowRoot);
      }
    };
    walk(document);
    return wide;
  });
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const result = await window.axe.run(document, { resultTypes: ["violations"] });
    return result.violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, nodes: nodes.map((node) => `${node.target.flat().join(" ")} ${node.failureSummary ?? ""}`) }));
  });
  // Tabbing through moves the page on; so it comes last.
  const unreached = await unreachable(page);
  await context.close();
  return { name, ...shape, picture, phase: seen, overflow, clipped, violations, unreached, problems };
}

/** One state in every shape; what it looked like, or why it never came about. */
async function seen(browser, name, pages) {
  try {
    return await Promise.all(SHAPES.map((shape) => look(browser, name, STATES[name], shape, pages)));
  } catch (error) {
    return { error: String(error) };
  }
}

await mkdir(out, { recursive: true });
const wanted = process.argv[3]?.split(",") ?? Object.keys(STATES);
const unknown = wanted.filter((name) => !(name in STATES));
if (unknown.length > 0) throw new Error(`no such state: ${unknown.join(", ")}`);
const pages = await servePages();
const browser = await launch();
try {
  for (const name of wanted) await writeFile(join(out, `${name}.json`), JSON.stringify(await seen(browser, name, pages), null, 1));
} finally {
  await browser.close();
  pages.close();
}
