// The unmodified official Node SDK over wss, run by Node: no test itself.
//
// Arguments: the server's https address, a folder with speech, the folder whose node_modules holds the SDK.
// Holds its conversations and prints what came of them as one line of JSON; the events go to a file for the order check.

import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [url, speech, packages] = process.argv.slice(2);
const require = createRequire(join(packages, "client.cjs"));
const { OpenAI } = require("openai");
const { OpenAIRealtimeWS } = require("openai/realtime/ws");

const WAIT_MS = 60_000;
const client = new OpenAI({ apiKey: "none", baseURL: `${url}/v1` });
const logs = [];

function talk(props) {
  const events = [];
  const errors = [];
  const waiting = [];
  let read = 0;
  const realtime = new OpenAIRealtimeWS(props, client);
  logs.push(events);
  realtime.on("event", (event) => {
    events.push(event);
    for (const wake of waiting.splice(0)) wake();
  });
  realtime.on("error", (error) => errors.push(String(error.message ?? error)));

  async function until(type, matches = () => true) {
    for (;;) {
      while (read < events.length) {
        const event = events[read++];
        if (event.type === type && matches(event)) return event;
      }
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${type}; errors: ${errors}`)), WAIT_MS);
        waiting.push(() => (clearTimeout(timer), resolve()));
      });
    }
  }

  function speak(file) {
    const pcm = readFileSync(join(speech, file));
    for (let start = 0; start < pcm.length; start += 4_800) {
      realtime.send({ type: "input_audio_buffer.append", audio: pcm.subarray(start, start + 4_800).toString("base64") });
    }
  }

  function sound(responseId) {
    const deltas = events.filter((e) => e.type === "response.output_audio.delta" && e.response_id === responseId);
    return Buffer.concat(deltas.map((e) => Buffer.from(e.delta, "base64")));
  }

  const report = (more) => ({ kinds: events.map((event) => event.type), errors, ...more });
  return { realtime, until, speak, sound, report };
}

async function turn() {
  const { realtime, until, speak, sound, report } = talk({ model: "gpt-realtime" });
  await until("session.created");
  const transcription = { model: "gpt-4o-mini-transcribe" };
  realtime.send({ type: "session.update", session: { type: "realtime", audio: { input: { transcription } } } });
  await until("session.updated");
  speak("hello.pcm");
  const transcript = await until("conversation.item.input_audio_transcription.completed");
  const done = await until("response.done");
  writeFileSync(join(speech, "openai_node.pcm"), sound(done.response.id));
  realtime.close();
  return report({ transcripts: [transcript.transcript] });
}

async function tool() {
  const { realtime, until, speak, sound, report } = talk({ model: "gpt-realtime" });
  await until("session.created");
  const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const tools = [{ type: "function", name: "get_weather", description: "Get the weather in a city.", parameters }];
  realtime.send({ type: "session.update", session: { type: "realtime", tools } });
  speak("weather.pcm");
  const first = await until("response.done");
  const call = first.response.output[0];
  const output = JSON.stringify({ sky: "sunny" });
  const item = { type: "function_call_output", call_id: call.call_id, output };
  realtime.send({ type: "conversation.item.create", item });
  realtime.send({ type: "response.create" });
  const second = await until("response.done");
  writeFileSync(join(speech, "openai_node_tool.pcm"), sound(second.response.id));
  realtime.close();
  return report({ asked_for: [JSON.parse(call.arguments).city] });
}

async function barge_in() {
  const { realtime, until, speak, report } = talk({ model: "gpt-realtime" });
  await until("session.created");
  const story = "One, two, three, four, five, six, seven, eight, nine, ten. ".repeat(4);
  realtime.send({ type: "response.create", response: { instructions: `Say exactly: "${story}"` } });
  const begun = await until("response.output_audio.delta");
  speak("wait.pcm");
  await until("input_audio_buffer.speech_started");
  const cut = { item_id: begun.item_id, content_index: 0, audio_end_ms: 500 };
  realtime.send({ type: "conversation.item.truncate", ...cut });
  const truncated = await until("conversation.item.truncated");
  await until("response.done", (event) => event.response.id !== begun.response_id);
  realtime.close();
  return report({ truncated_ms: truncated.audio_end_ms });
}

async function transcription() {
  const { realtime, until, speak, report } = talk({ intent: "transcription" });
  await until("session.created");
  const input = { transcription: { model: "gpt-4o-transcribe" }, turn_detection: { type: "server_vad" } };
  realtime.send({ type: "session.update", session: { type: "transcription", audio: { input } } });
  await until("session.updated");
  speak("hello.pcm");
  const done = await until("conversation.item.input_audio_transcription.completed");
  realtime.close();
  return report({ transcripts: [done.transcript] });
}

/** A call, joined from the side by its id. Its offer is a browser's; nobody connects to the media port. */
async function sideband() {
  const answer = await client.realtime.calls.create({ sdp: readFileSync(join(speech, "offer.sdp"), "utf8") });
  const callID = answer.headers.get("location").split("/").at(-1);
  const { realtime, until, report } = talk({ callID });
  const closed = new Promise((resolve) => realtime.socket.on("close", resolve));
  await until("session.created");
  realtime.send({ type: "session.update", session: { type: "realtime", instructions: "From the side." } });
  const { session } = await until("session.updated");
  await client.realtime.calls.hangup(callID);
  const again = await client.realtime.calls.hangup(callID).catch((error) => error);
  return report({ instructions: session.instructions, answered: (await answer.text()).slice(0, 5), closed: await closed, again: [again.status, again.code] });
}

const report = {};
for (const scene of [turn, tool, barge_in, transcription, sideband]) report[scene.name] = await scene();
writeFileSync(join(speech, "openai_node.json"), JSON.stringify(logs));
console.log(JSON.stringify(report));
