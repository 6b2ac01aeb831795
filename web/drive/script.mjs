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

/** Answers `/ui/*` with `config`, and plays the server's side of the protocol; `onOpen(server)` scripts the rest. */
export async function script(page, { config = {}, onOpen = () => undefined, socket = true, secretStatus = 200 } = {}) {
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
  if (socket) {
    await page.routeWebSocket(/\/v1\/realtime/, (ws) => {
      const server = new ScriptedServer(ws);
      ws.onMessage((text) => {
        const event = JSON.parse(text);
        if (event.type !== "input_audio_buffer.append") sent.push(event);
        server.hear(event, onOpen);
      });
      server.send({ type: "session.created", session: server.session });
    });
  } else {
    await page.routeWebSocket(/\/v1\/realtime/, (ws) => ws.close({ code: 1006, reason: "" }));
  }
  return sent;
}

export class ScriptedServer {
  #ws;
  #count = 0;
  #opened = false;
  #previous = null;
  #awaited = [];
  session = { type: "realtime", object: "realtime.session", id: "sess_scripted", model: "parley-demo", instructions: "", expires_at: 0,
    audio: { input: { turn_detection: TURN_DETECTION }, output: { voice: "hibari" } } };

  constructor(ws) {
    this.#ws = ws;
  }

  send(event) {
    this.#ws.send(JSON.stringify({ event_id: `event_${++this.#count}`, ...event }));
  }

  close(code, reason) {
    this.#ws.close({ code, reason });
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
