// The console's sound and line while a conversation runs: devices, loudness, a phone's screen, a network that changes.
//
// Usage: node sound.mjs URL OUT.json. URL is a real server's; devices and the screen are looked at with a scripted one.
import { writeFile } from "node:fs/promises";
import { launch } from "./browser.mjs";
import { servePages } from "./pages.mjs";
import { script } from "./script.mjs";

const [url, out] = process.argv.slice(2);
if (!out) throw new Error("usage: node sound.mjs URL OUT.json");

/** Runs in the page: keep what its library keeps to itself. */
function expose() {
  const Peer = RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...given) {
      super(...given);
      window.__peer ??= this;
    }
  };
  const held = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...held,
    set(stream) {
      window.__voice = this;
      held.set.call(this, stream);
    },
  });
  const ask = WakeLock.prototype.request;
  window.__locks = [];
  WakeLock.prototype.request = async function (...given) {
    const lock = await ask.apply(this, given);
    window.__locks.push(lock);
    return lock;
  };
}

const looked = () => ({
  sending: window.__peer.getSenders().find((sender) => sender.track)?.track.label,
  sink: window.__voice.sinkId,
  volume: window.__voice.volume,
  muted: window.__voice.muted,
});

async function open(browser, origin, options) {
  const page = await (await browser.newContext(options)).newPage();
  await page.addInitScript(expose);
  // Once: a page that is loaded again has preferences of its own.
  await page.addInitScript(() => localStorage.setItem("parley.console", localStorage.getItem("parley.console") ?? '{"greet":false}'));
  if (origin !== url) await script(page);
  await page.goto(origin);
  return page;
}

const live = (page) => page.locator('[data-phase="listening"]').waitFor({ timeout: 30_000 });

async function devices(browser, origin) {
  const page = await open(browser, origin, { viewport: { width: 1440, height: 900 } });
  await page.getByRole("button", { name: "Start talking" }).click();
  await live(page);
  const before = await page.evaluate(looked);
  const choose = async (label) => {
    const select = page.locator("sound-panel label", { hasText: label }).locator("select");
    const value = await select.locator("option").last().getAttribute("value");
    const name = await select.locator("option").last().textContent();
    await select.selectOption(value);
    return { value, name };
  };
  const microphone = await choose("Microphone");
  const loudspeaker = await choose("Loudspeaker");
  await page.locator("sound-panel input[type=range]").fill("40");
  await page.getByRole("button", { name: "Mute loudspeaker" }).click();
  await page.waitForFunction((name) => window.__peer.getSenders().some((sender) => sender.track?.label === name), microphone.name);
  const after = await page.evaluate(looked);
  await page.reload();
  const kept = await page.evaluate(() => JSON.parse(localStorage.getItem("parley.console")));
  return { before, after, microphone, loudspeaker, kept };
}

async function phone(browser, origin, options) {
  const page = await open(browser, origin, options);
  await page.getByRole("button", { name: "Start talking" }).click();
  await live(page);
  await page.waitForTimeout(300);
  const during = await page.evaluate(() => window.__locks.map((lock) => lock.released));
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.waitForTimeout(300);
  return { during, after: await page.evaluate(() => window.__locks.map((lock) => lock.released)) };
}

/** The browser says that the line is dead; the page looks for another way to the same call. */
async function roaming(browser) {
  const page = await open(browser, url, { viewport: { width: 1440, height: 900 } });
  const posts = [];
  page.on("response", (response) => {
    if (response.request().method() === "POST" && response.url().includes("/v1/")) posts.push({ path: new URL(response.url()).pathname, status: response.status() });
  });
  await page.getByRole("button", { name: "Type instead" }).click();
  await live(page);
  const credentials = () => page.evaluate(() => /a=ice-ufrag:(\S+)/.exec(window.__peer.localDescription.sdp)[1]);
  const before = await credentials();
  await page.evaluate(() => {
    Object.defineProperty(window.__peer, "connectionState", { configurable: true, value: "disconnected" });
    window.__peer.dispatchEvent(new Event("connectionstatechange"));
  });
  await page.waitForResponse((response) => /\/calls\/rtc_/.test(response.url()), { timeout: 10_000 });
  await page.evaluate(() => {
    delete window.__peer.connectionState;
    window.__peer.dispatchEvent(new Event("connectionstatechange"));
  });
  await page.waitForFunction(() => window.__peer.iceConnectionState === "connected" && window.__peer.signalingState === "stable");
  await page.getByLabel("Message").fill("Please change the orb color to green.");
  await page.getByLabel("Message").press("Enter");
  await page.waitForFunction(() => document.querySelector("parley-console").shadowRoot.querySelector("voice-orb").color === "#1f9d6b", { timeout: 15_000 });
  await page.locator('[data-phase="speaking"]').waitFor({ timeout: 15_000 });
  return { posts, newCredentials: (await credentials()) !== before };
}

const pages = await servePages();
const browser = await launch();
try {
  const report = {
    devices: await devices(browser, pages.origin),
    phone: await phone(browser, pages.origin, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }),
    desk: await phone(browser, pages.origin, { viewport: { width: 1440, height: 900 } }),
    roaming: await roaming(browser),
  };
  await writeFile(out, JSON.stringify(report, null, 1));
} finally {
  await browser.close();
  pages.close();
}
