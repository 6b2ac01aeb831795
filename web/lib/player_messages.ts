/** What the page and the speaker's audio thread say to each other. Types only. */

import type { ItemProgress } from "./playout.js";

export type PlayerCommand =
  | { readonly do: "push"; readonly itemId: string; readonly samples: Float32Array }
  | { readonly do: "finish"; readonly itemId: string }
  | { readonly do: "flush"; readonly ticket: number; readonly fadeSamples: number }
  | { readonly do: "stop" };

export type PlayerReport =
  /** The first sample of an item goes out at `at`, in seconds of the context. */
  | { readonly is: "started"; readonly itemId: string; readonly at: number }
  | { readonly is: "playing"; readonly item: ItemProgress }
  | { readonly is: "ended"; readonly item: ItemProgress }
  | { readonly is: "flushed"; readonly ticket: number; readonly unheard: readonly ItemProgress[] }
  | { readonly is: "drained" };
