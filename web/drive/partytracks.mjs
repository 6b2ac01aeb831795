// Three pages that meet with partytracks, unmodified from npm: late joiner, leave, publish again, session death, reload.
//
// Usage: node partytracks.mjs API-URL SECRET OUT.json. API-URL ends in /v1/apps/ID. What each page heard and saw is
// written to OUT.json; what it should have been is the test's to say.
import { createServer } from "node:http";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { launch } from "./browser.mjs";

const [api, secret, out] = process.argv.slice(2);
const report = { steps: [], errors: [] };
const LIMIT_MS = 150_000;
const MEMBERS = { alice: [500, "rgb(220,30,30)"], bob: [900, "rgb(30,200,30)"], carol: [1300, "rgb(30,30,220)"] };

const bundle = await build({
  entryPoints: [fileURLToPath(new URL("partytracks_page.js", import.meta.url))],
  bundle: true,
  format: "esm",
  write: false,
});
const server = createServer((request, response) => {
  const script = request.url === "/page.js";
  response.setHeader("content-type", script ? "text/javascript" : "text/html");
  response.end(script ? bundle.outputFiles[0].text : "<!doctype html><script type=module src=/page.js></script>");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}/`;

const browser = await launch();
const pages = {};

async function enter(name) {
  const page = (pages[name] ??= await (await browser.newContext()).newPage());
  page.removeAllListeners();
  page.on("pageerror", (error) => report.errors.push(`${name}: ${error.message}`));
  page.on("console", (message) => process.stdout.write(`${name}: ${message.text()}\n`));
  page.on("crash", () => report.errors.push(`${name}: the renderer crashed`));
  page.on("dialog", (dialog) => {
    report.errors.push(`${name}: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  await page.waitForFunction("window.kit !== undefined");
  await page.evaluate(([prefix, bearer]) => window.kit.start(prefix, bearer), [api, secret]);
}

async function publish(name) {
  const [hz, colour] = MEMBERS[name];
  return pages[name].evaluate(
    async ([tone, paint]) => {
      const [audio, video] = await Promise.all([
        window.kit.push("voice", "audio", tone),
        window.kit.push("camera", "video", paint),
      ]);
      return { audio, video };
    },
    [hz, colour],
  );
}

async function pull(name, from, tracks) {
  await pages[name].evaluate(
    async ([who, found]) => {
      await Promise.all([
        window.kit.pull(`${who}/audio`, "audio", found.audio),
        window.kit.pull(`${who}/video`, "video", found.video),
      ]);
    },
    [from, tracks],
  );
}

async function observe(step, pairs) {
  const seen = {};
  for (const [name, from] of pairs) {
    await poll(async () => {
      const hz = await pages[name].evaluate((who) => window.kit.hear(`${who}/audio`), from);
      const picture = await pages[name].evaluate((who) => window.kit.see(`${who}/video`), from);
      seen[`${name}<${from}`] = { hz, ...picture };
      return hz > 0 && picture.frames > 3;
    });
  }
  const received = {};
  for (const name of new Set(pairs.map(([name]) => name))) {
    received[name] = await pages[name].evaluate(() => window.kit.received());
  }
  report.steps.push({ step, seen, received });
}

/** Ask again until it is so, at most 20 s; what was seen last is reported either way. */
async function poll(so) {
  const until = Date.now() + 20_000;
  while (!(await so()) && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 200));
}

const overdue = setTimeout(() => {
  report.errors.push(`not done after ${LIMIT_MS / 1000} s`);
  void browser.close();
}, LIMIT_MS);
try {
  await enter("alice");
  await enter("bob");
  const tracks = { alice: await publish("alice"), bob: await publish("bob") };
  await Promise.all([pull("alice", "bob", tracks.bob), pull("bob", "alice", tracks.alice)]);
  await observe("two meet", [["alice", "bob"], ["bob", "alice"]]);

  await enter("carol");
  tracks.carol = await publish("carol");
  await pull("carol", "alice", tracks.alice);
  await pull("carol", "bob", tracks.bob);
  await Promise.all([pull("alice", "carol", tracks.carol), pull("bob", "carol", tracks.carol)]);
  await observe("a late joiner", [["carol", "alice"], ["carol", "bob"], ["alice", "carol"], ["bob", "carol"]]);

  await pages.bob.evaluate(() => {
    window.kit.stop("voice");
    window.kit.stop("camera");
    window.kit.drop("carol/video");
  });
  for (const name of ["alice", "carol"]) {
    await poll(async () => (await pages[name].evaluate(() => window.kit.hear("bob/audio"))) === 0);
  }
  const silent = await pages.alice.evaluate(() => window.kit.hear("bob/audio"));
  report.steps.push({ step: "one leaves", silent });
  await observe("the others go on", [["alice", "carol"], ["carol", "alice"]]);

  for (const name of ["alice", "carol"]) {
    await pages[name].evaluate(() => {
      window.kit.drop("bob/audio");
      window.kit.drop("bob/video");
    });
  }
  tracks.bob = await publish("bob");
  await pull("alice", "bob", tracks.bob);
  await pull("carol", "bob", tracks.bob);
  await observe("published again", [["alice", "bob"], ["carol", "bob"], ["bob", "alice"]]);
  report.lines = await pages.alice.evaluate(() => window.kit.lines());

  const before = await pages.carol.evaluate(() => window.kit.sessions.at(-1));
  await fetch(`${api}/sessions/${before}`, { method: "DELETE", headers: { authorization: `Bearer ${secret}` } });
  await poll(() => pages.carol.evaluate((old) => window.kit.sessions.at(-1) !== old, before));
  await poll(() => pages.carol.evaluate((old) => window.kit.published.voice.sessionId !== old, before));
  await poll(() => pages.carol.evaluate((old) => window.kit.published.camera.sessionId !== old, before));
  tracks.carol = await pages.carol.evaluate(() => ({
    audio: window.kit.published.voice,
    video: window.kit.published.camera,
  }));
  report.steps.push({ step: "session death", renewed: tracks.carol.audio.sessionId !== before });
  await pages.alice.evaluate(() => {
    window.kit.drop("carol/audio");
    window.kit.drop("carol/video");
  });
  await pull("alice", "carol", tracks.carol);
  await observe("after a session's death", [["alice", "carol"], ["carol", "alice"], ["carol", "bob"]]);

  await enter("alice");
  tracks.alice = await publish("alice");
  await pull("alice", "bob", tracks.bob);
  await pages.bob.evaluate(() => {
    window.kit.drop("alice/audio");
    window.kit.drop("alice/video");
  });
  await pull("bob", "alice", tracks.alice);
  await observe("after a reload", [["alice", "bob"], ["bob", "alice"]]);

  await pull("alice", "carol", tracks.carol);
  await observe("before a page closes", [["alice", "carol"], ["alice", "bob"]]);
  await pages.carol.close();
  const [ear, eye] = [() => window.kit.hear("carol/audio"), () => window.kit.see("carol/video").frames];
  await poll(async () => (await pages.alice.evaluate(ear)) === 0);
  const first = { hz: await pages.alice.evaluate(ear), frames: await pages.alice.evaluate(eye) };
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const last = { hz: await pages.alice.evaluate(ear), frames: await pages.alice.evaluate(eye) };
  report.steps.push({ step: "a page closes", first, last });
  await observe("the other stays", [["alice", "bob"], ["bob", "alice"]]);
} catch (error) {
  report.errors.push(String(error?.stack ?? error));
} finally {
  clearTimeout(overdue);
  await browser.close();
  server.close();
  await writeFile(out, JSON.stringify(report, null, 2));
}
