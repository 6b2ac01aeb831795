/**
 * The speaker on the audio thread: owns the `Playout` and tells the page how far it is.
 *
 * In: `PlayerCommand`. Out: `PlayerReport`, about every 20 ms while something plays and at each change.
 */

import type { PlayerCommand, PlayerReport } from "../player_messages.js";
import { Playout } from "../playout.js";

const REPORT_EVERY_S = 0.02;

class PlayerProcessor extends AudioWorkletProcessor {
  readonly #playout = new Playout();
  #speaking: string | undefined;
  #reportedAt = 0;
  #stopped = false;

  constructor() {
    super();
    this.port.onmessage = (message: MessageEvent<PlayerCommand>) => this.#obey(message.data);
  }

  #obey(command: PlayerCommand): void {
    switch (command.do) {
      case "push":
        this.#playout.push(command.itemId, command.samples);
        return;
      case "finish":
        this.#playout.finish(command.itemId);
        return;
      case "flush": {
        const unheard = this.#playout.flush(command.fadeSamples);
        this.#speaking = undefined;
        this.#post({ is: "flushed", ticket: command.ticket, unheard });
        return;
      }
      case "stop":
        this.#stopped = true;
        return;
    }
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [out, ...copies] = outputs[0] ?? [];
    if (!out) return !this.#stopped;
    const before = this.#playout.current();
    const ended = this.#playout.render(out);
    for (const copy of copies) copy.set(out);
    if (before && before.heldSamples > 0 && this.#speaking !== before.itemId) {
      this.#speaking = before.itemId;
      this.#post({ is: "started", itemId: before.itemId, at: currentTime });
    }
    for (const item of ended) this.#post({ is: "ended", item });
    if (ended.length > 0 && this.#playout.idle) {
      this.#speaking = undefined;
      this.#post({ is: "drained" });
    }
    const current = this.#playout.current();
    if (current && currentTime - this.#reportedAt >= REPORT_EVERY_S) {
      this.#reportedAt = currentTime;
      this.#post({ is: "playing", item: current });
    }
    return !this.#stopped;
  }

  #post(report: PlayerReport): void {
    this.port.postMessage(report);
  }
}

registerProcessor("parley-player", PlayerProcessor);
