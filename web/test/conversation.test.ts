import assert from "node:assert/strict";
import { test } from "node:test";
import { type AssistantEntry, Conversation, type UserEntry } from "../lib/conversation.js";
import type { Item, ServerEvent, SpanRow } from "../lib/events.js";

const wire = (event: object): ServerEvent => ({ event_id: "e", ...event }) as ServerEvent;
const userItem = (id: string, text?: string): Item => ({
  type: "message",
  id,
  role: "user",
  status: "completed",
  content: [text === undefined ? { type: "input_audio", transcript: null } : { type: "input_text", text }],
});
const assistantItem = (id: string, status: "in_progress" | "completed" | "incomplete" = "in_progress"): Item => ({
  type: "message",
  id,
  role: "assistant",
  status,
  content: [],
});
const added = (item: Item, previous: string | null): ServerEvent => wire({ type: "conversation.item.added", previous_item_id: previous, item });
const part = (item: string): object => ({ response_id: "r", item_id: item, output_index: 0, content_index: 0 });
const said = (item: string, delta: string): ServerEvent => wire({ type: "response.output_audio_transcript.delta", ...part(item), delta });
const sound = (item: string, ms: number, spans?: SpanRow[]): ServerEvent =>
  wire({ type: "response.output_audio.delta", ...part(item), delta: Buffer.alloc(ms * 48).toString("base64"), ...(spans ? { parley_spans: spans } : {}) });

function talk(...events: ServerEvent[]): Conversation {
  const conversation = new Conversation();
  for (const event of events) conversation.apply(event);
  return conversation;
}
const assistant = (conversation: Conversation, id = "a"): AssistantEntry => conversation.find(id) as AssistantEntry;

const ANSWER = [
  added(assistantItem("a"), null),
  said("a", "The moon is "),
  said("a", "far away."),
  sound("a", 1000, [[0, 11, 0, 1000]]),
  sound("a", 800, [[12, 21, 1000, 1800]]),
];

