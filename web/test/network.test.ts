import assert from "node:assert/strict";
import { test } from "node:test";
import { networkRows } from "../console/wording.js";
import { requestFault } from "../lib/faults.js";
import { NetworkMeter, type StatsRow } from "../lib/network.js";

function report(counts: { received: number; lost: number; bytesIn: number; bytesOut: number; waited: number; emitted: number }): StatsRow[] {
  return [
    { id: "p0", type: "candidate-pair", state: "waiting", currentRoundTripTime: 9, remoteCandidateId: "r0" },
    { id: "p1", type: "candidate-pair", state: "succeeded", nominated: true, currentRoundTripTime: 0.042, remoteCandidateId: "r1" },
    { id: "r1", type: "remote-candidate", address: "192.0.2.7", port: 8081, protocol: "udp" },
    { id: "in", type: "inbound-rtp", kind: "audio", packetsReceived: counts.received, packetsLost: counts.lost, jitter: 0.004,
      bytesReceived: counts.bytesIn, jitterBufferDelay: counts.waited, jitterBufferEmittedCount: counts.emitted, codecId: "c" },
    { id: "out", type: "outbound-rtp", kind: "audio", bytesSent: counts.bytesOut },
    { id: "back", type: "remote-inbound-rtp", kind: "audio", fractionLost: 0.02, roundTripTime: 0.05 },
    { id: "c", type: "codec", mimeType: "audio/opus" },
  ];
}

test("shares and rates are those of the time between two looks", () => {
  const meter = new NetworkMeter();
  meter.take(report({ received: 1000, lost: 100, bytesIn: 50_000, bytesOut: 9000, waited: 100, emitted: 480_000 }), 10_000);
  const sample = meter.take(report({ received: 1045, lost: 105, bytesIn: 54_000, bytesOut: 13_000, waited: 102.4, emitted: 528_000 }), 11_000);
  assert.equal(sample.lossIn, 0.1);
  assert.equal(sample.lossOut, 0.02);
  assert.equal(sample.roundTripMs, 42);
  assert.equal(sample.jitterMs, 4);
  assert.equal(sample.inKbps, 32);
  assert.equal(sample.outKbps, 32);
  assert.ok(Math.abs((sample.bufferMs ?? 0) - 0.05) < 1e-9);
  assert.equal(sample.path, "UDP to 192.0.2.7:8081");
  assert.equal(sample.codec, "Opus");
});

test("packets that come late take their loss back, and never make it negative", () => {
  const meter = new NetworkMeter();
  meter.take(report({ received: 10, lost: 5, bytesIn: 0, bytesOut: 0, waited: 0, emitted: 0 }), 0);
  assert.equal(meter.take(report({ received: 20, lost: 3, bytesIn: 0, bytesOut: 0, waited: 0, emitted: 0 }), 1000).lossIn, 0);
});

test("what a browser does not tell is left out of the panel", () => {
  const sample = new NetworkMeter().take([], 0);
  assert.deepEqual(Object.values(sample).filter((value) => value !== undefined && value !== ""), []);
  assert.deepEqual(networkRows(sample), []);
});

test("the panel names its units", () => {
  const sample = new NetworkMeter().take(
    [
      { id: "p", type: "candidate-pair", state: "succeeded", currentRoundTripTime: 0.0124, remoteCandidateId: "r" },
      { id: "r", type: "remote-candidate", ip: "fd00::2", port: 9, protocol: "tcp" },
      { id: "b", type: "remote-inbound-rtp", kind: "audio", fractionLost: 0.0004 },
    ],
    0,
  );
  assert.deepEqual(networkRows(sample), [
    ["Round trip", "12 ms"],
    ["Lost on the way there", "under 0.1 %"],
    ["Path", "TCP to [fd00::2]:9"],
  ]);
});

for (const [status, body, kind, detail] of [
  [401, '{"error":{"message":"Expired.","code":"invalid_api_key"}}', "sign-in-needed", "Expired."],
  [429, '{"error":{"message":"Full.","code":"at_capacity"}}', "at-capacity", "Full."],
  [503, '{"error":{"message":"Loading.","code":"server_starting"}}', "server-starting", "Loading."],
  [400, '{"error":{"message":"Line 3 of the SDP.","code":"invalid_value"}}', "refused", "Line 3 of the SDP."],
  [502, "<html>bad gateway</html>", "server-gone", "The server answered 502."],
  [400, "null", "refused", "The server answered 400."],
] as const) {
  test(`a request refused with ${status} ${body.slice(0, 30)} is told as ${kind}`, () => {
    const fault = requestFault(status, body);
    assert.deepEqual([fault.kind, fault.detail], [kind, detail]);
  });
}
