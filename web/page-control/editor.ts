/** The page as something to be changed: styles set and taken back, elements found and read. Owns the history. */

import { cssColour } from "./colour.js";
import { pxSize } from "./size.js";

interface Deed {
  /** What changes back, for the sentence about it: "the background". */
  readonly what: string;
  readonly undo: () => void;
}

const ELEMENTS: readonly { readonly name: string; readonly words: RegExp; readonly selector: string }[] = [
  { name: "heading", words: /head|title|h1/, selector: "h1" },
  { name: "paragraph", words: /paragraph|text|\bp\b/, selector: "p" },
  { name: "button", words: /button/, selector: "button" },
];

export class PageEditor {
  readonly #body: HTMLElement;
  readonly #page: HTMLElement;
  readonly #button: HTMLElement;
  readonly #history: Deed[] = [];

  /** `page` holds what may be read and changed; the colours are set on `body`. */
  constructor(body: HTMLElement, page: HTMLElement) {
    this.#body = body;
    this.#page = page;
    this.#button = page.querySelector("button") as HTMLElement;
  }

  setBackground(said: string): string {
    this.#do("the background", [this.#style(this.#body, "background-color", colour(said))]);
    return `The background of the page is ${spoken(said)} now.`;
  }

  setFontColour(said: string): string {
    this.#do("the font color", [this.#style(this.#body, "color", colour(said))]);
    return `The text is ${spoken(said)} now.`;
  }

  /** Either may be left out, not both. */
  setButton(change: { size?: string | undefined; color?: string | undefined }): string {
    const steps: (() => () => void)[] = [];
    const words: string[] = [];
    if (change.size !== undefined) {
      const nowPx = Number.parseFloat(getComputedStyle(this.#button).fontSize);
      steps.push(this.#style(this.#button, "font-size", `${pxSize(change.size, nowPx)}px`));
      words.push(spoken(change.size));
    }
    if (change.color !== undefined) {
      const paint = colour(change.color);
      steps.push(this.#style(this.#button, "background-color", paint), this.#style(this.#button, "color", legibleOn(paint)));
      words.push(spoken(change.color));
    }
    if (steps.length === 0) throw new Error("Say a size or a color for the button.");
    this.#do("the button", steps);
    return `The button is ${words.join(" and ")} now.`;
  }

  /** The HTML of an element: the heading, the paragraph, the button, a CSS selector; of the whole page without one. */
  html(said: string | undefined): string {
    const asked = said?.trim().toLowerCase() ?? "";
    const known = ELEMENTS.find(({ words }) => words.test(asked));
    return (known ? this.#page.querySelector(known.selector) : this.#select(asked))?.outerHTML ?? this.#page.outerHTML;
  }

  undo(): string {
    const last = this.#history.pop();
    if (!last) return "There is nothing to undo.";
    last.undo();
    return `Done, ${last.what} is back to what it was before.`;
  }

  #select(selector: string): Element | null {
    try {
      return selector ? this.#page.querySelector(selector) : null;
    } catch (error) {
      // Words that are no selector mean the page.
      if (error instanceof DOMException) return null;
      throw error;
    }
  }

  #do(what: string, steps: readonly (() => () => void)[]): void {
    const undos = steps.map((step) => step());
    this.#history.push({ what, undo: () => undos.forEach((undo) => undo()) });
  }

  #style(element: HTMLElement, property: string, value: string): () => () => void {
    return () => {
      const before = element.style.getPropertyValue(property);
      element.style.setProperty(property, value);
      return () => element.style.setProperty(property, before);
    };
  }
}

function colour(said: string): string {
  return cssColour(said, (candidate) => CSS.supports("color", candidate));
}

/** As it was said, for the sentence about it. */
function spoken(said: string): string {
  return said.trim().replace(/[.!?]+$/, "").toLowerCase();
}

/** Black or white, whichever reads better on a colour. */
function legibleOn(paint: string): string {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d") as OffscreenCanvasRenderingContext2D;
  canvas.fillStyle = paint;
  canvas.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = canvas.getImageData(0, 0, 1, 1).data;
  const linear = [red, green, blue].map((part) => (part / 255) ** 2.2) as [number, number, number];
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.18 ? "#000" : "#fff";
}
