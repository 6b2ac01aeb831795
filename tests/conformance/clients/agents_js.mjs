// The unmodified Agents SDK for JavaScript over a WebSocket, run by Node: no test itself.
//
// Arguments: the server's WebSocket address, a folder with speech, the folder whose node_modules holds the SDK.
// Holds its conversations and prints what came of them as one line of JSON. Every event of the server also goes through
// the SDK's own parser; "generic" is what its closed schema does not know.

import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [url, speech, packages] = process.argv.slice(2);
const require = createRequire(join(packages, "client.cjs"));
const { RealtimeAgent, RealtimeSession, OpenAIRealtimeWebSocket, tool: functionTool } = require(
  "@openai/agents-realtime",
);
const { parseRealtimeEvent } = require(join(packages, "node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.js"));

const WAIT_MS = 60_000;

async function talk(agent) {
  const kinds = [];
  const generic = [];
  const errors = [];
  const sound = [];
  const waiting = [];
  const transport = new OpenAIRealtimeWebSocket({ url, useInsecureApiKey: true });
  const session = new RealtimeSession(agent, { transport, model: "gpt-realtime-2.1" });
  const note = (kind) => {
    kinds.push(kind);
    for (const wake of waiting.splice(0)) wake();
  };
  transport.on("*", (event) => {
    const parsed = parseRealtimeEvent({ data: JSON.stringify(event) });
    if (parsed.isGeneric) generic.push(event.type);
    note(event.type);
  });
  session.on("error", (error) => errors.push(JSON.stringify(error)));
  session.on("audio", (event) => sound.push(Buffer.from(event.data)));
  for (const kind of ["audio_interrupted", "agent_tool_start", "agent_tool_end", "audio_stopped"]) {
    session.on(kind, () => note(kind));
  }
  await session.connect({ apiKey: "none", url });

  async function until(holds) {
    const deadline = Date.now() + WAIT_MS;
    while (!holds()) {
      await new Promise((resolve, reject) => {
        const left = deadline - Date.now();
        const timer = setTimeout(() => reject(new Error(`waited for ${holds}; last: ${kinds.slice(-5)}`)), left);
        waiting.push(() => (clearTimeout(timer), resolve()));
      });
    }
  }

  function speak(file) {
    const pcm = readFileSync(join(speech, file));
    for (let start = 0; start < pcm.length; start += 4_800) {
      const piece = pcm.subarray(start, start + 4_800);
      session.sendAudio(piece.buffer.slice(piece.byteOffset, piece.byteOffset + piece.byteLength));
    }
  }

  const count = (kind) => kinds.filter((one) => one === kind).length;
  const report = (more) => ({ kinds, generic, errors, ...more });
  return { session, until, speak, count, sound, report };
}

const spoken = (history) =>
  history.flatMap((item) => (item.content ?? []).map((part) => part.transcript ?? part.text ?? null));

async function turn() {
  const agent = new RealtimeAgent({ name: "helper", instructions: "Be brief." });
  const { session, until, speak, count, sound, report } = await talk(agent);
  speak("hello.pcm");
  await until(() => count("response.done") === 1);
  await until(() => count("conversation.item.input_audio_transcription.completed") === 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  writeFileSync(join(speech, "agents_js.pcm"), Buffer.concat(sound));
  const history = spoken(session.history);
  session.close();
  return report({ history });
}

async function tool() {
  const asked = [];
  const getWeather = functionTool({
    name: "get_weather",
    description: "Get the current weather in a city.",
    strict: false,
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: true,
    },
    execute: async (input) => {
      asked.push(input.city);
      return JSON.stringify({ temperature: 21, sky: "sunny" });
    },
  });
  const agent = new RealtimeAgent({ name: "weather", instructions: "Be brief.", tools: [getWeather] });
  const { session, until, speak, count, sound, report } = await talk(agent);
  speak("weather.pcm");
  await until(() => count("response.done") === 2);
  writeFileSync(join(speech, "agents_js_tool.pcm"), Buffer.concat(sound));
  session.close();
  return report({ asked_for: asked });
}

async function barge_in() {
  const story = "One, two, three, four, five, six, seven, eight, nine, ten. ".repeat(4);
  const agent = new RealtimeAgent({ name: "teller", instructions: `Say exactly: "${story}"` });
  const { session, until, speak, count, report } = await talk(agent);
  session.sendMessage("Go on.");
  await until(() => count("response.output_audio.delta") > 2);
  await new Promise((resolve) => setTimeout(resolve, 400));
  speak("wait.pcm");
  await until(() => count("audio_interrupted") === 1 && count("conversation.item.truncated") === 1);
  await until(() => count("response.done") === 2);
  session.sendMessage("Go on.");
  const before = count("response.output_audio.delta");
  await until(() => count("response.output_audio.delta") > before + 2);
  await new Promise((resolve) => setTimeout(resolve, 400));
  session.interrupt();
  await until(() => count("conversation.item.truncated") === 2 && count("response.done") === 3);
  const kept = session.history.filter((item) => item.role === "assistant").map((item) => spoken([item])[0]);
  session.close();
  return report({ kept });
}

const report = {};
for (const scene of [turn, tool, barge_in]) report[scene.name] = await scene();
console.log(JSON.stringify(report));
process.exit(0);
