/**
 * The orb: one shape for two voices. Its fill is the assistant's, its outer line the person's; both move with the
 * spectra of the real audio. What it says is also said in words beside it, so it is hidden from assistive technology.
 */

import { css, html, LitElement, type PropertyValues } from "lit";
import type { Phase } from "../lib/phase.js";

const POINTS = 96;
/** Bands of the voice, as ranges of the analyser's bins, and the number of bulges each one drives around the orb. */
const BANDS: readonly { from: number; to: number; bulges: number; drift: number }[] = [
  { from: 1, to: 4, bulges: 2, drift: 0.31 },
  { from: 4, to: 8, bulges: 3, drift: -0.43 },
  { from: 8, to: 15, bulges: 4, drift: 0.57 },
  { from: 15, to: 28, bulges: 6, drift: -0.71 },
  { from: 28, to: 52, bulges: 9, drift: 0.83 },
];
const RIPPLES = 3;
const FRAME_MS = 33;
const CALM_FRAME_MS = 250;

export type Analysers = () => { user: AnalyserNode | undefined; assistant: AnalyserNode | undefined };

interface Look {
  /** Radius of the fill, as a share of the full one. */
  fill: number;
  /** Opacity of the fill and of the person's line. */
  alpha: number;
  line: number;
}

const LOOKS: Record<Phase, Look> = {
  idle: { fill: 1, alpha: 1, line: 0.35 },
  permission: { fill: 0.82, alpha: 0.55, line: 1 },
  connecting: { fill: 0.82, alpha: 0.75, line: 0.5 },
  listening: { fill: 0.86, alpha: 0.9, line: 1 },
  thinking: { fill: 0.78, alpha: 0.9, line: 0.5 },
  speaking: { fill: 1, alpha: 1, line: 0.35 },
  interrupted: { fill: 0.52, alpha: 0.45, line: 1 },
  error: { fill: 0.7, alpha: 0.16, line: 0.8 },
};

export class VoiceOrb extends LitElement {
  static override properties = { phase: {}, analysers: { attribute: false }, color: {} };
  declare phase: Phase;
  declare analysers: Analysers;
  /** A colour chosen in conversation; empty for the accent. */
  declare color: string;

  static override styles = css`
    :host {
      display: block;
      aspect-ratio: 1;
    }
    canvas {
      display: block;
      width: 100%;
      height: 100%;
    }
  `;

  readonly #look: Look = { ...LOOKS.idle };
  readonly #user = new Float32Array(BANDS.length);
  readonly #assistant = new Float32Array(BANDS.length);
  readonly #bins = new Uint8Array(256);
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #frame = 0;
  #drawnAt = 0;
  #observer: ResizeObserver | undefined;
  #themeObserver: MutationObserver | undefined;

  constructor() {
    super();
    this.phase = "idle";
    this.color = "";
    this.analysers = () => ({ user: undefined, assistant: undefined });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer = new ResizeObserver(() => this.#wake());
    this.#observer.observe(this);
    this.#themeObserver = new MutationObserver(() => this.#wake());
    this.#themeObserver.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer?.disconnect();
    this.#themeObserver?.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  protected override updated(_changed: PropertyValues): void {
    this.#wake();
  }

  override render() {
    return html`<canvas aria-hidden="true"></canvas>`;
  }

  #wake(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame((now) => this.#tick(now));
  }