test("a spoken turn goes through speaking, recognising and final", () => {
  const conversation = new Conversation();
  const state = (): string => (conversation.find("u") as UserEntry).state;
  conversation.apply(wire({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u" }));
  assert.equal(state(), "speaking");
  conversation.apply(wire({ type: "conversation.item.input_audio_transcription.delta", item_id: "u", delta: "hello" }));
  assert.equal((conversation.find("u") as UserEntry).text, "hello");
  conversation.apply(wire({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: "u" }));
  assert.equal(state(), "recognising");
  conversation.apply(added(userItem("u"), null));
  conversation.apply(wire({ type: "conversation.item.input_audio_transcription.completed", item_id: "u", transcript: " Hello there. " }));
  assert.deepEqual(conversation.entries, [{ kind: "user", id: "u", text: "Hello there.", spoken: true, state: "final" }]);
});

test("a turn that could not be recognised says so", () => {
  const conversation = talk(added(userItem("u"), null), wire({ type: "conversation.item.input_audio_transcription.failed", item_id: "u", error: { message: "x" } }));
  assert.equal((conversation.find("u") as UserEntry).state, "failed");
});

test("entries stand in the order of the conversation, not of arrival", () => {
  const conversation = talk(
    added(userItem("one", "1"), null),
    added(userItem("three", "3"), "one"),
    added(userItem("two", "2"), "one"),
    added(userItem("zero", "0"), null),
  );
  assert.deepEqual(conversation.entries.map((entry) => entry.id), ["zero", "one", "two", "three"]);
  conversation.apply(wire({ type: "conversation.item.deleted", item_id: "one" }));
  assert.deepEqual(conversation.entries.map((entry) => entry.id), ["zero", "two", "three"]);
});

test("an item behind one that is not shown stays where it arrived", () => {
  const hidden: Item = { type: "message", id: "s", role: "system", content: [{ type: "input_text", text: "x" }] };
  const conversation = talk(added(userItem("u", "hi"), null), added(hidden, "u"), added(assistantItem("a"), "s"));
  assert.deepEqual(conversation.entries.map((entry) => entry.id), ["u", "a"]);
});

test("heard text follows the play position by the spans that came with the audio", () => {
  const conversation = talk(...ANSWER);
  assert.equal(assistant(conversation).audioMs, 1800);
  assert.equal(assistant(conversation).heard, 0);
  assert.equal(conversation.played("a", 20), false, "no word yet");
  assert.equal(conversation.played("a", 1000), true);
  assert.equal(assistant(conversation).heard, "The moon is".length);
  conversation.played("a", 1500);
  assert.equal(assistant(conversation).heard, "The moon is far".length);
  conversation.played("a", 400);
  assert.equal(assistant(conversation).heard, "The moon is far".length, "never backwards");
  conversation.playedOut("a");
  assert.equal(assistant(conversation).heard, "The moon is far away.".length);
});

test("a cut answer keeps only what was heard, whatever is reported later", () => {
  const conversation = talk(...ANSWER);
  conversation.played("a", 1200);
  conversation.cut("a", 1050);
  const entry = assistant(conversation);
  assert.equal(entry.cut, true);
  assert.equal(entry.text.slice(0, entry.heard), "The moon is");
  conversation.played("a", 1800);
  conversation.playedOut("a");
  assert.equal(assistant(conversation).heard, entry.heard);
});

test("the server's own word on what was heard wins", () => {
  const left: Item = { type: "message", id: "a", role: "assistant", status: "incomplete", content: [{ type: "output_audio", transcript: "The moon" }] };
  const conversation = talk(...ANSWER, wire({ type: "conversation.item.truncated", item_id: "a", content_index: 0, audio_end_ms: 1050, item: left }));
  const entry = assistant(conversation);
  assert.equal(entry.text.slice(0, entry.heard), "The moon");
  assert.equal(entry.text, "The moon is far away.", "the rest stays to be shown as unheard");
});

test("truncation without the item falls back on the spans", () => {
  const conversation = talk(...ANSWER, wire({ type: "conversation.item.truncated", item_id: "a", content_index: 0, audio_end_ms: 1000 }));
  assert.equal(assistant(conversation).heard, "The moon is".length);
});

test("written answers are heard as they come", () => {
  const conversation = talk(added(assistantItem("a"), null), wire({ type: "response.output_text.delta", ...part("a"), delta: "42" }));
  assert.equal(assistant(conversation).heard, 2);
  assert.equal(assistant(conversation).spoken, false);
});

test("a function call collects its arguments and its answer", () => {
  const call: Item = { type: "function_call", id: "c", call_id: "call_1", name: "f", arguments: "", status: "in_progress" };
  const conversation = talk(
    wire({ type: "response.output_item.added", response_id: "r", output_index: 0, item: call }),
    wire({ type: "response.function_call_arguments.delta", response_id: "r", item_id: "c", delta: '{"x"' }),
    wire({ type: "response.function_call_arguments.done", response_id: "r", item_id: "c", call_id: "call_1", name: "f", arguments: '{"x":1}' }),
    wire({ type: "response.output_item.done", response_id: "r", output_index: 0, item: { ...call, status: "completed", arguments: '{"x":1}' } }),
  );
  conversation.answered("call_1", "done");
  assert.deepEqual(conversation.entries, [{ kind: "call", id: "c", callId: "call_1", name: "f", args: '{"x":1}', state: "completed", output: "done" }]);
});

test("apply tells whether anything to see has changed", () => {
  const conversation = talk(...ANSWER);
  assert.equal(conversation.apply(wire({ type: "rate_limits.updated", rate_limits: [] })), false);
  assert.equal(conversation.apply(said("a", " Yes.")), true);
  assert.equal(conversation.played("unknown", 5), false);
});

test("where the server paces, all is heard that is not cut, and the server says how much of a cut answer was", () => {
  const conversation = new Conversation("there");
  for (const event of [added(assistantItem("a"), null), said("a", "The moon is "), said("a", "far away.")]) conversation.apply(event);
  assert.equal(assistant(conversation).heard, "The moon is far away.".length);
  const kept: Item = { ...assistantItem("a", "completed"), content: [{ type: "output_audio", transcript: "The moon" }] } as Item;
  conversation.apply(wire({ type: "conversation.item.truncated", item_id: "a", content_index: 0, audio_end_ms: 700, item: kept }));
  conversation.apply(wire({ type: "response.output_audio_transcript.done", ...part("a"), transcript: "The moon is far away." }));
  const { heard, cut, playedMs } = assistant(conversation);
  assert.deepEqual({ heard, cut, playedMs }, { heard: "The moon".length, cut: true, playedMs: 700 });
});
