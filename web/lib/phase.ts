/**
 * Which of its few states a voice session is in, from the facts. Pure: one function, no memory.
 */

export type Phase =
  | "idle"
  | "permission"
  | "connecting"
  | "listening"
  | "thinking"
  | "speaking"
  | "interrupted"
  | "error";

export interface Facts {
  readonly stage: "idle" | "permission" | "connecting" | "open" | "failed";
  /** The server hears speech. */
  readonly userSpeaking: boolean;
  /** A response is being generated, or a finished turn still waits for one. */
  readonly awaiting: boolean;
  /** Something is coming out of the speaker. */
  readonly sounding: boolean;
  /** The assistant was cut off and the person who did it has not finished yet. */
  readonly interrupted: boolean;
}

export function phaseOf(facts: Facts): Phase {
  switch (facts.stage) {
    case "idle":
    case "permission":
    case "connecting":
      return facts.stage;
    case "failed":
      return "error";
    case "open":
      if (facts.sounding) return "speaking";
      if (facts.interrupted) return "interrupted";
      if (facts.userSpeaking) return "listening";
      return facts.awaiting ? "thinking" : "listening";
  }
}
