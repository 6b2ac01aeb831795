/**
 * A streaming sample-rate converter: a windowed sinc in polyphase form. Pure; runs in the page and on the audio thread.
 *
 * Any device rate to the wire's and back. Blocks of any length may come in; what comes out, concatenated, does not
 * depend on how the input was cut. The delay is half the filter, given back by `flush`.
 */

const LOBES = 12;
const MAX_PHASES = 512;

/** Zeroth-order modified Bessel function, for the Kaiser window. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; k < 32; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** One row of taps per phase, each normalised to unity gain. */
function makeTaps(phases: number, halfWidth: number, cutoff: number): Float32Array[] {
  const beta = 8;
  const taps: Float32Array[] = [];
  for (let phase = 0; phase < phases; phase++) {
    const row = new Float32Array(2 * halfWidth);
    let sum = 0;
    for (let i = 0; i < row.length; i++) {
      const t = i - halfWidth + 1 - phase / phases;
      const inside = 1 - (t / halfWidth) ** 2;
      const window = inside <= 0 ? 0 : bessel0(beta * Math.sqrt(inside)) / bessel0(beta);
      const angle = Math.PI * cutoff * t;
      const value = (t === 0 ? 1 : Math.sin(angle) / angle) * window;
      row[i] = value;
      sum += value;
    }
    for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) / sum;
    taps.push(row);
  }
  return taps;
}

/** Converts one stream from `fromHz` to `toHz`. */
export class Resampler {
  readonly fromHz: number;
  readonly toHz: number;
  readonly #taps: Float32Array[];
  readonly #half: number;
  /** Input samples still needed, oldest first; the stream starts with half a filter of silence. */
  #pending: Float32Array;
  /** Position of the next output in `#pending`, in input samples, from the first full window. */
  #at = 0;
  #consumed = 0;
  #produced = 0;

  constructor(fromHz: number, toHz: number) {
    if (!(fromHz > 0 && toHz > 0)) throw new RangeError(`sample rates must be positive, got ${fromHz} and ${toHz}`);
    this.fromHz = fromHz;
    this.toHz = toHz;
    const divisor = greatestCommonDivisor(Math.round(fromHz), Math.round(toHz));
    const phases = Math.min(MAX_PHASES, Math.round(toHz) / divisor);
    const cutoff = Math.min(1, toHz / fromHz) * 0.94;
    this.#half = Math.ceil(LOBES / Math.min(1, toHz / fromHz));
    this.#taps = makeTaps(phases, this.#half, cutoff);
    this.#pending = new Float32Array(this.#half - 1);
  }

  /** Convert a block; returns what can be computed so far, possibly nothing. */
  process(block: Float32Array): Float32Array<ArrayBuffer> {
    if (this.fromHz === this.toHz) return new Float32Array(block);
    this.#consumed += block.length;
    const input = new Float32Array(this.#pending.length + block.length);
    input.set(this.#pending);
    input.set(block, this.#pending.length);
    const out = this.#convolve(input, Number.POSITIVE_INFINITY);
    return out;
  }

  /** The rest of the stream; the converter is then fresh. Out of n samples in, round(n * to / from) came out in all. */
  flush(): Float32Array<ArrayBuffer> {
    if (this.fromHz === this.toHz) return new Float32Array(0);
    const due = Math.round((this.#consumed * this.toHz) / this.fromHz) - this.#produced;
    const input = new Float32Array(this.#pending.length + 2 * this.#half + 1);
    input.set(this.#pending);
    const out = this.#convolve(input, Math.max(0, due));
    this.#pending = new Float32Array(this.#half - 1);
    this.#at = 0;
    this.#consumed = 0;
    this.#produced = 0;
    return out;
  }

  #convolve(input: Float32Array, limit: number): Float32Array<ArrayBuffer> {
    const step = this.fromHz / this.toHz;
    const phases = this.#taps.length;
    const width = 2 * this.#half;
    const room = Math.max(0, Math.ceil((input.length - width + 1 - this.#at) / step) + 1);
    const out = new Float32Array(Math.min(room, limit));
    let count = 0;
    let at = this.#at;
    while (count < out.length) {
      let whole = Math.floor(at + 1e-9);
      let phase = Math.round((at - whole) * phases);
      if (phase === phases) {
        phase = 0;
        whole += 1;
      }
      if (whole + width > input.length) break;
      const row = this.#taps[phase] as Float32Array;
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (row[i] as number) * (input[whole + i] as number);
      out[count++] = sum;
      // Counted from the start of the stream, so that rounding never accumulates.
      at = this.#at + count * step;
    }
    const keepFrom = Math.min(input.length, Math.max(0, Math.floor(at + 1e-9)));
    this.#pending = input.slice(keepFrom);
    this.#at = at - keepFrom;
    this.#produced += count;
    return out.slice(0, count);
  }
}
