/**
 * The microphone: permission, device, and PCM16 chunks at the wire's rate whatever the device's rate is.
 *
 * The context keeps the rate the device likes; conversion happens on the audio thread (`worklets/microphone`).
 */

import { Fault, microphoneFault } from "./faults.js";

declare const __MICROPHONE_WORKLET__: string;

export interface MicrophoneListener {
  /** 40 ms of PCM16 at 24 kHz. */
  chunk(pcm: Int16Array): void;
  /** The device went away. */
  lost(): void;
}

/** Ask for the microphone. Raises `Fault` with what stands in the way. */
export async function requestMicrophone(): Promise<MediaStream> {
  if (!window.isSecureContext) throw new Fault("insecure-origin");
  // Absent in browsers without any capture support, whatever the types say.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) throw new Fault("microphone-missing", "This browser offers no microphone to web pages.");
  try {
    return await devices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw microphoneFault(error instanceof Error ? error : {});
  }
}

export class Microphone {
  /** Tap for level displays. */
  readonly analyser: AnalyserNode;
  readonly label: string;
  readonly #stream: MediaStream;
  readonly #source: MediaStreamAudioSourceNode;
  readonly #worklet: AudioWorkletNode;

  private constructor(context: AudioContext, stream: MediaStream, listener: MicrophoneListener) {
    this.#stream = stream;
    this.#source = context.createMediaStreamSource(stream);
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 512;
    this.analyser.smoothingTimeConstant = 0.6;
    this.#worklet = new AudioWorkletNode(context, "parley-microphone", { numberOfInputs: 1, numberOfOutputs: 0 });
    this.#worklet.port.onmessage = (message: MessageEvent<Int16Array>) => listener.chunk(message.data);
    this.#source.connect(this.analyser);
    this.#source.connect(this.#worklet);
    const track = stream.getAudioTracks()[0];
    this.label = track?.label ?? "";
    track?.addEventListener("ended", () => listener.lost());
  }

  static async start(context: AudioContext, stream: MediaStream, listener: MicrophoneListener): Promise<Microphone> {
    await context.audioWorklet.addModule(new URL(__MICROPHONE_WORKLET__, import.meta.url));
    return new Microphone(context, stream, listener);
  }

  /** A muted microphone goes on sending silence. */
  mute(muted: boolean): void {
    this.#worklet.port.postMessage({ muted });
    for (const track of this.#stream.getAudioTracks()) track.enabled = !muted;
  }

  stop(): void {
    this.#worklet.port.postMessage({ stop: true });
    this.#source.disconnect();
    for (const track of this.#stream.getTracks()) track.stop();
  }
}
