/**
 * How much of a message was heard: from a play position to a count of characters. Pure.
 *
 * Spans come with the audio and say which characters sound when. Without them (another server) the text is taken to be
 * spread evenly over the audio. The answer never lies inside a word.
 */

import type { SpanRow } from "./events.js";

export interface Span {
  readonly charStart: number;
  readonly charEnd: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** Rows of the wire to spans; a row may name its kind first; rows without four numbers are skipped. */
export function readSpans(rows: readonly SpanRow[]): Span[] {
  const spans: Span[] = [];
  for (const row of rows) {
    const [charStart, charEnd, startMs, endMs] = (typeof row[0] === "string" ? row.slice(1) : row) as SpanRow;
    if ([charStart, charEnd, startMs, endMs].every((value) => Number.isFinite(value))) {
      spans.push({ charStart, charEnd, startMs, endMs });
    }
  }
  return spans;
}

/** Characters of `text` whose sound was over at `playedMs`. `audioMs` is the length of the audio received so far. */
export function heardChars(text: string, spans: readonly Span[], playedMs: number, audioMs: number): number {
  if (playedMs <= 0 || text.length === 0) return 0;
  if (spans.length === 0) {
    if (audioMs <= 0) return 0;
    return playedMs >= audioMs ? text.length : wordsWithin(text, 0, text.length, playedMs / audioMs);
  }
  let heard = 0;
  for (const span of spans) {
    if (playedMs >= span.endMs) heard = Math.max(heard, span.charEnd);
    else if (playedMs > span.startMs) {
      const share = (playedMs - span.startMs) / (span.endMs - span.startMs);
      const end = wordsWithin(text, span.charStart, span.charEnd, share);
      if (end > span.charStart) heard = Math.max(heard, end);
    }
  }
  return Math.min(heard, text.length);
}

/** The end of the last whole word within the first `share` of `[from, to)`. */
function wordsWithin(text: string, from: number, to: number, share: number): number {
  const limit = from + (to - from) * share;
  let end = from;
  for (const word of text.slice(from, to).matchAll(/\S+\s*/g)) {
    const wordEnd = from + word.index + word[0].trimEnd().length;
    if (wordEnd > limit) break;
    end = wordEnd;
  }
  return end;
}
