import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "../lib/resampler.js";

const RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000];

function tone(hz: number, rate: number, samples: number): Float32Array {
  return Float32Array.from({ length: samples }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));
}

function convert(input: Float32Array, from: number, to: number, cut: (left: number) => number): Float32Array {
  const resampler = new Resampler(from, to);
  const parts: Float32Array[] = [];
  for (let at = 0; at < input.length; ) {
    const length = Math.min(cut(input.length - at), input.length - at);
    parts.push(resampler.process(input.subarray(at, at + length)));
    at += length;
  }
  parts.push(resampler.flush());
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

for (const rate of RATES) {
  for (const [from, to] of [[rate, 24_000], [24_000, rate]] as const) {
    test(`${from} to ${to} Hz keeps a 440 Hz tone, its length and its phase`, () => {
      const input = tone(440, from, from / 5);
      const out = convert(input, from, to, () => 128);
      assert.equal(out.length, Math.round((input.length * to) / from));
      const expected = tone(440, to, out.length);
      const edge = Math.ceil(to / 100);
      let worst = 0;
      for (let i = edge; i < out.length - edge; i++) worst = Math.max(worst, Math.abs((out[i] as number) - (expected[i] as number)));
      assert.ok(worst < 0.003, `off by ${worst}`);
    });
  }
}

test("what comes out does not depend on how the input was cut", () => {
  const input = tone(1234, 44_100, 44_100);
  const whole = convert(input, 44_100, 24_000, (left) => left);
  let seed = 7;
  const pieces = convert(input, 44_100, 24_000, () => 1 + ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) % 700));
  assert.equal(pieces.length, whole.length);
  pieces.forEach((value, i) => assert.ok(Math.abs(value - (whole[i] as number)) < 1e-4, `sample ${i}`));
});

test("what the lower rate cannot hold is removed, not folded back", () => {
  const out = convert(tone(15_000, 48_000, 48_000), 48_000, 24_000, () => 128);
  const middle = out.subarray(1000, out.length - 1000);
  const loudest = middle.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(loudest < 0.005, `left over: ${loudest}`);
});

test("after a flush the converter is fresh", () => {
  const resampler = new Resampler(24_000, 48_000);
  const input = tone(300, 24_000, 2400);
  const first = [...resampler.process(input), ...resampler.flush()];
  const second = [...resampler.process(input), ...resampler.flush()];
  assert.deepEqual(second, first);
});

test("equal rates pass through", () => {
  assert.deepEqual(new Resampler(24_000, 24_000).process(Float32Array.from([1, 2])), Float32Array.from([1, 2]));
});

test("a rate that is not positive is refused", () => {
  assert.throws(() => new Resampler(0, 24_000), RangeError);
});
