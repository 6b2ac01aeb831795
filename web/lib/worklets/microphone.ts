/**
 * The microphone on the audio thread: any device rate in, PCM16 at the wire's rate out, in chunks of a fixed length.
 *
 * Posts `Int16Array` chunks. A muted microphone posts silence, so that the server's clock of this lane runs on.
 */

import { floatToPcm16, WIRE_HZ } from "../pcm.js";
import { Resampler } from "../resampler.js";

const CHUNK_MS = 40;
const CHUNK_SAMPLES = (WIRE_HZ * CHUNK_MS) / 1000;

class MicrophoneProcessor extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, WIRE_HZ);
  readonly #chunk = new Float32Array(CHUNK_SAMPLES);
  #filled = 0;
  #muted = false;
  #stopped = false;

  constructor() {
    super();
    this.port.onmessage = (message: MessageEvent<{ muted?: boolean; stop?: boolean }>) => {
      if (message.data.muted !== undefined) this.#muted = message.data.muted;
      if (message.data.stop) this.#stopped = true;
    };
  }

  process(inputs: Float32Array[][]): boolean {
    const channels = inputs[0] ?? [];
    const first = channels[0];
    if (first) this.#append(this.#resampler.process(this.#muted ? new Float32Array(first.length) : mono(channels)));
    return !this.#stopped;
  }

  #append(samples: Float32Array): void {
    let at = 0;
    while (at < samples.length) {
      const part = samples.subarray(at, at + CHUNK_SAMPLES - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < CHUNK_SAMPLES) return;
      const pcm = floatToPcm16(this.#chunk);
      this.port.postMessage(pcm, [pcm.buffer]);
      this.#filled = 0;
    }
  }
}

function mono(channels: Float32Array[]): Float32Array {
  const first = channels[0] as Float32Array;
  if (channels.length === 1) return first;
  const out = new Float32Array(first.length);
  for (const channel of channels) {
    for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) + (channel[i] as number) / channels.length;
  }
  return out;
}

registerProcessor("parley-microphone", MicrophoneProcessor);
