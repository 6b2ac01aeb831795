/**
 * The orb: one shape for two voices. Its fill is the assistant's, its outer line the person's; both move with the
 * spectra of the real audio. What it says is also said in words beside it, so it is hidden from assistive technology.
 */

import { css, html, LitElement, type PropertyValues } from "lit";
import type { Phase } from "../lib/phase.js";

const POINTS = 72;
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
  readonly #userWave = new Float32Array(POINTS);
  readonly #assistantWave = new Float32Array(POINTS);
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
    const loud = this.#follow(this.#userWave, user) + this.#follow(this.#assistantWave, assistant);
    this.#draw(now);
    const still = this.phase === "idle" || this.phase === "error";
    return still && moving < 0.002 && loud < 0.02;
  }

  /** Move the wave towards the spectrum, quickly up and slowly down. */
  #follow(wave: Float32Array, analyser: AnalyserNode | undefined): number {
    if (analyser) analyser.getByteFrequencyData(this.#bins);
    let sum = 0;
    const half = POINTS / 2;
    for (let i = 0; i <= half; i++) {
      // Voice lives in the lowest bins; loud low ones sit at the bottom of the orb and fade towards the top.
      const bin = 1 + Math.floor((i / half) ** 1.4 * 44);
      const value = analyser ? Math.max(0, (this.#bins[bin] as number) / 255 - 0.18) : 0;
      const old = wave[i] as number;
      const next = old + (value - old) * (value > old ? 0.5 : 0.14);
      wave[i] = next;
      if (i > 0 && i < half) wave[POINTS - i] = next;
      sum += next;
    }
    return sum / half;
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
    const radius = size * 0.31;
    context.translate(size / 2, size / 2);
    this.#fill(context, radius, accent);
    this.#line(context, radius, ink);
    if (this.phase === "thinking" || this.phase === "connecting" || this.phase === "permission") {
      this.#orbit(context, radius * 1.3, accent, this.#calm.matches ? 0 : now);
    }
  }

  #fill(context: CanvasRenderingContext2D, radius: number, colour: string): void {
    const size = radius * this.#look.fill;
    context.globalAlpha = this.#look.alpha * 0.16;
    context.fillStyle = colour;
    trace(context, size * 1.16, this.#assistantWave, size * 0.5);
    context.fill();
    context.globalAlpha = this.#look.alpha;
    const light = context.createRadialGradient(-size * 0.35, -size * 0.45, size * 0.1, 0, 0, size * 1.35);
    light.addColorStop(0, `color-mix(in oklab, ${colour}, white 38%)`);
    light.addColorStop(0.55, colour);
    light.addColorStop(1, `color-mix(in oklab, ${colour}, black 22%)`);
    context.fillStyle = light;
    trace(context, size, this.#assistantWave, size * 0.34);
    context.fill();
  }

  #line(context: CanvasRenderingContext2D, radius: number, ink: string): void {
    context.globalAlpha = this.#look.line;
    context.strokeStyle = ink;
    context.lineWidth = 1.4;
    if (this.phase === "error") context.setLineDash([3, 7]);
    trace(context, radius * 1.3, this.#userWave, radius * 0.3);
    context.stroke();
    context.setLineDash([]);
  }

  #orbit(context: CanvasRenderingContext2D, radius: number, colour: string, now: number): void {
    context.globalAlpha = 1;
    context.strokeStyle = colour;
    context.lineWidth = 3;
    context.lineCap = "round";
    const turn = (now / 1600) * Math.PI * 2;
    const length = 0.5 + 0.25 * Math.sin(now / 400);
    context.beginPath();
    context.arc(0, 0, radius, turn, turn + length);
    context.stroke();
    context.beginPath();
    context.arc(0, 0, radius, turn + Math.PI, turn + Math.PI + length);
    context.stroke();
  }
}

/** A closed, smooth curve through the wave around a circle. */
function trace(context: CanvasRenderingContext2D, radius: number, wave: Float32Array, height: number): void {
  const point = (i: number): [number, number] => {
    const index = ((i % POINTS) + POINTS) % POINTS;
    const angle = (index / POINTS) * Math.PI * 2 + Math.PI / 2;
    const distance = radius + (wave[index] as number) * height;
    return [Math.cos(angle) * distance, Math.sin(angle) * distance];
  };
  context.beginPath();
  for (let i = 0; i < POINTS; i++) {
    const [x, y] = point(i);
    const [nextX, nextY] = point(i + 1);
    if (i === 0) context.moveTo((x + nextX) / 2, (y + nextY) / 2);
    const [afterX, afterY] = point(i + 2);
    context.quadraticCurveTo(nextX, nextY, (nextX + afterX) / 2, (nextY + afterY) / 2);
  }
  context.closePath();
}

customElements.define("voice-orb", VoiceOrb);
