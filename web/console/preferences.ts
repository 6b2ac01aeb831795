/** What the console remembers between visits: choices, never keys. Local storage, read once and written on change. */

import type { JsonObject, TurnDetection } from "../lib/events.js";
import type { SoundChoice } from "../lib/sound.js";
import type { TransportKind } from "../lib/transport.js";
import type { Theme } from "../lib/color_theme.js";

/** A function a person made up, with the answer it always gives. */
export interface CustomTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema as text. */
  readonly parameters: string;
  readonly result: string;
}

export interface Preferences extends SoundChoice {
  readonly transport: TransportKind;
  readonly theme: Theme;
  readonly instructions: string;
  /** Empty for the server's own. */
  readonly voice: string;
  readonly greet: boolean;
  readonly turns: "server_vad" | "semantic_vad";
  readonly silenceMs: number;
  readonly disabledTools: readonly string[];
  readonly customTools: readonly CustomTool[];
}

export const DEFAULTS: Preferences = {
  theme: "system",
  transport: "webrtc",
  input: "",
  output: "",
  volume: 1,
  outputMuted: false,
  instructions:
    "You are Parley, a friendly voice assistant. Answer briefly, in spoken language. " +
    "Use a function whenever one fits, and say what came of it.",
  voice: "",
  greet: true,
  turns: "server_vad",
  silenceMs: 500,
  disabledTools: [],
  customTools: [],
};

const KEY = "parley.console";

/** Stored preferences over the defaults; a damaged store is as good as none. */
export function loadPreferences(storage: Pick<Storage, "getItem">): Preferences {
  const stored: JsonObject = {};
  try {
    const parsed: unknown = JSON.parse(storage.getItem(KEY) ?? "{}");
    if (typeof parsed === "object" && parsed !== null) Object.assign(stored, parsed);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const known = Object.entries(DEFAULTS).map(([name, value]) => {
    const candidate = stored[name];
    const fits = typeof candidate === typeof value && Array.isArray(candidate) === Array.isArray(value);
    return [name, fits ? candidate : value];
  });
  return Object.fromEntries(known) as Preferences;
}

export function savePreferences(storage: Pick<Storage, "setItem">, preferences: Preferences): void {
  storage.setItem(KEY, JSON.stringify(preferences));
}

export function turnDetection(preferences: Preferences): TurnDetection {
  if (preferences.turns === "semantic_vad") return { type: "semantic_vad", eagerness: "auto" };
  return { type: "server_vad", silence_duration_ms: preferences.silenceMs };
}
