// Who speaks: two pages take turns, and a third that pulls both is told on `server-events`, over its data channel.
//
// Usage: node speakers.mjs API-URL SECRET OUT.json. What the pages were told is written to OUT.json.
import { writeFile } from "node:fs/promises";
import { poll, stage } from "./calls_pages.mjs";

const [api, secret, out] = process.argv.slice(2);
const SPEAKERS = { alice: 500, bob: 900 };
const report = { turns: [], sessions: {}, mids: {} };
const { enter, errors, close } = await stage(api, secret);
const pages = {};

/** Let one speak and nobody else. */
async function turn(speaker) {
  for (const name of Object.keys(SPEAKERS)) {
    await pages[name].evaluate((loud) => (window.voice.enabled = loud), name === speaker);
  }
  const told = () => pages.viewer.evaluate(() => window.session.told.filter(({ type }) => type === "speaker.active").at(-1));
  const last = await poll(told, (notice) => notice?.sessionId === pages[speaker].session);
  report.turns.push({ speaker, told: last });
}

try {
  for (const [name, hz] of Object.entries(SPEAKERS)) {
    pages[name] = await enter(name);
    report.sessions[name] = pages[name].session;
    await pages[name].evaluate((tone) => {
      window.voice = window.kit.toneTrack(tone);
      window.voice.enabled = false;
      return window.session.push({ voice: window.voice });
    }, hz);
  }
  pages.viewer = await enter("viewer");
  const items = Object.keys(SPEAKERS).map((name) => ({ sessionId: pages[name].session, trackName: "voice" }));
  const mids = await pages.viewer.evaluate((pulled) => window.session.pull(...pulled), items);
  report.mids = Object.fromEntries(Object.keys(SPEAKERS).map((name, place) => [name, mids[place]]));
  await pages.viewer.evaluate(() => window.session.establish());
  for (const speaker of ["alice", "bob", "alice"]) await turn(speaker);
  await pages.bob.evaluate(() => window.session.ask("DELETE", `/sessions/${window.session.id}`));
  report.ended = await poll(
    () => pages.viewer.evaluate(() => window.session.told.find(({ type }) => type === "track.ended") ?? null),
    Boolean,
  );
} catch (error) {
  errors.push(String(error?.stack ?? error));
} finally {
  report.errors = errors;
  await close();
  await writeFile(out, JSON.stringify(report, null, 2));
}
