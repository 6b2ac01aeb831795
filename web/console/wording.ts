/** What the console says: states, faults and their fixes, numbers. Pure. */

import type { FaultKind } from "../lib/faults.js";
import type { NetworkSample } from "../lib/network.js";
import type { Phase } from "../lib/phase.js";

/** 0.62 s, 1.4 s, 12 s. */
export function seconds(ms: number): string {
  const value = ms / 1000;
  return `${value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0)} s`;
}

export interface StateWords {
  readonly title: string;
  readonly hint: string;
}

export function stateWords(phase: Phase, facts: { userSpeaking: boolean; muted: boolean; keyboard: boolean; aloud: boolean; ending: boolean }): StateWords {
  if (facts.ending && phase !== "idle" && phase !== "error") return { title: "Saying goodbye", hint: "The conversation closes after the last word." };
  switch (phase) {
    case "idle":
      return { title: "Ready when you are", hint: "" };
    case "permission":
      return { title: "Allow the microphone", hint: "Your browser is asking. Sound goes to this server and nowhere else." };
    case "connecting":
      return { title: "Connecting", hint: "" };
    case "listening":
      if (facts.keyboard) return { title: "Type to talk", hint: facts.aloud ? "Answers are spoken and written." : "Answers are written: this address allows no sound." };
      if (facts.muted) return { title: "Microphone muted", hint: "Unmute to speak, or type." };
      return facts.userSpeaking ? { title: "Hearing you", hint: "" } : { title: "Listening", hint: "Speak whenever you like." };
    case "thinking":
      return { title: "Thinking", hint: "" };
    case "speaking":
      return { title: "Speaking", hint: "Speak to interrupt." };
    case "interrupted":
      return { title: "Interrupted", hint: "Go on, it has stopped." };
    case "error":
      return { title: "Stopped", hint: "" };
  }
}

export interface FaultWords {
  readonly title: string;
  readonly text: string;
  readonly steps: readonly string[];
  /** The button that tries again. */
  readonly retry: string;
  /** Whether typing works although this does not. */
  readonly keyboard: boolean;
  /** Whether the other way to connect may work. */
  readonly websocket?: boolean;
}

export function faultWords(kind: FaultKind, origin: string): FaultWords {
  const { hostname, port } = new URL(origin);
  const local = port || "8080";
  const mediaPort = Number(local) + 1;
  switch (kind) {
    case "microphone-denied":
      return {
        title: "The microphone is blocked",
        text: "This page may not use the microphone.",
        steps: ["Click the icon left of the address.", "Set Microphone to Allow.", "Come back and try again."],
        retry: "Try again",
        keyboard: true,
      };
    case "microphone-missing":
      return {
        title: "No microphone found",
        text: "The browser sees no microphone on this device.",
        steps: ["Plug one in, or switch on your headset.", "Check that the system's sound settings list it as an input."],
        retry: "Look again",
        keyboard: true,
      };
    case "microphone-busy":
      return {
        title: "The microphone is in use",
        text: "Another program holds it, or the system will not hand it over.",
        steps: ["Close other calls and recorders.", "If that does not help, unplug the microphone and plug it in again."],
        retry: "Try again",
        keyboard: true,
      };
    case "microphone-lost":
      return {
        title: "The microphone went away",
        text: "It was unplugged or switched off during the conversation.",
        steps: ["Connect it again, or choose another input in the system's sound settings."],
        retry: "Start again",
        keyboard: true,
      };
    case "insecure-origin":
      return {
        title: "This address cannot use a microphone",
        text: `Browsers hand out the microphone only over https, or on the machine itself. This page came from ${origin}.`,
        steps: [
          `On the machine that runs Parley, open http://127.0.0.1:${local}`,
          `From here, forward the port with ssh -L ${local}:127.0.0.1:${local} ${hostname} and open that same address.`,
          "Or put Parley behind a proxy that speaks https.",
        ],
        retry: "Try again",
        keyboard: true,
      };
    case "sound-blocked":
      return {
        title: "Sound is held back",
        text: "The browser plays nothing on this page until you click.",
        steps: ["Click the button below.", "If it stays silent, allow sound for this site in the browser's settings."],
        retry: "Turn on sound",
        keyboard: false,
      };
    case "server-gone":
      return {
        title: "The server does not answer",
        text: "The connection broke, or Parley is not running.",
        steps: ["Look at the terminal where Parley runs.", "Start it with: parley serve", "Then connect again."],
        retry: "Connect again",
        keyboard: false,
      };
    case "no-media-path":
      return {
        title: "The call does not get through",
        text: "The server answers, but no packet of sound comes back: something on the way lets only web pages pass.",
        steps: [
          `Let UDP and TCP through to the server's media port: ${mediaPort}, unless --media-port says otherwise.`,
          "Behind a router, start the server with --announce and its public address.",
          "Or go on over WebSocket, which needs no second port.",
        ],
        retry: "Try again",
        keyboard: false,
        websocket: true,
      };
    case "server-starting":
      return {
        title: "The server is still starting",
        text: "It loads its models before it takes conversations.",
        steps: ["Wait a moment, then try again.", "The terminal where Parley runs shows how far it is."],
        retry: "Try again",
        keyboard: false,
      };
    case "session-expired":
      return {
        title: "Time is up",
        text: "A conversation ends after the longest time this server allows.",
        steps: ["Start a new one.", "To allow more, run: parley serve --max-session-minutes with a larger number."],
        retry: "Start a new conversation",
        keyboard: false,
      };
    case "at-capacity":
      return {
        title: "The server is full",
        text: "It refuses new conversations so that running ones stay good.",
        steps: ["Wait for one to end, then try again."],
        retry: "Try again",
        keyboard: false,
      };
    case "sign-in-needed":
      return {
        title: "Your sign-in has run out",
        text: "The server asks for a key again.",
        steps: ["Reload the page and sign in."],
        retry: "Try again",
        keyboard: false,
      };
    case "refused":
      return {
        title: "The server ended the conversation",
        text: "It gave the reason below.",
        steps: ["Start again. If it happens every time, parley doctor finds what is wrong."],
        retry: "Start again",
        keyboard: false,
      };
  }
}

/** The line's figures in the order people ask for them; what is not known is left out. */
export function networkRows(network: NetworkSample): readonly (readonly [name: string, value: string])[] {
  const rows: (readonly [string, string | undefined])[] = [
    ["Round trip", whole(network.roundTripMs, "ms")],
    ["Lost on the way here", percent(network.lossIn)],
    ["Lost on the way there", percent(network.lossOut)],
    ["Jitter", whole(network.jitterMs, "ms")],
    ["Held back to even it out", whole(network.bufferMs, "ms")],
    ["Coming in", whole(network.inKbps, "kbit/s")],
    ["Going out", whole(network.outKbps, "kbit/s")],
    ["Path", network.path || undefined],
    ["Codec", network.codec || undefined],
  ];
  return rows.filter((row): row is readonly [string, string] => row[1] !== undefined);
}

function whole(value: number | undefined, unit: string): string | undefined {
  return value === undefined ? undefined : `${Math.round(value)} ${unit}`;
}

function percent(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value > 0 && value < 0.001 ? "under 0.1 %" : `${(value * 100).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`;
}
