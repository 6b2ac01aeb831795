/**
 * How long each turn took, as the person experienced it and as the server explains it. Pure; times are arguments.
 *
 * A turn begins when the server says that the voice stopped (or when the page asks for a response) and is over for the
 * ear when its first sample leaves the speaker.
 */

import type { ServerTimeline } from "./events.js";

export interface TurnLatency {
  readonly responseId: string;
  /** What began the turn. */
  readonly from: "voice" | "request";
  /** From the end of the turn, as it reached this page, to the first sample played, in ms. */
  readonly toSoundMs: number | undefined;
  /** From the same instant to the first audio that arrived, in ms. */
  readonly toAudioMs: number | undefined;
  /** Silence the server waited for before it called the turn ended, in ms; 0 for typed turns. */
  readonly windowMs: number;
  readonly server: ServerTimeline | undefined;
}

interface OpenTurn {
  readonly from: "voice" | "request";
  readonly at: number;
}

/** One per conversation. `silenceMs` is the session's silence window. */
export class LatencyBook {
  silenceMs = 500;
  #open: OpenTurn | undefined;
  #began = new Map<string, OpenTurn>();
  #turns: readonly TurnLatency[] = [];

  get turns(): readonly TurnLatency[] {
    return this.#turns;
  }

  of(responseId: string): TurnLatency | undefined {
    return this.#turns.find((turn) => turn.responseId === responseId);
  }

  speechStopped(now: number): void {
    this.#open = { from: "voice", at: now };
  }

  requested(now: number): void {
    // A request that follows a tool call continues the spoken turn: the person has been waiting since then.
    this.#open ??= { from: "request", at: now };
  }

  responseCreated(responseId: string): void {
    if (this.#open) this.#began.set(responseId, this.#open);
  }

  /** New speech, or a session that ended: whoever waited waits no more. */
  abandoned(): void {
    this.#open = undefined;
  }

  audioArrived(responseId: string, now: number): void {
    const began = this.#began.get(responseId);
    const known = this.of(responseId);
    if (!began || known?.toAudioMs !== undefined) return;
    this.#put(responseId, began, { toAudioMs: now - began.at });
  }

  soundStarted(responseId: string, now: number): void {
    const began = this.#began.get(responseId);
    if (!began || this.of(responseId)?.toSoundMs !== undefined) return;
    this.#put(responseId, began, { toSoundMs: now - began.at });
    this.#open = undefined;
  }

  responseDone(responseId: string, server: ServerTimeline | undefined): void {
    const began = this.#began.get(responseId);
    if (began && server) this.#put(responseId, began, { server });
  }

  #put(responseId: string, began: OpenTurn, change: Partial<TurnLatency>): void {
    const fresh: TurnLatency = {
      responseId,
      from: began.from,
      toSoundMs: undefined,
      toAudioMs: undefined,
      windowMs: began.from === "voice" ? this.silenceMs : 0,
      server: undefined,
    };
    const known = this.of(responseId);
    this.#turns = known
      ? this.#turns.map((turn) => (turn === known ? { ...turn, ...change } : turn))
      : [...this.#turns, { ...fresh, ...change }];
  }
}

/** The middle of a list, or undefined for an empty one. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return undefined;
  return sorted.length % 2 ? sorted[middle] : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
