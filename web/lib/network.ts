/**
 * How the line is: from the browser's statistics to the few figures people understand. Pure; time is an argument.
 *
 * Source: W3C Identifiers for WebRTC's Statistics API. Fields that a browser leaves out stay undefined.
 */

export interface NetworkSample {
  /** There and back, in ms. */
  readonly roundTripMs: number | undefined;
  /** Share of packets lost since the last sample, 0 to 1: the server's voice on its way here. */
  readonly lossIn: number | undefined;
  /** The microphone's packets on their way there, as the server reports them. */
  readonly lossOut: number | undefined;
  /** Unevenness of arrival, in ms. */
  readonly jitterMs: number | undefined;
  /** How long sound waits here to even that out, in ms. */
  readonly bufferMs: number | undefined;
  /** kbit/s. */
  readonly inKbps: number | undefined;
  readonly outKbps: number | undefined;
  /** `UDP to 192.0.2.1:8081`. */
  readonly path: string;
  /** `Opus`. */
  readonly codec: string;
}

/** One row of an `RTCStatsReport`. */
export type StatsRow = Readonly<Record<string, unknown>>;

interface Counts {
  readonly at: number;
  readonly lost: number;
  readonly received: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly waitedS: number;
  readonly emitted: number;
}

/** One per connection: remembers the counters of the last sample. */
export class NetworkMeter {
  #last: Counts | undefined;

  /** `now` in ms. */
  take(rows: Iterable<StatsRow>, now: number): NetworkSample {
    const all = [...rows];
    const byId = new Map(all.map((row) => [row["id"], row]));
    const inbound = ofKind(all, "inbound-rtp");
    const outbound = ofKind(all, "outbound-rtp");
    const remote = ofKind(all, "remote-inbound-rtp");
    const pair = all.find((row) => row["type"] === "candidate-pair" && row["state"] === "succeeded" && row["nominated"] !== false);
    const counts: Counts = {
      at: now,
      lost: number(inbound?.["packetsLost"]) ?? 0,
      received: number(inbound?.["packetsReceived"]) ?? 0,
      bytesIn: number(inbound?.["bytesReceived"]) ?? 0,
      bytesOut: number(outbound?.["bytesSent"]) ?? 0,
      waitedS: number(inbound?.["jitterBufferDelay"]) ?? 0,
      emitted: number(inbound?.["jitterBufferEmittedCount"]) ?? 0,
    };
    const last = this.#last;
    this.#last = counts;
    return {
      roundTripMs: ms(pair?.["currentRoundTripTime"]) ?? ms(remote?.["roundTripTime"]),
      lossIn: inbound && last && share(counts.lost - last.lost, counts.received - last.received),
      lossOut: number(remote?.["fractionLost"]),
      jitterMs: ms(inbound?.["jitter"]),
      bufferMs: last && counts.emitted > last.emitted ? ((counts.waitedS - last.waitedS) / (counts.emitted - last.emitted)) * 1000 : undefined,
      inKbps: inbound && last && rate(counts.bytesIn - last.bytesIn, now - last.at),
      outKbps: outbound && last && rate(counts.bytesOut - last.bytesOut, now - last.at),
      path: pathOf(pair && byId.get(pair["remoteCandidateId"])),
      codec: codecOf(inbound && byId.get(inbound["codecId"])),
    };
  }
}

function ofKind(rows: readonly StatsRow[], type: string): StatsRow | undefined {
  return rows.find((row) => row["type"] === type && row["kind"] === "audio");
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function ms(seconds: unknown): number | undefined {
  const value = number(seconds);
  return value === undefined ? undefined : value * 1000;
}

/** Late packets are taken back, so a difference may be negative. */
function share(lost: number, received: number): number {
  const missing = Math.max(0, lost);
  return missing + received > 0 ? missing / (missing + received) : 0;
}

function rate(bytes: number, overMs: number): number | undefined {
  return overMs > 0 ? (Math.max(0, bytes) * 8) / overMs : undefined;
}

function pathOf(candidate: StatsRow | undefined): string {
  const address = candidate?.["address"] ?? candidate?.["ip"];
  const protocol = String(candidate?.["protocol"] ?? "").toUpperCase();
  if (!candidate || !protocol) return "";
  if (!address) return protocol;
  const host = String(address).includes(":") ? `[${String(address)}]` : String(address);
  return `${protocol} to ${host}:${String(candidate["port"])}`;
}

function codecOf(codec: StatsRow | undefined): string {
  const name = String(codec?.["mimeType"] ?? "").replace("audio/", "");
  return name.toLowerCase() === "opus" ? "Opus" : name;
}
