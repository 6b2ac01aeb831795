// Simulcast: one page publishes a picture in two layers, others pull it over networks of their own.
//
// Usage: node simulcast.mjs API-URL SECRET RELAY-URL OUT.json. What each page saw is written to OUT.json. The viewers:
//   narrow  has 150 kbit/s for a while            keeper  the same, but asked for no other layer ("none")
//   wide    has no bound                          wishes  names layers that it wants, and one that is not sent
import { writeFile } from "node:fs/promises";
import { network, poll, stage } from "./calls_pages.mjs";

const [api, secret, relay, out] = process.argv.slice(2);
const NARROW = { down_bits_per_second: 150_000 };
const LAYERS = [
  { rid: "a", maxBitrate: 500_000, maxFramerate: 15 },
  { rid: "b", maxBitrate: 90_000, maxFramerate: 15, scaleResolutionDownBy: 2 },
];
const LONGEST_S = 60;
/** So often in a row, four times a second, is calm. */
const CALM = 20;
const FIELDS = ["frameHeight", "framesDecoded", "keyFramesDecoded", "framesDropped", "freezeCount", "totalFreezesDuration", "pliCount", "nackCount"];

const report = { steps: {}, heights: {} };
const { enter, errors, close } = await stage(api, secret);
const viewers = {};
let source;

async function view(name, ...wishes) {
  const page = await enter(name);
  const items = wishes.map((simulcast) => ({ ...source, ...(simulcast && { simulcast }) }));
  viewers[name] = { page, mids: await page.evaluate((pulled) => window.session.pull(...pulled), items) };
}

/** What every pull of every viewer looks like, with the layer that the server tells of and how often it changed it.
    Heights are written down where they change. */
async function look() {
  const seen = {};
  for (const [name, { page, mids }] of Object.entries(viewers)) {
    const [received, told] = await page.evaluate(() =>
      Promise.all([window.session.received(), window.session.ask("GET", `/sessions/${window.session.id}/statistics`)]),
    );
    seen[name] = mids.map((mid) => {
      const { rid, switches } = told.remote.find((pull) => pull.mid === mid);
      return { rid, switches, ...Object.fromEntries(FIELDS.map((field) => [field, received[mid]?.[field] ?? 0])) };
    });
    const heights = (report.heights[name] ??= []);
    if (heights.at(-1) !== seen[name][0].frameHeight) heights.push(seen[name][0].frameHeight);
  }
  return seen;
}

/** Until it is so, with the time that it took. */
async function reach(step, so) {
  const since = Date.now();
  const seen = await poll(look, so, LONGEST_S);
  report.steps[step] = { took_s: (Date.now() - since) / 1000, seen };
}

const height = (name, wanted) => (seen) => seen[name][0].frameHeight === wanted;
const best = (name) => (seen) => height(name, 360)(seen) && seen[name][0].rid === "a";

try {
  const publisher = await enter("publisher");
  await publisher.evaluate((encodings) => window.session.push({ camera: window.kit.pictureTrack() }, { encodings }), LAYERS);
  const sent = () => publisher.evaluate(() => window.session.sent());
  await poll(sent, (layers) => layers.filter(({ framesSent }) => framesSent > 10).length === LAYERS.length);
  source = { sessionId: publisher.session, trackName: "camera" };

  await view("narrow", undefined);
  await view("wide", undefined);
  await view("keeper", { preferredRid: "a", priorityOrdering: "none" });
  let calm = 0;
  await reach("at first", (seen) => {
    calm = ["narrow", "wide", "keeper"].every((name) => best(name)(seen)) ? calm + 1 : 0;
    return calm >= CALM;
  });
  report.heights = {};

  for (const name of ["narrow", "keeper"]) await network(relay, viewers[name].page, NARROW);
  await reach("capped", (seen) => height("narrow", 180)(seen) && seen.narrow[0].rid === "b");
  for (const name of ["narrow", "keeper"]) await network(relay, viewers[name].page, {});
  await reach("lifted", best("narrow"));

  await view("wishes", { preferredRid: "b" }, { preferredRid: "z", ridNotAvailable: "none" }, { preferredRid: "z" });
  await reach("wishes", ({ wishes }) => wishes[0].frameHeight === 180 && wishes[2].frameHeight === 360);
  const [mid] = viewers.wishes.mids;
  await viewers.wishes.page.evaluate(
    (track) => window.session.ask("PUT", `/sessions/${window.session.id}/tracks/update`, { tracks: [track] }),
    { location: "remote", ...source, mid, simulcast: { preferredRid: "a" } },
  );
  await reach("another wish", height("wishes", 360));
  report.layers = (await sent()).map(({ rid, frameHeight, keyFramesEncoded }) => ({ rid, frameHeight, keyFramesEncoded }));
} catch (error) {
  errors.push(String(error?.stack ?? error));
} finally {
  report.errors = errors;
  await close();
  await writeFile(out, JSON.stringify(report, null, 2));
}
