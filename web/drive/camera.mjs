// Calls with a camera in Chromium: what the camera shows there, and what a picture shows that came out of the call.
//
// Usage: node camera.mjs call SERVER OUT.json       asks three questions: camera on, later, and switched off
//        node camera.mjs look PICTURES.json OUT.json    decodes data: URIs as Chromium does
import { readFile, writeFile } from "node:fs/promises";
import { launch } from "./browser.mjs";

const [mode, given, out] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await browser.newPage();
  if (mode === "look") {
    const pictures = JSON.parse(await readFile(given, "utf8"));
    await writeFile(out, JSON.stringify(await page.evaluate(look, pictures)));
  } else {
    await page.goto(`${given}/readyz`);
    await writeFile(out, JSON.stringify(await page.evaluate(call)));
  }
} finally {
  await browser.close();
}

/** Give each picture's size and its mean colour. */
async function look(pictures) {
  const seen = [];
  for (const url of pictures) {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const sums = [0, 0, 0];
    for (let at = 0; at < data.length; at += 4) for (const part of [0, 1, 2]) sums[part] += data[at + part];
    seen.push({ width: canvas.width, height: canvas.height, colour: sums.map((sum) => (sum * 4) / data.length) });
  }
  return seen;
}

async function call() {
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
  // Nothing is said: the questions are written.
  for (const track of media.getAudioTracks()) track.enabled = false;
  const peer = new RTCPeerConnection();
  for (const track of media.getTracks()) peer.addTrack(track, media);
  const events = peer.createDataChannel("oai-events");
  const told = [];
  const waiting = [];
  events.onmessage = ({ data }) => {
    told.push(JSON.parse(data));
    for (const one of waiting.splice(0)) one();
  };
  const until = async (type) => {
    for (let at = told.length; ; ) {
      for (; at < told.length; at++) if (told[at].type === type) return told[at];
      await new Promise((resolve) => waiting.push(resolve));
    }
  };
  const opened = new Promise((resolve) => (events.onopen = resolve));
  await peer.setLocalDescription();
  const answer = await fetch("/v1/realtime/calls", { method: "POST", headers: { "content-type": "application/sdp" }, body: peer.localDescription.sdp });
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  await opened;
  const ask = async () => {
    events.send(JSON.stringify({ type: "conversation.item.create", item: { type: "message", role: "user", content: [{ type: "input_text", text: "What do you see?" }] } }));
    events.send(JSON.stringify({ type: "response.create" }));
    await until("output_audio_buffer.stopped");
  };
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const frame = async () => {
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = media;
    await video.play();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    return canvas.toDataURL("image/png");
  };
  await pause(3_000);
  const shown = await frame();
  await ask();
  await pause(2_500);
  await ask();
  const camera = peer.getSenders().find((sender) => sender.track?.kind === "video");
  await camera.replaceTrack(null);
  await pause(5_000);
  await ask();
  const direction = peer.getTransceivers().find((one) => one.sender === camera).currentDirection;
  const stats = [...(await peer.getStats()).values()];
  const sent = stats.find((one) => one.type === "outbound-rtp" && one.kind === "video");
  peer.close();
  return { shown, direction, plis: sent?.pliCount ?? 0, keyFrames: sent?.keyFramesEncoded ?? 0, seconds: 3 + 2.5 + 5, told: told.map((event) => event.type) };
}
