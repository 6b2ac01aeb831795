/**
 * Sound inside events: the microphone becomes `input_audio_buffer.append`, audio deltas are played here.
 *
 * This side owns the playback clock, so after an interruption it tells the server how much of each item was heard
 * (`conversation.item.truncate`); audio of a silenced response that still arrives is dropped.
 */

import type { ServerEvent } from "./events.js";
import { Microphone, requestMicrophone } from "./microphone.js";
import { Player } from "./player.js";
import { resumed, routeTo, type Sound, type SoundChoice, type SoundListener } from "./sound.js";

declare const __MICROPHONE_WORKLET__: string;

export class EventSound implements Sound {
  /** Audio worklets exist on secure origins only, like microphones; elsewhere answers must be written. */
  readonly aloud = window.isSecureContext;
  readonly #context = new AudioContext({ latencyHint: "interactive" });
  readonly #listener: SoundListener;
  readonly #silenced = new Set<string>();
  readonly #responseOf = new Map<string, string>();
  #choice: SoundChoice;
  #stream: MediaStream | undefined;
  #microphone: Microphone | undefined;
  #chunks: AudioWorkletNode | undefined;
  #player: Player | undefined;
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
    if (!this.aloud) return;
    await resumed(this.#context);
    await routeTo(this.#context, this.#choice.output);
    if (this.#closed) return;
    if (this.#stream) await this.#listen(this.#stream);
    if (!this.#closed) this.#player = await Player.start(this.#context, this.#playerListener());
    this.#setVolume();
    if (this.#closed) this.close();
  }

  get listening(): boolean {
    return this.#microphone !== undefined;
  }

  get analysers() {
    return { user: this.#microphone?.analyser, assistant: this.#player?.analyser };
  }

  get idle(): boolean {
    return this.#player?.idle ?? true;
  }

  get outputLatencyMs(): number {
    return ((this.#context.outputLatency || 0) + this.#context.baseLatency) * 1000;
  }

  received(event: ServerEvent): void {
    switch (event.type) {
      case "response.output_audio.delta":
        if (this.#silenced.has(event.response_id)) return;
        this.#responseOf.set(event.item_id, event.response_id);
        this.#listener.arrived(event.response_id);
        this.#player?.enqueue(event.item_id, event.delta);
        return;
      case "response.output_audio.done":
        if (!this.#silenced.has(event.response_id)) this.#player?.finish(event.item_id);
        return;
      case "response.done":
        this.#silenced.delete(event.response.id);
        for (const item of event.response.output) if (item.type === "message") this.#player?.finish(item.id);
        return;
      default:
    }
  }

  bargedIn(active: ReadonlySet<string>): void {
    void this.hush(active);
  }

  /** Fall silent, then tell the server what was heard. */
  async hush(active: ReadonlySet<string>): Promise<void> {
    for (const id of active) this.#silenced.add(id);
    if (!this.#player || this.#player.idle) return;
    this.#listener.silenced();
    for (const { itemId, playedMs } of await this.#player.flush()) {
      this.#listener.cut(itemId, playedMs);
      this.#listener.send({ type: "conversation.item.truncate", item_id: itemId, content_index: 0, audio_end_ms: playedMs });
    }
  }

  /** A muted microphone goes on sending silence, so that the server's clock of this lane runs on. */
  mute(muted: boolean): void {
    this.#chunks?.port.postMessage({ muted });
    this.#microphone?.mute(muted);
  }

  async choose(choice: SoundChoice): Promise<void> {
    const before = this.#choice;
    this.#choice = choice;
    this.#setVolume();
    if (choice.output !== before.output) await routeTo(this.#context, choice.output);
    if (choice.input !== before.input) this.#microphone?.replace(await requestMicrophone(choice.input));
  }

  close(): void {
    this.#closed = true;
    this.#chunks?.port.postMessage({ stop: true });
    this.#microphone?.stop();
    this.#player?.stop();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    if (this.#context.state !== "closed") void this.#context.close();
  }

  async #listen(stream: MediaStream): Promise<void> {
    await this.#context.audioWorklet.addModule(new URL(__MICROPHONE_WORKLET__, import.meta.url));
    if (this.#closed) return;
    const chunks = new AudioWorkletNode(this.#context, "parley-microphone", { numberOfInputs: 1, numberOfOutputs: 0 });
    chunks.port.onmessage = (message: MessageEvent<Int16Array>) => this.#listener.chunk(message.data);
    this.#chunks = chunks;
    this.#microphone = new Microphone(this.#context, stream, () => this.#listener.lost());
    this.#microphone.feed(chunks);
  }

  #setVolume(): void {
    this.#player?.setVolume(this.#choice.outputMuted ? 0 : this.#choice.volume);
  }

  #playerListener() {
    return {
      started: (itemId: string) => this.#listener.started(this.#responseOf.get(itemId) ?? ""),
      progress: (itemId: string, playedMs: number) => this.#listener.progress(itemId, playedMs),
      ended: (itemId: string) => this.#listener.ended(itemId),
      drained: () => this.#listener.drained(),
    };
  }
}