  #tick(now: number): void {
    const every = this.#calm.matches ? CALM_FRAME_MS : FRAME_MS;
    const due = now - this.#drawnAt >= every;
    const settled = due ? this.#advance(now) : false;
    if (due) this.#drawnAt = now;
    // A still orb costs nothing: it sleeps until something changes.
    this.#frame = settled ? 0 : requestAnimationFrame((next) => this.#tick(next));
  }

  /** One frame; returns whether the next would look the same. */
  #advance(now: number): boolean {
    const target = LOOKS[this.phase];
    const ease = this.#calm.matches ? 1 : 0.16;
    let moving = 0;
    for (const key of ["fill", "alpha", "line"] as const) {
      const step = (target[key] - this.#look[key]) * ease;
      this.#look[key] += step;
      moving += Math.abs(step);
    }
    const { user, assistant } = this.analysers();
    const loud = this.#follow(this.#user, user) + this.#follow(this.#assistant, assistant);
    this.#draw(now);
    const still = this.phase === "idle" || this.phase === "error";
    return still && moving < 0.002 && loud < 0.02;
  }

  /** Move the bands' levels towards the spectrum, quickly up and slowly down. Returns how much sounds. */
  #follow(levels: Float32Array, analyser: AnalyserNode | undefined): number {
    if (analyser) analyser.getByteFrequencyData(this.#bins);
    let sum = 0;
    BANDS.forEach(({ from, to }, band) => {
      let loud = 0;
      for (let bin = from; bin < to; bin++) loud += this.#bins[bin] as number;
      const value = analyser ? Math.max(0, loud / (to - from) / 255 - 0.22) / 0.78 : 0;
      const old = levels[band] as number;
      levels[band] = old + (value - old) * (value > old ? 0.45 : 0.16);
      sum += levels[band] as number;
    });
    return sum;
  }

  #draw(now: number): void {
    const canvas = this.renderRoot.querySelector("canvas");
    const context = canvas?.getContext("2d");
    if (!canvas || !context) return;
    const density = Math.min(2, devicePixelRatio || 1);
    const size = this.clientWidth;
    if (size === 0) return;
    if (canvas.width !== Math.round(size * density)) canvas.width = canvas.height = Math.round(size * density);
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, size, size);
    const style = getComputedStyle(this);
    const accent = this.color || style.getPropertyValue("--accent");
    const ink = style.getPropertyValue("--ink");
    const radius = size * 0.27;
    context.translate(size / 2, size / 2);
    const time = this.#calm.matches ? 0 : now / 1000;
    this.#assistantShape(context, radius, accent, time);
    this.#userLine(context, radius, ink, time);
    if (this.phase === "thinking" || this.phase === "connecting" || this.phase === "permission") {
      this.#orbit(context, radius * 1.32, accent, time);
    }
  }

  #assistantShape(context: CanvasRenderingContext2D, radius: number, colour: string, time: number): void {
    const size = radius * this.#look.fill;
    context.fillStyle = colour;
    context.strokeStyle = colour;
    // What is said spreads outwards in ripples; in silence they lie close to the shape.
    for (let ripple = RIPPLES; ripple >= 1; ripple--) {
      context.globalAlpha = this.#look.alpha * (0.42 - 0.1 * ripple);
      context.lineWidth = 1.2;
      trace(context, size * (1 + 0.055 * ripple), this.#assistant, size * (0.3 + 0.16 * ripple), time - ripple * 0.22);
      context.stroke();
    }
    context.globalAlpha = this.#look.alpha;
    trace(context, size, this.#assistant, size * 0.26, time);
    context.fill();
    const light = context.createLinearGradient(0, -size, 0, size);
    light.addColorStop(0, "rgb(255 255 255 / 0.17)");
    light.addColorStop(1, "rgb(255 255 255 / 0)");
    context.fillStyle = light;
    context.fill();
  }

  #userLine(context: CanvasRenderingContext2D, radius: number, ink: string, time: number): void {
    context.globalAlpha = this.#look.line;
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    if (this.phase === "error") context.setLineDash([3, 7]);
    trace(context, radius * 1.32, this.#user, radius * 0.26, time);
    context.stroke();
    context.setLineDash([]);
  }

  #orbit(context: CanvasRenderingContext2D, radius: number, colour: string, time: number): void {
    context.globalAlpha = 1;
    context.strokeStyle = colour;
    context.lineWidth = 3;
    context.lineCap = "round";
    const turn = (time / 1.6) * Math.PI * 2;
    const length = 0.5 + 0.25 * Math.sin(time * 2.5);
    for (const start of [turn, turn + Math.PI]) {
      context.beginPath();
      context.arc(0, 0, radius, start, start + length);
      context.stroke();
    }
  }
}

/** A closed, smooth curve around a circle: each band lifts its own number of bulges, which drift slowly around. */
function trace(context: CanvasRenderingContext2D, radius: number, levels: Float32Array, height: number, time: number): void {
  const xs = new Float32Array(POINTS);
  const ys = new Float32Array(POINTS);
  for (let i = 0; i < POINTS; i++) {
    const angle = (i / POINTS) * Math.PI * 2;
    let lift = 0;
    BANDS.forEach(({ bulges, drift }, band) => {
      lift += (levels[band] as number) * (0.5 + 0.5 * Math.cos(bulges * angle + drift * time * 2.4 + band));
    });
    const distance = radius + (lift / 2.2) * height;
    xs[i] = Math.cos(angle) * distance;
    ys[i] = Math.sin(angle) * distance;
  }
  context.beginPath();
  for (let i = 0; i < POINTS; i++) {
    const next = (i + 1) % POINTS;
    const [x, y, nextX, nextY] = [xs[i] as number, ys[i] as number, xs[next] as number, ys[next] as number];
    if (i === 0) context.moveTo((x + nextX) / 2, (y + nextY) / 2);
    const after = (i + 2) % POINTS;
    context.quadraticCurveTo(nextX, nextY, (nextX + (xs[after] as number)) / 2, (nextY + (ys[after] as number)) / 2);
  }
  context.closePath();
}

customElements.define("voice-orb", VoiceOrb);
