// Bad networks: datagrams that are lost and overtake each other, and networks that die for a while.
//
// Usage: node networks.mjs API-URL SECRET RELAY-URL OUT.json. What each page heard and saw is written to OUT.json.
//   alice and bob    lose every twentieth datagram, either way, all the time
//   carol            is cut off for 10 s; dave, who pulls from her, has no trouble of his own
//   erin             is cut off until the server has forgotten her
//   frank            is cut off for 18 s, which a browser takes for the end; it restarts ICE
import { writeFile } from "node:fs/promises";
import { network, poll, stage } from "./calls_pages.mjs";

const [api, secret, relay, out] = process.argv.slice(2);
const LOSSY = { loss: 0.05, jitter_ms: 30 };
const DEAD = { dead: true };
const report = {};
const { enter, errors, close } = await stage(api, secret);
const pages = {};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const since = (began) => (Date.now() - began) / 1000;

async function join(name, hz, leg, seen = true) {
  const page = (pages[name] = await enter(name));
  await page.evaluate(
    ([tone, picture]) =>
      window.session.push({ voice: window.kit.toneTrack(tone), ...(picture && { camera: window.kit.pictureTrack() }) }),
    [hz, seen],
  );
  if (leg) await network(relay, page, leg);
}

async function pull(name, from, ...tracks) {
  const items = tracks.map((trackName) => ({ sessionId: pages[from].session, trackName }));
  pages[name].mids = await pages[name].evaluate((pulled) => window.session.pull(...pulled), items);
}

/** What comes in and goes out now. */
function look(name) {
  return pages[name].evaluate(async ([voice, camera]) => {
    const { session } = window;
    const received = await session.received();
    const pick = (stat, ...fields) => Object.fromEntries(fields.map((field) => [field, stat?.[field] ?? 0]));
    const sent = (await session.sent()).find(({ kind }) => kind === "video");
    return {
      hz: session.hear(voice),
      voice: pick(received[voice], "packetsReceived", "packetsLost", "concealedSamples", "silentConcealedSamples", "totalSamplesReceived"),
      camera: pick(received[camera], "framesDecoded", "frameHeight", "packetsLost", "nackCount", "pliCount", "retransmittedBytesReceived", "totalFreezesDuration"),
      sent: pick(sent, "nackCount", "retransmittedPacketsSent", "framesSent"),
      states: session.states,
      state: session.connection.iceConnectionState,
    };
  }, pages[name].mids);
}

/** Whether both come in: the tone now, and pictures after `frames`. */
const alive = (hz, frames) => (seen) => Math.abs(seen.hz - hz) < 30 && seen.camera.framesDecoded > frames + 5;

/** What the API says of the page's session. */
async function asked(name) {
  return pages[name].evaluate(() =>
    window.session.ask("GET", `/sessions/${window.session.id}`).then(
      ({ status, tracks }) => ({ status, tracks }),
      ({ status, code, message }) => ({ status, code, message }),
    ),
  );
}

async function lossy() {
  await poll(() => look("alice"), alive(900, 0));
  await poll(() => look("bob"), alive(500, 0));
  const before = { alice: await look("alice"), bob: await look("bob") };
  const tones = { alice: [], bob: [] };
  const began = Date.now();
  while (since(began) < 12) {
    await sleep(500);
    for (const name of ["alice", "bob"]) tones[name].push((await look(name)).hz);
  }
  report.lossy = { seconds: since(began), tones, before, after: { alice: await look("alice"), bob: await look("bob") } };
}

async function cutOff() {
  await poll(() => look("dave"), alive(1300, 0));
  await poll(() => look("carol"), alive(1700, 0));
  const before = await asked("carol");
  await network(relay, pages.carol, DEAD);
  await sleep(5_000);
  const during = { carol: await look("carol"), dave: await look("dave") };
  await sleep(5_000);
  await network(relay, pages.carol, {});
  const began = Date.now();
  const carol = await poll(() => look("carol"), alive(1700, during.carol.camera.framesDecoded));
  const dave = await poll(() => look("dave"), alive(1300, during.dave.camera.framesDecoded));
  report.cutOff = { took_s: since(began), before, after: await asked("carol"), during, carol, dave };
}

async function forgotten() {
  await poll(() => look("erin"), ({ hz }) => hz > 0);
  const before = await asked("erin");
  await network(relay, pages.erin, DEAD);
  const began = Date.now();
  const after = await poll(() => asked("erin"), ({ status }) => status !== 200, 50);
  const gone_s = since(began);
  await network(relay, pages.erin, {});
  const pulled = await pages.erin.evaluate(
    (item) => window.session.pull(item).then(() => ({}), ({ status, code, message }) => ({ status, code, message })),
    { sessionId: pages.dave.session, trackName: "voice" },
  );
  report.forgotten = { before, after, gone_s, pulled };
}

async function restarted() {
  await poll(() => look("frank"), ({ hz }) => hz > 0);
  const before = await asked("frank");
  await network(relay, pages.frank, DEAD);
  await sleep(18_000);
  const { state } = await look("frank");
  await pages.frank.evaluate(() => window.session.restart());
  const began = Date.now();
  const seen = await poll(() => look("frank"), ({ hz, state }) => hz > 0 && state === "connected");
  report.restarted = { took_s: since(began), state, before, after: await asked("frank"), seen };
}

try {
  await join("alice", 500, LOSSY);
  await join("bob", 900, LOSSY);
  await join("carol", 1300);
  await join("dave", 1700);
  await join("erin", 2100, undefined, false);
  await join("frank", 2500, undefined, false);
  await Promise.all([
    pull("alice", "bob", "voice", "camera"),
    pull("bob", "alice", "voice", "camera"),
    pull("carol", "dave", "voice", "camera"),
    pull("dave", "carol", "voice", "camera"),
    pull("erin", "dave", "voice"),
    pull("frank", "dave", "voice"),
  ]);
  await Promise.all([lossy(), cutOff(), forgotten(), restarted()]);
} catch (error) {
  errors.push(String(error?.stack ?? error));
} finally {
  report.errors = errors;
  await close();
  await writeFile(out, JSON.stringify(report, null, 2));
}
