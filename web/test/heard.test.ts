import assert from "node:assert/strict";
import { test } from "node:test";
import { heardChars, readSpans, type Span } from "../lib/heard.js";

const TEXT = "Saturn has rings. Mars is red.";
const CLAUSES: Span[] = [
  { charStart: 0, charEnd: 17, startMs: 0, endMs: 1700 },
  { charStart: 18, charEnd: 30, startMs: 1700, endMs: 2900 },
];
const heard = (ms: number, spans: readonly Span[] = CLAUSES, audioMs = 2900): string => TEXT.slice(0, heardChars(TEXT, spans, ms, audioMs));

test("nothing before the first sample, everything after the last", () => {
  assert.equal(heard(0), "");
  assert.equal(heard(2900), TEXT);
  assert.equal(heard(99_999), TEXT);
});

test("within a clause only whole words count", () => {
  assert.equal(heard(500), "");
  assert.equal(heard(700), "Saturn");
  assert.equal(heard(1050), "Saturn has");
  assert.equal(heard(1700), "Saturn has rings.");
  assert.equal(heard(2200), "Saturn has rings. Mars");
});

test("exact word spans are taken at their word", () => {
  const words: Span[] = [
    { charStart: 0, charEnd: 6, startMs: 0, endMs: 600 },
    { charStart: 7, charEnd: 10, startMs: 600, endMs: 2000 },
  ];
  assert.equal(heard(599, words), "");
  assert.equal(heard(600, words), "Saturn");
  assert.equal(heard(1999, words), "Saturn");
  assert.equal(heard(2000, words), "Saturn has");
});

test("without spans the text is spread over the audio", () => {
  assert.equal(heard(1450, []), "Saturn has");
  assert.equal(heard(2900, []), TEXT);
  assert.equal(heard(100, [], 0), "");
});

test("more time never means fewer characters", () => {
  for (const spans of [CLAUSES, []]) {
    let last = 0;
    for (let ms = 0; ms < 3000; ms += 7) {
      const now = heardChars(TEXT, spans, ms, 2900);
      assert.ok(now >= last);
      last = now;
    }
  }
});

test("rows of the wire are read, damaged ones skipped", () => {
  const rows = [["TextSpan", 0, 6, 0, 600, true], [1, 2, 3], [7, 10, 600, 900]] as unknown as Parameters<typeof readSpans>[0];
  assert.deepEqual(readSpans(rows), [
    { charStart: 0, charEnd: 6, startMs: 0, endMs: 600 },
    { charStart: 7, charEnd: 10, startMs: 600, endMs: 900 },
  ]);
});
