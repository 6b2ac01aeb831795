/**
 * The microphone: permission, device, level, mute. Its track serves WebRTC as it is; `feed` gives its samples to a node.
 */

import { Fault, microphoneFault } from "./faults.js";
import { makeAnalyser } from "./sound.js";

/** Ask for the microphone; an empty `deviceId` is the system's own. Raises `Fault` with what stands in the way. */
export async function requestMicrophone(deviceId = ""): Promise<MediaStream> {
  if (!window.isSecureContext) throw new Fault("insecure-origin");
  // Absent in browsers without any capture support, whatever the types say.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) throw new Fault("microphone-missing", "This browser offers no microphone to web pages.");
  try {
    return await capture(devices, deviceId);
  } catch (error) {
    throw microphoneFault(error instanceof Error ? error : {});
  }
}

async function capture(devices: MediaDevices, deviceId: string): Promise<MediaStream> {
  const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  if (deviceId) {
    try {
      // Chromium takes no notice of a device that is merely preferred.
      return await devices.getUserMedia({ audio: { ...audio, deviceId: { exact: deviceId } } });
    } catch (error) {
      // A device that is gone is no reason to fail; anything else is.
      if (!(error instanceof Error) || error.name !== "OverconstrainedError") throw error;
    }
  }
  return devices.getUserMedia({ audio });
}

export class Microphone {
  /** Tap for level displays. */
  readonly analyser: AnalyserNode;
  readonly #context: AudioContext;
  readonly #lost: () => void;
  #stream: MediaStream;
  #source: MediaStreamAudioSourceNode;
  #sink: AudioNode | undefined;
  #muted = false;

  constructor(context: AudioContext, stream: MediaStream, lost: () => void) {
    this.#context = context;
    this.#lost = lost;
    this.analyser = makeAnalyser(context);
    this.#stream = stream;
    this.#source = this.#attach(stream);
  }

  get track(): MediaStreamTrack | undefined {
    return this.#stream.getAudioTracks()[0];
  }

  /** Give every sample to `node` as well, whichever device is in use. */
  feed(node: AudioNode): void {
    this.#sink = node;
    this.#source.connect(node);
  }

  mute(muted: boolean): void {
    this.#muted = muted;
    if (this.track) this.track.enabled = !muted;
  }

  /** Go on with another device. */
  replace(stream: MediaStream): void {
    this.#detach();
    this.#stream = stream;
    this.#source = this.#attach(stream);
    this.mute(this.#muted);
  }

  stop(): void {
    this.#detach();
  }

  #attach(stream: MediaStream): MediaStreamAudioSourceNode {
    const source = this.#context.createMediaStreamSource(stream);
    source.connect(this.analyser);
    if (this.#sink) source.connect(this.#sink);
    // Replaced devices end too, but are told no more.
    stream.getAudioTracks()[0]?.addEventListener("ended", () => stream === this.#stream && this.#lost());
    return source;
  }

  #detach(): void {
    this.#source.disconnect();
    for (const track of this.#stream.getTracks()) track.stop();
  }
}
