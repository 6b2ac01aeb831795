// A server that does as it is told, on the page's own wires: for holding one state still, never for proving a behaviour.

export const CONFIG = {
  version: "0.1.0",
  auth_required: false,
  signed_in: false,
  state: "ready",
  demo: true,
  model: "parley-demo",
  voice: "hibari",
  engines: [
    { stage: "vad", name: "earshot", model: "earshot", licence: "MIT", source: "built in", note: "" },
    { stage: "stt", name: "moonshine", model: "moonshine-tiny-en", licence: "MIT", source: "local, onnxruntime", note: "English" },
    { stage: "llm", name: "demo", model: "parley-demo", licence: "Apache-2.0", source: "local, llama.cpp", note: "Intent index with SmolLM2-135M for small talk" },
    { stage: "tts", name: "hibari", model: "hibari", licence: "Apache-2.0", source: "local", note: "One voice" },
  ],
};

const TURN_DETECTION = { type: "server_vad", threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500, create_response: true, interrupt_response: true };

/** Something that moves like speech: a buzz with syllables, PCM16 at 24 kHz, base64. */
export function babble(ms) {
  const samples = new Int16Array((ms * 24_000) / 1000);
  for (let i = 0; i < samples.length; i++) {
    const t = i / 24_000;
    const syllable = Math.max(0, Math.sin(t * 2 * Math.PI * 3.1)) ** 0.7;
    let sum = 0;
    for (let k = 1; k < 16; k++) sum += Math.sin(t * 2 * Math.PI * 128 * k) / k ** (1 + 0.4 * Math.sin(t * 5));
    samples[i] = 7000 * syllable * sum;
  }
  return Buffer.from(samples.buffer).toString("base64");
}

/**
 * Answers `/ui/*` with `config`, and plays the server's side of the protocol; `onOpen(server)` scripts the rest.
 * `wire`: "webrtc" (the far end is a second RTCPeerConnection in the page), "websocket", "deaf" (answers a call that no
 * packet reaches).
 */
export async function script(page, { config = {}, onOpen = () => undefined, wire = "webrtc", secretStatus = 200 } = {}) {
  let state = { ...CONFIG, ...config };
  const answer = (route, status, body) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
  await page.route("**/ui/config", (route) => answer(route, 200, state));
  await page.route("**/ui/secret", (route) =>
    secretStatus === 200
      ? answer(route, 200, { value: "ek_scripted", expires_at: 0 })
      : answer(route, secretStatus, { error: { message: "This server already has as many conversations as it can serve well.", type: "server_error", code: "at_capacity", param: null } }),
  );
  await page.route("**/ui/login", (route) => {
    const good = JSON.parse(route.request().postData() ?? "{}").key === "right";
    if (good) state = { ...state, signed_in: true };
    return good ? answer(route, 200, {}) : answer(route, 401, { error: { message: "That key is not one of this server's keys.", type: "authentication_error", code: "invalid_api_key", param: null } });
  });
  const sent = [];
  const serve = (link) => {
    const server = new ScriptedServer(link);
    link.onText = (text) => {
      const event = JSON.parse(text);
      if (event.type !== "input_audio_buffer.append") sent.push(event);
      server.hear(event, onOpen);
    };
    server.send({ type: "session.created", session: server.session });
  };
  if (wire === "websocket") await socketLink(page, serve);
  else await peerLink(page, serve, wire === "deaf");
  return sent;
}

/** Sound in events. */
async function socketLink(page, serve) {
  await page.routeWebSocket(/\/v1\/realtime/, (ws) => {
    const link = {
      tracks: false,
      onText: () => undefined,
      send: (text) => ws.send(text),
      close: (code, reason) => ws.close({ code, reason }),
    };
    ws.onMessage((text) => link.onText(text));
    serve(link);
  });
}

