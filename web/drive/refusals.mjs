// What stands in a person's way, made for real: no device, no permission, no secure address, no sound before a click.
// Usage: node refusals.mjs URL OUT_DIR TRANSPORT. Writes OUT_DIR/report.json: case → what the screen says.
import { mkdir, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM } from "./browser.mjs";
import { servePages } from "./pages.mjs";
import { script } from "./script.mjs";

const [url, out, transport] = process.argv.slice(2);
if (!transport) throw new Error("usage: node refusals.mjs URL OUT_DIR TRANSPORT");
await mkdir(out, { recursive: true });

const COMMON = ["--no-sandbox", "--disable-gpu"];
const pages = await servePages({ host: "0.0.0.0" });
const address = Object.values(networkInterfaces()).flat().find((one) => one.family === "IPv4" && !one.internal)?.address;

const CASES = {
  "microphone-missing": { url, args: [], permissions: ["microphone"] },
  "microphone-denied": { url, args: ["--use-fake-device-for-media-stream", "--deny-permission-prompts"], permissions: [] },
  // The page's own script presses the button, which is no click to the browser. (A page that holds the microphone may
  // sound anyway, so this is the way in by keyboard.)
  "sound-blocked": { url, args: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=document-user-activation-required"], permissions: ["microphone"], pressed: true },
  ...(address ? { "insecure-origin": { url: `http://${address}:${pages.port}/`, args: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"], permissions: [], scripted: true } } : {}),
};

function pressWhenThere() {
  const timer = setInterval(() => {
    const button = document.querySelector("parley-console")?.shadowRoot?.querySelector("#start + button");
    if (!button) return;
    clearInterval(timer);
    button.click();
  }, 50);
}

const report = {};
try {
  for (const [name, { url: start, args, permissions, pressed, scripted }] of Object.entries(CASES)) {
    const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...COMMON, ...args] });
    try {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, permissions });
      const page = await context.newPage();
      const sent = scripted ? await script(page, { wire: "websocket" }) : [];
      const preferences = { greet: false, transport: scripted ? "websocket" : transport };
      await page.addInitScript((kept) => localStorage.setItem("parley.console", kept), JSON.stringify(preferences));
      if (pressed) await page.addInitScript(pressWhenThere);
      await page.goto(start);
      if (!pressed) await page.getByRole("button", { name: "Start talking" }).click();
      const screen = page.locator("fault-screen");
      await screen.waitFor({ timeout: 15_000 });
      await page.screenshot({ path: join(out, `${name}.png`) });
      const said = (await screen.evaluate((element) => element.shadowRoot.textContent)).replace(/\s+/g, " ").trim();
      let recovered = "";
      if (name === "sound-blocked") {
        await page.getByRole("button", { name: "Turn on sound" }).click();
        await page.locator('[data-phase="listening"], [data-phase="speaking"], [data-phase="thinking"]').waitFor({ timeout: 15_000 });
        recovered = "by a click";
      } else if (name === "insecure-origin") {
        await page.getByRole("button", { name: "Type instead" }).click();
        await page.getByText("this address allows no sound").waitFor({ timeout: 15_000 });
        recovered = sent.find((event) => event.type === "session.update").session.output_modalities.join();
      } else if (name === "microphone-denied") {
        await page.getByRole("button", { name: "Type instead" }).click();
        await page.getByLabel("Message").waitFor({ timeout: 15_000 });
        recovered = "by keyboard";
      }
      report[name] = { said, recovered };
    } finally {
      await browser.close();
    }
  }
} finally {
  pages.close();
}
await writeFile(join(out, "report.json"), JSON.stringify(report, null, 1));
