/**
 * What sounds when: the queue behind the speaker. Pure; the audio thread owns one and calls `render` per quantum.
 *
 * Knows for every item how many of its samples went to the speaker. That count is the truth that
 * `conversation.item.truncate` reports, so nothing else may estimate it. Samples are at the context's rate.
 */

/** How far one item has got. `heldSamples` are queued and unheard. */
export interface ItemProgress {
  readonly itemId: string;
  readonly playedSamples: number;
  readonly heldSamples: number;
  /** All of the item's audio was queued and played. */
  readonly finished: boolean;
}

interface Track {
  readonly itemId: string;
  readonly blocks: Float32Array[];
  /** Offset into the first block. */
  offset: number;
  played: number;
  held: number;
  complete: boolean;
}

/** Plays items in the order in which their first audio came. */
export class Playout {
  #tracks: Track[] = [];
  /** Faded remains of a flush, heard before anything else. */
  #tail: Float32Array = new Float32Array(0);
  #tailAt = 0;

  /** Queue audio of an item. */
  push(itemId: string, samples: Float32Array): void {
    const track = this.#track(itemId);
    if (samples.length === 0) return;
    track.blocks.push(samples);
    track.held += samples.length;
  }

  /** No more audio of this item will come. */
  finish(itemId: string): void {
    const track = this.#tracks.find((candidate) => candidate.itemId === itemId);
    if (track) track.complete = true;
  }

  /**
   * Stop everything. The next `fadeSamples` of what was playing are faded out instead of cut, and count as played.
   * Returns every item that was not heard to its end, in playing order.
   */
  flush(fadeSamples: number): ItemProgress[] {
    const head = this.#tracks[0];
    if (head) {
      const fade = new Float32Array(Math.min(fadeSamples, head.held));
      const taken = this.#take(head, fade, 0);
      for (let i = 0; i < taken; i++) fade[i] = (fade[i] as number) * (1 - (i + 1) / taken);
      this.#tail = fade.subarray(0, taken);
      this.#tailAt = 0;
    }
    const progress = this.#tracks.map((track) => this.#progress(track));
    this.#tracks = [];
    return progress.filter((item) => !item.finished);
  }

  /** Fill one block of output; silence where there is nothing to play. Returns the items that ended within it. */
  render(out: Float32Array): ItemProgress[] {
    out.fill(0);
    let at = 0;
    if (this.#tailAt < this.#tail.length) {
      const part = this.#tail.subarray(this.#tailAt, this.#tailAt + out.length);
      out.set(part);
      this.#tailAt += part.length;
      at = part.length;
    }
    const ended: ItemProgress[] = [];
    while (this.#tracks.length > 0) {
      const head = this.#tracks[0] as Track;
      at += this.#take(head, out, at);
      if (head.held > 0 || !head.complete) break;
      ended.push(this.#progress(head));
      this.#tracks.shift();
    }
    return ended;
  }

  /** The item at the head of the queue, if any. */
  current(): ItemProgress | undefined {
    const head = this.#tracks[0];
    return head && this.#progress(head);
  }

  /** Whether anything is left to be heard. */
  get idle(): boolean {
    return this.#tracks.length === 0 && this.#tailAt >= this.#tail.length;
  }

  #track(itemId: string): Track {
    const known = this.#tracks.find((candidate) => candidate.itemId === itemId);
    if (known) return known;
    // A part that starts after an earlier item ended without its own `done` closes that one.
    for (const earlier of this.#tracks) earlier.complete = true;
    const track: Track = { itemId, blocks: [], offset: 0, played: 0, held: 0, complete: false };
    this.#tracks.push(track);
    return track;
  }

  #take(track: Track, out: Float32Array, from: number): number {
    let at = from;
    while (at < out.length && track.blocks.length > 0) {
      const block = track.blocks[0] as Float32Array;
      const part = block.subarray(track.offset, track.offset + out.length - at);
      out.set(part, at);
      at += part.length;
      track.offset += part.length;
      if (track.offset === block.length) {
        track.blocks.shift();
        track.offset = 0;
      }
    }
    track.played += at - from;
    track.held -= at - from;
    return at - from;
  }

  #progress(track: Track): ItemProgress {
    return {
      itemId: track.itemId,
      playedSamples: track.played,
      heldSamples: track.held,
      finished: track.complete && track.held === 0,
    };
  }
}