/** Sound on tracks: a real peer connection, whose other end lives in the same page. */
async function peerLink(page, serve, deaf) {
  // A page that is closed in the middle of a scene is the scene's end, not its failure.
  const there = (act, argument) => page.evaluate(act, argument).catch((error) => {
    if (!page.isClosed()) throw error;
  });
  const link = {
    tracks: true,
    onText: () => undefined,
    send: (text) => void there((event) => window.__far.send(event), text),
    close: () => void there(() => window.__far.close()),
    play: (ms) => there((duration) => window.__far.play(duration), ms),
    silence: () => void there(() => window.__far.silence()),
  };
  await page.exposeBinding("__hear", (_source, text) => link.onText(text));
  await page.exposeBinding("__opened", () => serve(link));
  await page.addInitScript(farEnd);
  await page.route("**/v1/realtime/calls*", async (route) => {
    const answer = await page.evaluate((offer) => window.__answer(offer), route.request().postData());
    const body = deaf ? answer.replace(/^a=candidate:.*\r\n/gm, "") : answer;
    await route.fulfill({ status: 201, contentType: "application/sdp", headers: { location: "/v1/realtime/calls/rtc_scripted" }, body });
  });
}

/** Runs in the page: answers its offers and makes the server's sounds. */
function farEnd() {
  window.__answer = async (offer) => {
    const context = new AudioContext();
    const voice = new OscillatorNode(context, { type: "sawtooth", frequency: 130 });
    const syllables = new OscillatorNode(context, { frequency: 3 });
    const level = new GainNode(context, { gain: 0 });
    const swing = new GainNode(context, { gain: 0 });
    const out = new MediaStreamAudioDestinationNode(context);
    voice.connect(level).connect(out);
    syllables.connect(swing).connect(level.gain);
    voice.start();
    syllables.start();
    const peer = new RTCPeerConnection();
    peer.addTrack(out.stream.getAudioTracks()[0], out.stream);
    const far = { send: () => undefined, close: () => peer.close(), silence: () => undefined, play: undefined };
    far.play = (ms) =>
      new Promise((resolve) => {
        level.gain.value = 0.12;
        swing.gain.value = 0.1;
        const timer = setTimeout(() => far.silence(), ms);
        far.silence = () => {
          clearTimeout(timer);
          level.gain.value = 0;
          swing.gain.value = 0;
          resolve();
        };
      });
    peer.ondatachannel = ({ channel }) => {
      far.send = (text) => channel.send(text);
      channel.onmessage = ({ data }) => window.__hear(data);
      channel.onopen = () => window.__opened();
    };
    window.__far = far;
    await peer.setRemoteDescription({ type: "offer", sdp: offer });
    await peer.setLocalDescription();
    await new Promise((resolve) => {
      const look = () => peer.iceGatheringState === "complete" && resolve();
      peer.addEventListener("icegatheringstatechange", look);
      look();
    });
    return peer.localDescription.sdp;
  };
}

export class ScriptedServer {
  #link;
  #playing;
  #count = 0;
  #opened = false;
  #previous = null;
  #awaited = [];
  session = { type: "realtime", object: "realtime.session", id: "sess_scripted", model: "parley-demo", instructions: "", expires_at: 0,
    audio: { input: { turn_detection: TURN_DETECTION }, output: { voice: "hibari" } } };

  constructor(link) {
    this.#link = link;
  }

  send(event) {
    this.#link.send(JSON.stringify({ event_id: `event_${++this.#count}`, ...event }));
  }

  close(code, reason) {
    this.#link.close(code, reason);
  }

