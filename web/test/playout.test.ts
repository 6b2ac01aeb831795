import assert from "node:assert/strict";
import { test } from "node:test";
import { type ItemProgress, Playout } from "../lib/playout.js";

const ones = (length: number): Float32Array => new Float32Array(length).fill(1);

function render(playout: Playout, length: number): { out: Float32Array; ended: ItemProgress[] } {
  const out = new Float32Array(length).fill(9);
  const ended = playout.render(out);
  return { out, ended };
}

test("plays what was queued, then silence, and counts every sample", () => {
  const playout = new Playout();
  playout.push("a", ones(100));
  playout.push("a", ones(50));
  assert.deepEqual([...render(playout, 128).out], [...ones(128)]);
  assert.equal(playout.current()?.playedSamples, 128);
  const { out } = render(playout, 128);
  assert.equal(out.indexOf(0), 22);
  assert.equal(playout.current()?.playedSamples, 150);
  assert.equal(playout.idle, false, "more may come");
});

test("an item ends when it is complete and played, in the block in which it happens", () => {
  const playout = new Playout();
  playout.push("a", ones(100));
  assert.deepEqual(render(playout, 128).ended, []);
  playout.finish("a");
  assert.deepEqual(render(playout, 128).ended, [{ itemId: "a", playedSamples: 100, heldSamples: 0, finished: true }]);
  assert.equal(playout.idle, true);
});

test("items follow each other without a gap", () => {
  const playout = new Playout();
  playout.push("a", ones(60));
  playout.push("b", new Float32Array(200).fill(2));
  const { out, ended } = render(playout, 128);
  assert.equal(out[59], 1);
  assert.equal(out[60], 2);
  assert.deepEqual(ended.map((item) => item.itemId), ["a"]);
  assert.equal(playout.current()?.playedSamples, 68);
});

test("a flush fades, silences, and says how much of each item was heard", () => {
  const playout = new Playout();
  playout.push("a", ones(1000));
  playout.push("b", ones(1000));
  render(playout, 128);
  const unheard = playout.flush(100);
  assert.deepEqual(unheard.map(({ itemId, playedSamples }) => [itemId, playedSamples]), [["a", 228], ["b", 0]]);
  const { out } = render(playout, 128);
  assert.ok((out[0] as number) > 0.98 && (out[98] as number) < 0.02);
  for (let i = 1; i < 100; i++) assert.ok((out[i] as number) <= (out[i - 1] as number), "monotone fade");
  assert.deepEqual([...out.subarray(100)], [...new Float32Array(28)]);
  assert.deepEqual([...render(playout, 128).out], [...new Float32Array(128)]);
  assert.equal(playout.idle, true);
});

test("what was heard to its end is not reported as cut", () => {
  const playout = new Playout();
  playout.push("a", ones(50));
  playout.finish("a");
  playout.push("b", ones(50));
  const { ended } = render(playout, 60);
  assert.deepEqual(ended.map((item) => item.itemId), ["a"]);
  assert.deepEqual(playout.flush(0).map((item) => item.itemId), ["b"]);
});

test("an item whose last sample falls into the fade was heard", () => {
  const playout = new Playout();
  playout.push("a", ones(50));
  playout.finish("a");
  assert.deepEqual(playout.flush(100), []);
});

test("an answer after a flush starts behind the fade", () => {
  const playout = new Playout();
  playout.push("a", ones(1000));
  playout.flush(10);
  playout.push("b", new Float32Array(50).fill(3));
  const { out } = render(playout, 64);
  assert.equal(out[10], 3);
  assert.equal(out[60], 0);
});

test("random pushes, flushes and renders: played plus dropped is what was queued, played never shrinks", () => {
  let seed = 42;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % below;
  for (let round = 0; round < 200; round++) {
    const playout = new Playout();
    const queued = new Map<string, number>();
    const heard = new Map<string, number>();
    let item = 0;
    for (let step = 0; step < 60; step++) {
      const id = `i${item}`;
      switch (random(6)) {
        case 0:
          playout.finish(id);
          item++;
          break;
        case 1:
          for (const cut of playout.flush(random(40))) {
            assert.ok(cut.playedSamples >= (heard.get(cut.itemId) ?? 0));
            assert.equal(cut.playedSamples + cut.heldSamples, queued.get(cut.itemId) ?? 0);
          }
          item++;
          break;
        case 2:
        case 3: {
          const length = random(300);
          playout.push(id, ones(length));
          queued.set(id, (queued.get(id) ?? 0) + length);
          break;
        }
        default: {
          for (const ended of render(playout, 128).ended) assert.equal(ended.playedSamples, queued.get(ended.itemId) ?? 0);
          const current = playout.current();
          if (current) {
            assert.ok(current.playedSamples >= (heard.get(current.itemId) ?? 0));
            heard.set(current.itemId, current.playedSamples);
          }
        }
      }
    }
  }
});
