// Codecs: one page publishes a tone or a colour in each codec that it can send, another pulls them all.
//
// Usage: node codecs.mjs API-URL SECRET OUT.json. What came, and in which codec, is written to OUT.json, with the names of
// the codecs that this browser cannot encode.
import { writeFile } from "node:fs/promises";
import { poll, stage } from "./calls_pages.mjs";

const [api, secret, out] = process.argv.slice(2);
const SOUNDS = { "audio/opus": 500, "audio/PCMU": 900, "audio/PCMA": 1300 };
const PICTURES = { "video/VP8": "#c0c000", "video/VP9": "#c00000", "video/H264": "#00c000", "video/AV1": "#0000c0", "video/H265": "#c000c0" };
const ENOUGH_FRAMES = 10;

const report = { came: {}, missing: [] };
const { enter, errors, close } = await stage(api, secret);

/** Publish everything in one offer; give the names of what was published. */
async function publish(page) {
  return page.evaluate(
    async ([sounds, pictures]) => {
      const able = ["audio", "video"].flatMap((kind) => RTCRtpSender.getCapabilities(kind).codecs.map(({ mimeType }) => mimeType));
      const tracks = {};
      for (const [name, hz] of Object.entries(sounds)) if (able.includes(name)) tracks[name] = window.kit.toneTrack(hz);
      for (const [name, colour] of Object.entries(pictures)) if (able.includes(name)) tracks[name] = window.kit.colourTrack(colour);
      const codecs = Object.fromEntries(Object.keys(tracks).map((name) => [name, name]));
      // What a page does that wants silence to cost nothing.
      await window.session.push(tracks, { codecs, bend: ["useinbandfec=1", "usedtx=1;useinbandfec=1"] });
      return Object.keys(tracks);
    },
    [SOUNDS, PICTURES],
  );
}

try {
  const speaker = await enter("speaker");
  const listener = await enter("listener");
  const published = await publish(speaker);
  report.missing = [...Object.keys(SOUNDS), ...Object.keys(PICTURES)].filter((name) => !published.includes(name));
  const items = published.map((trackName) => ({ sessionId: speaker.session, trackName }));
  const mids = await listener.evaluate((pulled) => window.session.pull(...pulled), items);
  const look = async () => {
    const [received, codecs, senses] = await listener.evaluate(
      async (all) => [
        await window.session.received(),
        await window.session.codecs(),
        all.map(([mid, kind]) => (kind === "audio" ? window.session.hear(mid) : window.session.see(mid))),
      ],
      mids.map((mid, n) => [mid, published[n].split("/")[0]]),
    );
    return Object.fromEntries(
      published.map((name, n) => [name, { codec: codecs[mids[n]], frames: received[mids[n]]?.framesDecoded ?? 0, sensed: senses[n] }]),
    );
  };
  const whole = ([name, { codec, frames, sensed }]) => codec && (name in SOUNDS ? sensed > 0 : frames > ENOUGH_FRAMES);
  report.came = await poll(look, (seen) => Object.entries(seen).every(whole));
  report.answered = await speaker.evaluate(() => window.session.connection.remoteDescription.sdp);
} catch (error) {
  errors.push(String(error?.stack ?? error));
} finally {
  report.errors = errors;
  await close();
  await writeFile(out, JSON.stringify(report, null, 2));
}