  /** Resolves when the page next sends an event of that type. */
  heard(type) {
    return new Promise((resolve) => this.#awaited.push({ type, resolve }));
  }

  hear(event, onOpen) {
    for (const one of this.#awaited.filter(({ type }) => type === event.type)) one.resolve(event);
    this.#awaited = this.#awaited.filter(({ type }) => type !== event.type);
    if (event.type !== "session.update") return;
    this.send({ type: "session.updated", session: this.session });
    if (!this.#opened) onOpen(this);
    this.#opened = true;
  }

  userSays(id, text, previous = null) {
    this.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: id });
    this.send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 1000, item_id: id });
    this.send({ type: "input_audio_buffer.committed", item_id: id, previous_item_id: previous });
    this.send({ type: "conversation.item.added", previous_item_id: previous, item: { type: "message", id, role: "user", status: "completed", content: [{ type: "input_audio", transcript: null }] } });
    this.send({ type: "conversation.item.input_audio_transcription.completed", item_id: id, content_index: 0, transcript: text });
  }

  begin(response, item, previous = null) {
    this.#previous = previous;
    this.send({ type: "response.created", response: { id: response, status: "in_progress", output: [] } });
    const message = { type: "message", id: item, role: "assistant", status: "in_progress", content: [] };
    this.send({ type: "response.output_item.added", response_id: response, output_index: 0, item: message });
    this.send({ type: "conversation.item.added", previous_item_id: previous, item: message });
  }

  /** The text with its sound, `msPerChar` each. */
  speak(response, item, text, { msPerChar = 60 } = {}) {
    const part = { response_id: response, item_id: item, output_index: 0, content_index: 0 };
    this.send({ type: "response.output_audio_transcript.delta", ...part, delta: text });
    if (this.#link.tracks) {
      this.send({ type: "output_audio_buffer.started", response_id: response });
      this.#playing = this.#link.play(text.length * msPerChar);
      return;
    }
    const spans = [...text.matchAll(/\S+/g)].map((word) => [word.index, word.index + word[0].length, word.index * msPerChar, (word.index + word[0].length) * msPerChar]);
    this.send({ type: "response.output_audio.delta", ...part, delta: babble(text.length * msPerChar), parley_spans: spans });
  }

  finish(response, item, text, { status = "completed", timeline } = {}) {
    const part = { response_id: response, item_id: item, output_index: 0, content_index: 0 };
    const message = { type: "message", id: item, role: "assistant", status: status === "completed" ? "completed" : "incomplete", content: [{ type: "output_audio", transcript: text }] };
    this.send({ type: "response.output_audio.done", ...part });
    this.send({ type: "response.output_audio_transcript.done", ...part, transcript: text });
    this.send({ type: "conversation.item.done", previous_item_id: this.#previous, item: message });
    this.send({ type: "response.output_item.done", response_id: response, output_index: 0, item: message });
    this.send({ type: "response.done", response: { id: response, status, output: [message] }, ...(timeline ? { parley_timeline: timeline } : {}) });
    void this.#playing?.then(() => this.send({ type: "output_audio_buffer.stopped", response_id: response }));
    this.#playing = undefined;
  }

  /** The person speaks over an answer of which `heard` was heard. */
  interrupted(response, item, heard, ms) {
    this.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 9000, item_id: "item_u3" });
    if (!this.#link.tracks) return;
    this.#link.silence();
    const message = { type: "message", id: item, role: "assistant", status: "completed", content: [{ type: "output_audio", transcript: heard }] };
    this.send({ type: "output_audio_buffer.cleared", response_id: response });
    this.send({ type: "conversation.item.truncated", item_id: item, content_index: 0, audio_end_ms: ms, item: message });
  }

  call(response, item, name, args, previous = null) {
    this.send({ type: "response.created", response: { id: response, status: "in_progress", output: [] } });
    const call = { type: "function_call", id: item, call_id: `call_${item}`, name, arguments: JSON.stringify(args), status: "completed" };
    this.send({ type: "response.output_item.added", response_id: response, output_index: 0, item: { ...call, status: "in_progress", arguments: "" } });
    this.send({ type: "conversation.item.added", previous_item_id: previous, item: { ...call, status: "in_progress", arguments: "" } });
    this.send({ type: "response.function_call_arguments.done", response_id: response, item_id: item, output_index: 0, call_id: call.call_id, name, arguments: call.arguments });
    this.send({ type: "conversation.item.done", previous_item_id: previous, item: call });
    this.send({ type: "response.output_item.done", response_id: response, output_index: 0, item: call });
    this.send({ type: "response.done", response: { id: response, status: "completed", output: [call] } });
  }
}
