/**
 * Sound on WebRTC's tracks: the microphone's track goes out as it is, the server's voice comes from an audio element.
 *
 * The server owns the playback clock: `output_audio_buffer.*` says what began, ended or was cut, and the server itself
 * truncates what was not heard. News travels on another path than sound, so the first and the last word are looked for
 * in the sound itself. Neighbour: `webrtc_transport`, whose media this is.
 */

import type { ServerEvent } from "./events.js";
import { Microphone, requestMicrophone } from "./microphone.js";
import { loudness } from "./pcm.js";
import { makeAnalyser, resumed, routeTo, type Sound, type SoundChoice, soundBlocked, type SoundListener } from "./sound.js";
import type { PeerMedia } from "./webrtc_transport.js";

const LOOK_EVERY_MS = 15;
/** Quieter than this is silence: -57 dBFS on `loudness`'s scale. */
const AUDIBLE = 0.05;
/** Sound that was announced and cannot be seen is taken to be there after so long. */
const SURELY_AUDIBLE_MS = 800;
/** No pause within speech that ends an answer is this long. */
const QUIET_MS = 250;
const SURELY_QUIET_MS = 2000;
/** An answer that was made but never begins to sound is given up. */
const BEGINS_WITHIN_MS = 3000;

export class TrackSound implements Sound, PeerMedia {
  readonly aloud = true;
  readonly #context = new AudioContext({ latencyHint: "interactive" });
  readonly #element = new Audio();
  readonly #listener: SoundListener;
  readonly #samples = new Float32Array(512);
  /** Responses with audio that was not heard to its end yet. */
  readonly #unheard = new Set<string>();
  readonly #begun = new Set<string>();
  /** The response whose last words are still under way. */
  #trailing = "";
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #choice: SoundChoice;
  #microphone: Microphone | undefined;
  #stream: MediaStream | undefined;
  #sender: RTCRtpSender | undefined;
  #voice: AnalyserNode | undefined;
  /** Held, since Firefox collects a source that nobody holds, and the tap behind it falls silent. */
  #heard: MediaStreamAudioSourceNode | undefined;
  #look: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  /** Make it in a click, so that the browser allows sound. */
  constructor(choice: SoundChoice, listener: SoundListener) {
    this.#choice = choice;
    this.#listener = listener;
  }

  async open(microphone: boolean): Promise<void> {
    if (microphone) this.#stream = await requestMicrophone(this.#choice.input);
    if (this.#closed) return this.close();
    this.#listener.permitted();
    await resumed(this.#context);
    this.#setVolume();
    await routeTo(this.#element, this.#choice.output);
    if (this.#closed) return;
    if (this.#stream) this.#microphone = new Microphone(this.#context, this.#stream, () => this.#listener.lost());
  }

  get listening(): boolean {
    return this.#microphone !== undefined;
  }

  get analysers() {
    return { user: this.#microphone?.analyser, assistant: this.#voice };
  }

  get idle(): boolean {
    return this.#unheard.size === 0;
  }

  get outputLatencyMs(): number {
    return ((this.#context.outputLatency || 0) + this.#context.baseLatency) * 1000;
  }

  // --- the connection's media ------------------------------------------------------------------------------------

  get microphoneTrack(): MediaStreamTrack | undefined {
    return this.#microphone?.track;
  }

  sending(sender: RTCRtpSender): void {
    this.#sender = sender;
  }

  hear(stream: MediaStream): void {
    if (this.#closed) return;
    this.#element.srcObject = stream;
    this.#element.play().catch((error: unknown) => {
      // Closing the conversation interrupts a start; only a browser that wants a click refuses it.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.#listener.blocked(soundBlocked());
    });
    this.#voice = makeAnalyser(this.#context);
    this.#heard = this.#context.createMediaStreamSource(stream);
    this.#heard.connect(this.#voice);
  }

  // --- the conversation ------------------------------------------------------------------------------------------

  received(event: ServerEvent): void {
    switch (event.type) {
      case "response.content_part.added":
        if (event.part.type === "audio") this.#unheard.add(event.response_id);
        return;
      case "output_audio_buffer.started":
        this.#unheard.delete(this.#trailing);
        this.#unheard.add(event.response_id);
        this.#begun.add(event.response_id);
        this.#listener.arrived(event.response_id);
        this.#whenAudible(() => this.#begun.has(event.response_id) && this.#listener.started(event.response_id));
        return;
      case "output_audio_buffer.stopped":
        this.#trailing = event.response_id;
        this.#whenQuiet(() => this.#over(event.response_id));
        return;
      case "output_audio_buffer.cleared":
        this.#stopLooking();
        this.#unheard.delete(event.response_id);
        this.#begun.delete(event.response_id);
        this.#listener.silenced();
        return;
      case "response.done":
        this.#generated(event.response.id, event.response.status === "cancelled");
        return;
      default:
    }
  }

  /** The server stops by itself. */
  bargedIn(): void {}

  hush(): Promise<void> {
    if (!this.idle) this.#listener.send({ type: "output_audio_buffer.clear" });
    return Promise.resolve();
  }

  mute(muted: boolean): void {
    this.#microphone?.mute(muted);
  }

  async choose(choice: SoundChoice): Promise<void> {
    const before = this.#choice;
    this.#choice = choice;
    this.#setVolume();
    if (choice.output !== before.output) await routeTo(this.#element, choice.output);
    if (choice.input === before.input || !this.#microphone) return;
    this.#microphone.replace(await requestMicrophone(choice.input));
    await this.#sender?.replaceTrack(this.#microphone.track ?? null);
  }

  close(): void {
    this.#closed = true;
    this.#stopLooking();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#microphone?.stop();
    this.#heard?.disconnect();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#element.pause();
    this.#element.srcObject = null;
    if (this.#context.state !== "closed") void this.#context.close();
  }

  // --- what sounds -----------------------------------------------------------------------------------------------

  #generated(responseId: string, cancelled: boolean): void {
    if (!this.#unheard.has(responseId) || this.#begun.has(responseId)) return;
    const neverBegins = (): void => {
      if (!this.#begun.has(responseId)) this.#over(responseId);
    };
    if (cancelled) neverBegins();
    else this.#later(neverBegins, BEGINS_WITHIN_MS);
  }

  #over(responseId: string): void {
    this.#begun.delete(responseId);
    if (this.#unheard.delete(responseId) && this.idle) this.#listener.drained();
  }

  #whenAudible(act: () => void): void {
    const since = performance.now();
    this.#looking((loud) => (loud || performance.now() - since > SURELY_AUDIBLE_MS ? act : undefined));
  }

  #whenQuiet(act: () => void): void {
    const since = performance.now();
    let loudAt = since;
    this.#looking((loud) => {
      const now = performance.now();
      if (loud) loudAt = now;
      return now - loudAt > QUIET_MS || now - since > SURELY_QUIET_MS ? act : undefined;
    });
  }

  /** Look at the sound until `judge` says what to do; a later look replaces an earlier one. */
  #looking(judge: (loud: boolean) => (() => void) | undefined): void {
    this.#stopLooking();
    this.#look = setInterval(() => {
      this.#voice?.getFloatTimeDomainData(this.#samples);
      const act = judge(loudness(this.#samples) > AUDIBLE);
      if (!act) return;
      this.#stopLooking();
      act();
    }, LOOK_EVERY_MS);
  }

  #stopLooking(): void {
    clearInterval(this.#look);
    this.#look = undefined;
  }

  #later(act: () => void, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }

  #setVolume(): void {
    this.#element.volume = this.#choice.volume;
    this.#element.muted = this.#choice.outputMuted;
  }
}
