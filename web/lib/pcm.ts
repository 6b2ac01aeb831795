/**
 * Samples in their shapes: float and PCM16. Pure; runs in the page and on the audio thread.
 *
 * Not here: base64 (`base64`), rates (`resampler`), queues (`playout`). PCM16 is little-endian mono, as the wire wants it; every browser
 * Parley supports runs on little-endian machines, so typed arrays are the wire's bytes.
 */

/** The wire's sample rate, both ways. */
export const WIRE_HZ = 24_000;

/** Floats in -1..1 to 16-bit integers, clipped. */
export function floatToPcm16(samples: Float32Array): Int16Array<ArrayBuffer> {
  const out = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    const clipped = Math.max(-1, Math.min(1, samples[i] as number));
    out[i] = Math.round(clipped < 0 ? clipped * 32_768 : clipped * 32_767);
  }
  return out;
}

/** 16-bit integers to floats in -1..1. */
export function pcm16ToFloat(samples: Int16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(samples.length);
  for (let i = 0; i < samples.length; i++) out[i] = (samples[i] as number) / 32_768;
  return out;
}

/** PCM16 bytes to samples; an odd last byte is dropped (the wire sends whole samples). */
export function bytesToPcm16(bytes: Uint8Array<ArrayBuffer>): Int16Array<ArrayBuffer> {
  return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
}

/** Length in ms of `bytes` bytes of wire audio. */
export function wireMs(bytes: number): number {
  return (bytes / 2 / WIRE_HZ) * 1000;
}

/** Loudness of a block, 0..1, on a perceptual scale: -60 dBFS is 0, -6 dBFS is 1. */
export function loudness(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.max(0, Math.min(1, (decibels + 60) / 54));
}
