/** Looks at the line once a second while a conversation runs. Neighbour: `network`, which reads what it sees. */

import { NetworkMeter, type NetworkSample, type StatsRow } from "./network.js";
import type { Transport } from "./transport.js";

const EVERY_MS = 1000;

export class LineWatch {
  readonly #transport: Transport;
  readonly #now: () => number;
  readonly #changed: (sample: NetworkSample) => void;
  readonly #meter = new NetworkMeter();
  readonly #timer: ReturnType<typeof setInterval>;
  #stopped = false;

  /** `changed` is told every sample; a transport that tells nothing leaves it silent. */
  constructor(transport: Transport, now: () => number, changed: (sample: NetworkSample) => void) {
    this.#transport = transport;
    this.#now = now;
    this.#changed = changed;
    this.#timer = setInterval(() => void this.#look(), EVERY_MS);
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const report = await this.#transport.statistics();
    if (!report || this.#stopped) return;
    const rows: StatsRow[] = [];
    report.forEach((row: StatsRow) => rows.push(row));
    this.#changed(this.#meter.take(rows, this.#now()));
  }
}
