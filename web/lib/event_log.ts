/**
 * The last events both ways, for people. Pure; the clock is an argument.
 *
 * Bounded: beyond `limit` rows the oldest go. Audio is replaced by its length, and runs of one audio event are one row,
 * so that a long conversation costs no memory.
 */

import { base64Bytes } from "./base64.js";
import type { JsonObject } from "./events.js";
import { wireMs } from "./pcm.js";

export type Direction = "sent" | "received";

export interface LogRow {
  readonly id: number;
  /** Ms since the log began. */
  readonly at: number;
  readonly direction: Direction;
  readonly type: string;
  /** The event, audio replaced by its length. */
  readonly event: JsonObject;
  /** Further events of the same kind folded into this row. */
  readonly repeats: number;
  /** Length of the audio in this row, in ms. */
  readonly audioMs: number;
}

export interface LogFilter {
  readonly text: string;
  readonly direction: Direction | "both";
  readonly audio: boolean;
}

const AUDIO_EVENTS = new Set(["input_audio_buffer.append", "response.output_audio.delta"]);

export class EventLog {
  readonly #limit: number;
  #rows: readonly LogRow[] = [];
  #count = 0;

  constructor(limit = 2000) {
    this.#limit = limit;
  }

  get rows(): readonly LogRow[] {
    return this.#rows;
  }

  add(direction: Direction, event: object, at: number): void {
    const { event: shown, audioMs } = withoutAudio(event as JsonObject);
    const type = String(shown["type"]);
    const last = this.#rows.at(-1);
    if (last && AUDIO_EVENTS.has(type) && last.type === type && last.direction === direction) {
      const folded = { ...last, repeats: last.repeats + 1, audioMs: last.audioMs + audioMs };
      this.#rows = [...this.#rows.slice(0, -1), folded];
      return;
    }
    const row: LogRow = { id: ++this.#count, at, direction, type, event: shown, repeats: 0, audioMs };
    this.#rows = [...this.#rows.slice(-(this.#limit - 1)), row];
  }

  clear(): void {
    this.#rows = [];
  }
}

/** The rows a person asked for. The text is looked for in the type and in the event's JSON, whatever the case. */
export function filtered(rows: readonly LogRow[], filter: LogFilter): readonly LogRow[] {
  const needle = filter.text.trim().toLowerCase();
  return rows.filter((row) => {
    if (filter.direction !== "both" && row.direction !== filter.direction) return false;
    if (!filter.audio && AUDIO_EVENTS.has(row.type)) return false;
    return !needle || row.type.includes(needle) || JSON.stringify(row.event).toLowerCase().includes(needle);
  });
}

/** One JSON object per line, oldest first. */
export function exported(rows: readonly LogRow[]): string {
  return rows
    .map(({ at, direction, repeats, audioMs, event }) =>
      JSON.stringify({ at_ms: Math.round(at), direction, ...(repeats ? { repeats } : {}), ...(audioMs ? { audio_ms: Math.round(audioMs) } : {}), event }),
    )
    .join("\n");
}

function withoutAudio(event: JsonObject): { event: JsonObject; audioMs: number } {
  const type = event["type"];
  const key = type === "input_audio_buffer.append" ? "audio" : type === "response.output_audio.delta" ? "delta" : "";
  const audio = key ? event[key] : undefined;
  if (typeof audio !== "string") return { event, audioMs: 0 };
  const bytes = base64Bytes(audio);
  return { event: { ...event, [key]: `<${bytes} bytes of audio>` }, audioMs: wireMs(bytes) };
}
