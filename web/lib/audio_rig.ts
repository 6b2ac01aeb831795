/**
 * Everything that sounds or listens in one conversation: the AudioContext, the microphone, the speaker.
 *
 * One rig per conversation; `close` frees all of it, at any moment of its opening too. Not here: what is said.
 */

import { Fault } from "./faults.js";
import { Microphone, type MicrophoneListener, requestMicrophone } from "./microphone.js";
import { Player, type PlayerListener } from "./player.js";

const RESUME_WITHIN_MS = 1000;

export interface RigListener extends MicrophoneListener, PlayerListener {
  /** The person has answered the browser's question, or was never asked. */
  permitted(): void;
}

export class AudioRig {
  /** Audio worklets exist on secure origins only, like microphones; elsewhere answers must be written. */
  readonly aloud = window.isSecureContext;
  readonly #context = new AudioContext({ latencyHint: "interactive" });
  readonly #listener: RigListener;
  #stream: MediaStream | undefined;
  #microphone: Microphone | undefined;
  #player: Player | undefined;
  #closed = false;

  /** Make it in a click, so that the browser allows sound. */
  constructor(listener: RigListener) {
    this.#listener = listener;
  }

  /** Ask for the microphone if wanted, then set everything up. Raises `Fault`. */
  async open(microphone: boolean): Promise<void> {
    if (microphone) this.#stream = await requestMicrophone();
    if (this.#closed) return this.close();
    this.#listener.permitted();
    if (!this.aloud) return;
    await resumed(this.#context);
    if (this.#closed) return;
    if (this.#stream) this.#microphone = await Microphone.start(this.#context, this.#stream, this.#listener);
    if (!this.#closed) this.#player = await Player.start(this.#context, this.#listener);
    if (this.#closed) this.close();
  }

  get microphone(): Microphone | undefined {
    return this.#microphone;
  }

  get player(): Player | undefined {
    return this.#player;
  }

  close(): void {
    this.#closed = true;
    this.#microphone?.stop();
    this.#player?.stop();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    if (this.#context.state !== "closed") void this.#context.close();
  }
}

/** Wait until the context runs. Raises `Fault("sound-blocked")` where the browser wants a click first. */
async function resumed(context: AudioContext): Promise<void> {
  if (context.state === "running") return;
  const timeout = new Promise<void>((resolve) => setTimeout(resolve, RESUME_WITHIN_MS));
  await Promise.race([context.resume(), timeout]);
  if ((context.state as AudioContextState) !== "running") {
    throw new Fault("sound-blocked", "The browser holds back sound until the page is clicked.");
  }
}
