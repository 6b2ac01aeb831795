// A person in Chromium and the AI of the same server meet in a call, by the requests of the vendor's relay.
//
// Usage: node seated.mjs SERVER-URL APP SECRET MICROPHONE.wav FOLDER. Writes FOLDER/recording.wav (left: microphone,
// right: what the AI's track plays) and FOLDER/report.json.
import { writeFile } from "node:fs/promises";
import { poll, stage } from "./calls_pages.mjs";
import { RECORDER, tapTracks, tape, wav } from "./tape.mjs";

const [server, app, secret, microphone, folder] = process.argv.slice(2);
const api = `${server}/v1/apps/${app}`;
const STORY = "Once upon a time there was a lighthouse on a small rock in the northern sea.";
const TOOL = {
  type: "function",
  name: "tell_story",
  description: "Tell the story of the lighthouse.",
  parameters: { type: "object", properties: {} },
};
const report = { story: STORY };
const { enter, errors, close } = await stage(api, secret, { microphone });

async function ask(method, path, body) {
  const answer = await fetch(`${api}${path}`, { method, headers: { authorization: `Bearer ${secret}` }, body: body && JSON.stringify(body) });
  const reply = await answer.json();
  if (!answer.ok || reply.errorCode || reply.tracks?.[0]?.errorCode) throw new Error(`${method} ${path}: ${JSON.stringify(reply)}`);
  return reply;
}

/** Make a third-party session whose far end is this server's own Realtime; give its id and the call's. */
async function invite() {
  const { sessionId } = await ask("POST", "/sessions/new?thirdparty=true");
  const voice = { location: "local", trackName: "voice", kind: "audio", bidirectionalMediaStream: true };
  const made = await ask("POST", `/sessions/${sessionId}/tracks/new`, { tracks: [voice] });
  const answered = await fetch(`${server}/v1/realtime/calls?model=gpt-realtime`, {
    method: "POST",
    headers: { "content-type": "application/sdp" },
    body: made.sessionDescription.sdp,
  });
  const sdp = await answered.text();
  if (!answered.ok) throw new Error(sdp);
  await ask("PUT", `/sessions/${sessionId}/renegotiate`, { sessionDescription: { type: "answer", sdp } });
  return [sessionId, answered.headers.get("location").split("/").at(-1)];
}

/** In the page: a sideband of the call, which gives the AI its one tool and its result, and notes every event. */
function attend([url, tool, result]) {
  window.events = [];
  const audio = { input: { transcription: { model: "whisper-1" } } };
  const socket = new WebSocket(url);
  const send = (event) => socket.send(JSON.stringify(event));
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    window.events.push(event);
    if (event.type === "session.created") send({ type: "session.update", session: { type: "realtime", tools: [tool], audio } });
    if (event.type === "response.function_call_arguments.done") {
      send({ type: "conversation.item.create", item: { type: "function_call_output", call_id: event.call_id, output: result } });
      send({ type: "response.create" });
    }
  };
}

try {
  const page = await enter("person", { prepare: (made) => made.addInitScript(tapTracks, RECORDER) });
  const has = (type) => page.evaluate((wanted) => window.events.some((event) => event.type === wanted), type);
  const [endpoint, call] = await invite();
  await page.evaluate(attend, [`${server.replace("http", "ws")}/v1/realtime?call_id=${call}`, TOOL, STORY]);
  await poll(() => has("session.updated"), Boolean);
  await page.evaluate(async () => {
    const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
    await window.session.push({ mic: sound.getAudioTracks()[0] }, { direction: "sendrecv" });
  });
  await page.evaluate(async (sessionId) => {
    const [mid] = await window.session.pull({ sessionId, trackName: "voice", mid: "#mic" });
    const { track } = window.session.connection.getTransceivers().find((each) => each.mid === mid).receiver;
    const loudspeaker = Object.assign(document.createElement("audio"), { autoplay: true, srcObject: new MediaStream([track]) });
    document.body.append(loudspeaker);
  }, endpoint);
  const heard = { location: "remote", sessionId: page.session, trackName: "mic", mid: "#voice" };
  report.attached = await ask("POST", `/sessions/${endpoint}/tracks/new`, { tracks: [heard] });
  await poll(() => has("output_audio_buffer.stopped"), Boolean, 60);
  await new Promise((resolve) => setTimeout(resolve, 500));
  report.events = await page.evaluate(() => window.events);
  report.sessions = (await ask("GET", "/sessions")).sessions;
  const { rate, audio } = await page.evaluate(tape);
  await writeFile(`${folder}/recording.wav`, wav(Buffer.from(audio, "base64"), rate));
} catch (error) {
  errors.push(String(error?.stack ?? error));
} finally {
  report.errors = errors;
  await close();
  await writeFile(`${folder}/report.json`, JSON.stringify(report, null, 2));
}
