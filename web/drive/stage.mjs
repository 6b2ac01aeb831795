// The stage: one page speaks, others listen by its link.
//
// Usage: node stage.mjs SERVER-URL APP SECRET FOLDER MICROPHONE.wav. Writes FOLDER/report.json and pictures.
import { writeFile } from "node:fs/promises";
import { launch } from "./browser.mjs";

const [server, app, secret, folder, microphone] = process.argv.slice(2);
const report = { errors: [], heard: [] };
const browser = await launch({ microphone });

/** Ask again until it is so, at most 40 s; give what it was last. */
async function poll(read, so) {
  const until = Date.now() + 40_000;
  let found = await read();
  while (!so(found) && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    found = await read();
  }
  return found;
}

async function open(url) {
  const page = await (await browser.newContext({ permissions: ["microphone"] })).newPage();
  page.on("pageerror", (error) => report.errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && report.errors.push(message.text()));
  await page.goto(url);
  return page;
}

/** How loud a listener's sound is, as the root mean square of its samples. */
const loudness = () => {
  if (!window.meter) {
    const context = new AudioContext();
    window.meter = new AnalyserNode(context, { fftSize: 4096 });
    context.createMediaStreamSource(document.querySelector("audio").srcObject).connect(window.meter);
  }
  const samples = new Float32Array(4096);
  window.meter.getFloatTimeDomainData(samples);
  return Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
};

try {
  const speaker = await open(`${server}/stage`);
  await speaker.fill("#app", app);
  await speaker.fill("#secret", secret);
  await speaker.fill("#name", "Ada");
  await speaker.screenshot({ path: `${folder}/begin.png` });
  await speaker.click("form button");
  await speaker.waitForSelector("#share:not([hidden])");
  const link = await speaker.inputValue("#link");
  report.secretInLink = link.includes(secret);

  for (let n = 0; n < 2; n++) {
    const listener = await open(link);
    await listener.click("#listen");
    await poll(() => listener.evaluate(() => document.querySelector("audio").srcObject !== null), Boolean);
    report.heard.push(await poll(() => listener.evaluate(loudness), (level) => level > 0.001));
    report.name = await listener.textContent("#who");
    report.theme = await listener.evaluate(() => document.documentElement.dataset.theme);
    report.listener = listener;
  }
  const counted = (page) => poll(() => page.textContent("#count"), (text) => text === "2 listeners");
  report.counts = [await counted(speaker), await counted(report.listener)];
  const captions = await report.listener.evaluateHandle(() => {
    const texts = [];
    const shown = document.querySelector("#captions");
    new MutationObserver(() => texts.push(shown.textContent)).observe(shown, { childList: true });
    return texts;
  });
  report.captions = await poll(() => captions.jsonValue(), (texts) => texts.length > 2);
  await speaker.screenshot({ path: `${folder}/speaker.png` });
  await report.listener.screenshot({ path: `${folder}/listener.png` });
  const token = new URLSearchParams(link.split("#")[1]).get("token");
  const refused = await fetch(`${server}/v1/apps/${app}/sessions`, { headers: { authorization: `Bearer ${token}` } });
  report.operating = refused.status;
  await speaker.goto("about:blank");
  report.end = await poll(() => report.listener.textContent("#state"), (text) => text !== "");
} catch (error) {
  report.errors.push(String(error?.stack ?? error));
} finally {
  delete report.listener;
  await browser.close();
  await writeFile(`${folder}/report.json`, JSON.stringify(report, null, 2));
}
