import assert from "node:assert/strict";
import { test } from "node:test";
import { base64Bytes, fromBase64, toBase64 } from "../lib/base64.js";
import { bytesToPcm16, floatToPcm16, loudness, pcm16ToFloat, wireMs } from "../lib/pcm.js";

test("floats are clipped, not wrapped", () => {
  assert.deepEqual([...floatToPcm16(Float32Array.from([0, 1, -1, 2, -2, 0.5]))], [0, 32767, -32768, 32767, -32768, 16384]);
});

test("every 16-bit value survives a round trip through floats within one step", () => {
  const all = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
  const back = floatToPcm16(pcm16ToFloat(all));
  const worst = all.reduce((most, value, i) => Math.max(most, Math.abs(value - (back[i] as number))), 0);
  assert.ok(worst <= 1, `off by ${worst}`);
});

test("base64 round trip at every length up to two steps, and its length is known undecoded", () => {
  for (const length of [0, 1, 2, 3, 4, 0x1fff, 0x2000, 0x2001, 0x4001]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) & 255);
    const text = toBase64(bytes);
    assert.equal(text, Buffer.from(bytes).toString("base64"));
    assert.deepEqual(fromBase64(text), bytes);
    assert.equal(base64Bytes(text), length);
  }
});

test("an odd last byte is dropped", () => {
  assert.deepEqual([...bytesToPcm16(Uint8Array.from([1, 0, 2, 0, 9]))], [1, 2]);
});

test("one second of wire audio is 48000 bytes", () => {
  assert.equal(wireMs(48_000), 1000);
});

test("loudness: silence is 0, full scale is 1, and louder is more", () => {
  const tone = (amplitude: number): Float32Array => Float32Array.from({ length: 480 }, (_, i) => amplitude * Math.sin(i / 5));
  assert.equal(loudness(new Float32Array(480)), 0);
  assert.equal(loudness(tone(1)), 1);
  assert.ok(loudness(tone(0.05)) < loudness(tone(0.2)));
});
