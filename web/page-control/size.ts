/** Sizes as people say them: words, factors and CSS lengths, from the size there is. Pure. */

const STEP = 1.4;
const SMALLEST_PX = 10;
const LARGEST_PX = 96;
/** The size that the page gives the button. */
const NORMAL_PX = 16;
const NAMED: Readonly<Record<string, number>> = { tiny: 0.7, small: 0.85, normal: 1, medium: 1.2, large: 1.75, big: 1.75, huge: 2.75, enormous: 3.5 };

/** The font size in px that `said` means now. Raises an error that the assistant can speak about. */
export function pxSize(said: string, nowPx: number): number {
  const plain = said.trim().toLowerCase().replace(/[.!?]+$/, "");
  const wanted = stepped(plain, nowPx) ?? named(plain) ?? measured(plain, nowPx);
  if (wanted === undefined) throw new Error(`I do not know the size ${said.trim() || "that was asked for"}. Say bigger, smaller, or a number of pixels.`);
  return Math.round(Math.min(LARGEST_PX, Math.max(SMALLEST_PX, wanted)) * 10) / 10;
}

function stepped(said: string, nowPx: number): number | undefined {
  const steps = /\b(much|a lot|way)\b/.test(said) ? 2 : 1;
  if (/\b(bigger|larger|more|increase|grow)\b/.test(said)) return nowPx * STEP ** steps;
  if (/\b(smaller|less|decrease|shrink)\b/.test(said)) return nowPx / STEP ** steps;
  if (/\b(double|twice)\b/.test(said)) return nowPx * 2;
  if (/\bhalf\b/.test(said)) return nowPx / 2;
  return undefined;
}

function named(said: string): number | undefined {
  const word = Object.keys(NAMED).find((name) => new RegExp(`\\b${name}\\b`).test(said));
  return word === undefined ? undefined : NORMAL_PX * (NAMED[word] as number);
}

function measured(said: string, nowPx: number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(px|pixels?|pt|points?|em|rem|x|times|%|percent)?$/.exec(said);
  if (!match) return undefined;
  const value = Number(match[1]);
  switch (match[2]) {
    case undefined:
    case "px":
    case "pixel":
    case "pixels":
      return value;
    case "pt":
    case "point":
    case "points":
      return (value * 4) / 3;
    case "em":
    case "rem":
      return value * NORMAL_PX;
    case "x":
    case "times":
      return nowPx * value;
    default:
      return (nowPx * value) / 100;
  }
}
