import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS, loadPreferences, savePreferences, turnDetection } from "../console/preferences.js";
import { builtInTools, customTool, ORB_COLOURS } from "../console/tools.js";
import { faultWords, seconds, stateWords } from "../console/wording.js";
import type { FaultKind } from "../lib/faults.js";

function storage(text: string | null) {
  const kept = { text };
  return { kept, getItem: () => kept.text, setItem: (_key: string, value: string) => void (kept.text = value) };
}

test("preferences survive a reload", () => {
  const store = storage(null);
  const changed = { ...DEFAULTS, greet: false, disabledTools: ["a"], silenceMs: 900 };
  savePreferences(store, changed);
  assert.deepEqual(loadPreferences(store), changed);
});

test("a damaged store gives the defaults, a partly damaged one keeps the rest", () => {
  for (const text of [null, "{", "null", "[]", '{"greet":"yes","disabledTools":{}}']) {
    assert.deepEqual(loadPreferences(storage(text)), DEFAULTS);
  }
  assert.deepEqual(loadPreferences(storage('{"greet":false,"voice":7}')), { ...DEFAULTS, greet: false });
});

test("the two ways of taking turns", () => {
  assert.deepEqual(turnDetection({ ...DEFAULTS, silenceMs: 700 }), { type: "server_vad", silence_duration_ms: 700 });
  assert.equal(turnDetection({ ...DEFAULTS, turns: "semantic_vad" }).type, "semantic_vad");
});

test("built-in functions act on the page and answer in a sentence", () => {
  let colour = "";
  const tools = builtInTools({ setOrbColour: (value) => (colour = value), now: () => new Date(2026, 10, 21, 15, 4) });
  const run = (name: string, args = {}): unknown => tools.find((tool) => tool.name === name)?.run(args);
  assert.equal(run("set_orb_color", { color: "Purple" }), "The orb is purple now.");
  assert.equal(colour, ORB_COLOURS["purple"]);
  assert.throws(() => run("set_orb_color", { color: "mauve" }), /colors are/);
  assert.equal(run("get_local_time"), "It is 3:04 PM on Saturday, November 21.");
  assert.equal(tools.find((tool) => tool.name === "end_session")?.endsSession, true);
});

test("a person's function always answers the same", () => {
  const tool = customTool({ name: "f", description: "d", parameters: '{"type":"object"}', result: "18" });
  assert.equal(tool.run({}), "18");
  assert.deepEqual(tool.parameters, { type: "object" });
});

test("every fault has a title, a way out and steps", () => {
  const kinds: FaultKind[] = ["microphone-denied", "microphone-missing", "microphone-busy", "microphone-lost", "insecure-origin",
    "sound-blocked", "no-media-path", "server-gone", "server-starting", "session-expired", "sign-in-needed", "at-capacity", "refused"];
  const titles = kinds.map((kind) => {
    const words = faultWords(kind, "http://host");
    assert.ok(words.title && words.retry && words.steps.length > 0, kind);
    return words.title;
  });
  assert.equal(new Set(titles).size, kinds.length);
  assert.match(faultWords("insecure-origin", "http://box:9000").steps.join(" "), /ssh -L 9000:127\.0\.0\.1:9000 box/);
});

test("numbers read well", () => {
  assert.deepEqual([620, 1449, 12_345].map(seconds), ["0.62 s", "1.4 s", "12 s"]);
});

test("what the state line says depends on who may speak", () => {
  const facts = { userSpeaking: false, muted: false, keyboard: false, aloud: true, ending: false };
  assert.equal(stateWords("listening", facts).title, "Listening");
  assert.equal(stateWords("listening", { ...facts, userSpeaking: true }).title, "Hearing you");
  assert.equal(stateWords("listening", { ...facts, muted: true }).title, "Microphone muted");
  assert.match(stateWords("listening", { ...facts, keyboard: true, aloud: false }).hint, /no sound/);
  assert.equal(stateWords("speaking", { ...facts, ending: true }).title, "Saying goodbye");
});
