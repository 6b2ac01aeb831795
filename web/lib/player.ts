/**
 * The speaker: plays items' audio and knows exactly how much of each went out.
 *
 * Wire audio in, context rate out. The count of played samples lives on the audio thread (`playout`); this side asks.
 */

import { fromBase64 } from "./base64.js";
import type { PlayerCommand, PlayerReport } from "./player_messages.js";
import { bytesToPcm16, pcm16ToFloat, WIRE_HZ } from "./pcm.js";
import { Resampler } from "./resampler.js";
import { makeAnalyser } from "./sound.js";

declare const __PLAYER_WORKLET__: string;

const FADE_MS = 12;

/** An item's audio that was cut off, in ms of that item's audio. */
export interface CutItem {
  readonly itemId: string;
  readonly playedMs: number;
}

export interface PlayerListener {
  /** The first sample of an item goes out. */
  started(itemId: string): void;
  progress(itemId: string, playedMs: number): void;
  /** All of an item's audio went out. */
  ended(itemId: string): void;
  /** Nothing is left to play. */
  drained(): void;
}

export class Player {
  /** Tap for level displays. */
  readonly analyser: AnalyserNode;
  readonly #context: AudioContext;
  readonly #worklet: AudioWorkletNode;
  readonly #volume: GainNode;
  readonly #listener: PlayerListener;
  readonly #resamplers = new Map<string, Resampler>();
  readonly #tickets = new Map<number, (unheard: CutItem[]) => void>();
  #ticket = 0;
  #queued = new Set<string>();

  private constructor(context: AudioContext, listener: PlayerListener) {
    this.#context = context;
    this.#listener = listener;
    this.#worklet = new AudioWorkletNode(context, "parley-player", {
      numberOfInputs: 0,
      numberOfOutputs: 1,
      outputChannelCount: [1],
    });
    this.analyser = makeAnalyser(context);
    this.#volume = context.createGain();
    this.#worklet.connect(this.analyser);
    this.#worklet.connect(this.#volume).connect(context.destination);
    this.#worklet.port.onmessage = (message: MessageEvent<PlayerReport>) => this.#report(message.data);
  }

  static async start(context: AudioContext, listener: PlayerListener): Promise<Player> {
    await context.audioWorklet.addModule(new URL(__PLAYER_WORKLET__, import.meta.url));
    return new Player(context, listener);
  }

  /** Whether everything queued has been heard. */
  get idle(): boolean {
    return this.#queued.size === 0;
  }

  /** 0 to 1. What is not audible still counts as played. */
  setVolume(volume: number): void {
    this.#volume.gain.value = volume;
  }

  /** Queue a piece of an item: base64 of PCM16 at the wire's rate. */
  enqueue(itemId: string, base64: string): void {
    const samples = pcm16ToFloat(bytesToPcm16(fromBase64(base64)));
    let resampler = this.#resamplers.get(itemId);
    if (!resampler) {
      resampler = new Resampler(WIRE_HZ, this.#context.sampleRate);
      this.#resamplers.set(itemId, resampler);
    }
    this.#push(itemId, resampler.process(samples));
  }

  /** The item's audio is complete. */
  finish(itemId: string): void {
    const resampler = this.#resamplers.get(itemId);
    if (!resampler) return;
    this.#push(itemId, resampler.flush());
    this.#resamplers.delete(itemId);
    this.#order({ do: "finish", itemId });
  }

  /** Fall silent within a few ms. Resolves with every item that was not heard to its end, in playing order. */
  flush(): Promise<CutItem[]> {
    const ticket = ++this.#ticket;
    const fadeSamples = Math.round((this.#context.sampleRate * FADE_MS) / 1000);
    this.#resamplers.clear();
    this.#queued.clear();
    const answer = new Promise<CutItem[]>((resolve) => this.#tickets.set(ticket, resolve));
    this.#order({ do: "flush", ticket, fadeSamples });
    return answer;
  }

  stop(): void {
    this.#order({ do: "stop" });
    this.#worklet.disconnect();
    this.#volume.disconnect();
  }

  #push(itemId: string, samples: Float32Array<ArrayBuffer>): void {
    this.#queued.add(itemId);
    this.#worklet.port.postMessage({ do: "push", itemId, samples } satisfies PlayerCommand, [samples.buffer]);
  }

  #order(command: PlayerCommand): void {
    this.#worklet.port.postMessage(command);
  }

  #toMs(samples: number): number {
    return Math.floor((samples * 1000) / this.#context.sampleRate);
  }

  #report(report: PlayerReport): void {
    switch (report.is) {
      case "started":
        if (this.#queued.has(report.itemId)) this.#listener.started(report.itemId);
        return;
      case "playing":
        if (this.#queued.has(report.item.itemId)) {
          this.#listener.progress(report.item.itemId, this.#toMs(report.item.playedSamples));
        }
        return;
      case "ended":
        if (this.#queued.delete(report.item.itemId)) this.#listener.ended(report.item.itemId);
        return;
      case "drained":
        if (this.#queued.size === 0) this.#listener.drained();
        return;
      case "flushed": {
        const unheard = report.unheard.map((item) => ({
          itemId: item.itemId,
          playedMs: this.#toMs(item.playedSamples),
        }));
        this.#tickets.get(report.ticket)?.(unheard);
        this.#tickets.delete(report.ticket);
        return;
      }
    }
  }
}
