/**
 * What a conversation sounds like from here: microphone in, voice out. The role and its two shapes' common parts.
 *
 * `event_sound` carries speech inside events and owns the playback clock; `track_sound` leaves both to WebRTC and hears
 * from the server what was played. One sound per conversation; `close` frees all of it, at any moment of its opening.
 */

import type { ClientEvent, ServerEvent } from "./events.js";
import { Fault } from "./faults.js";

/** Devices and loudness. Empty ids mean the system's own choice. */
export interface SoundChoice {
  readonly input: string;
  readonly output: string;
  /** 0 to 1. */
  readonly volume: number;
  readonly outputMuted: boolean;
}

export interface SoundListener {
  /** The person has answered the browser's question, or was never asked. */
  permitted(): void;
  /** 40 ms of PCM16 at 24 kHz, for the server. */
  chunk(pcm: Int16Array): void;
  /** The microphone went away. */
  lost(): void;
  /** The browser holds back sound. */
  blocked(fault: Fault): void;
  /** The first audio of a response has arrived. */
  arrived(responseId: string): void;
  /** The first sound of a response goes out. */
  started(responseId: string): void;
  progress(itemId: string, playedMs: number): void;
  /** All of an item's audio went out. */
  ended(itemId: string): void;
  /** Nothing is left to play. */
  drained(): void;
  /** An answer was cut off and is silent now. */
  silenced(): void;
  /** So much of an item was played before it was cut off. */
  cut(itemId: string, playedMs: number): void;
  send(event: ClientEvent): void;
}

export interface Sound {
  /** Answers can be spoken here. */
  readonly aloud: boolean;
  readonly listening: boolean;
  /** Taps for level displays. */
  readonly analysers: { readonly user: AnalyserNode | undefined; readonly assistant: AnalyserNode | undefined };
  /** Whether everything that was said has been heard. */
  readonly idle: boolean;
  /** How long sound takes from here to the ear, in ms, as far as the browser knows. */
  readonly outputLatencyMs: number;
  /** Ask for the microphone if wanted, then set everything up. Raises `Fault`. */
  open(microphone: boolean): Promise<void>;
  received(event: ServerEvent): void;
  /** The person speaks over these responses. */
  bargedIn(active: ReadonlySet<string>): void;
  /** The person stopped these responses by hand. Resolves when the server has been told. */
  hush(active: ReadonlySet<string>): Promise<void>;
  mute(muted: boolean): void;
  /** Change devices and loudness while it runs. Raises `Fault` if the microphone is not to be had. */
  choose(choice: SoundChoice): Promise<void>;
  close(): void;
}

const RESUME_WITHIN_MS = 1000;

/** Wait until the context runs. Raises `Fault("sound-blocked")` where the browser wants a click first. */
export async function resumed(context: AudioContext): Promise<void> {
  if (context.state === "running") return;
  const timeout = new Promise<void>((resolve) => setTimeout(resolve, RESUME_WITHIN_MS));
  await Promise.race([context.resume(), timeout]);
  if ((context.state as AudioContextState) !== "running") throw soundBlocked();
}

export function soundBlocked(): Fault {
  return new Fault("sound-blocked", "The browser holds back sound until the page is clicked.");
}

/** A tap as the level displays want it. */
export function makeAnalyser(context: AudioContext): AnalyserNode {
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  analyser.smoothingTimeConstant = 0.6;
  return analyser;
}

/** What can be sent to a chosen loudspeaker; browsers differ in which of them can. */
export async function routeTo(target: AudioContext | HTMLAudioElement, deviceId: string): Promise<void> {
  const routed = target as { setSinkId?: (id: string) => Promise<void> };
  try {
    await routed.setSinkId?.(deviceId);
  } catch (error) {
    // A loudspeaker that was unplugged since it was chosen: the system's own stays in use.
    if (!(error instanceof DOMException)) throw error;
  }
}
