/** The microphone's level: five bars that move with what the microphone really hears. */

import { css, html, LitElement } from "lit";
import { loudness } from "../lib/pcm.js";

const EVERY_MS = 60;

export class LevelMeter extends LitElement {
  static override properties = { analyser: { attribute: false } };
  declare analyser: () => AnalyserNode | undefined;

  static override styles = css`
    :host {
      display: inline-flex;
      align-items: center;
      gap: 3px;
      height: 20px;
    }
    i {
      width: 3px;
      height: 100%;
      border-radius: 2px;
      background: var(--line-strong);
      transform: scaleY(0.2);
    }
    i.on {
      background: var(--accent);
    }
  `;

  readonly #samples = new Float32Array(512);
  #timer: ReturnType<typeof setInterval> | undefined;
  #level = 0;

  constructor() {
    super();
    this.analyser = () => undefined;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#timer = setInterval(() => this.#measure(), EVERY_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  override render() {
    return html`${[0, 1, 2, 3, 4].map(() => html`<i></i>`)}`;
  }

  #measure(): void {
    const analyser = this.analyser();
    let level = 0;
    if (analyser) {
      analyser.getFloatTimeDomainData(this.#samples);
      level = loudness(this.#samples);
    }
    this.#level = Math.max(level, this.#level - 0.12);
    this.renderRoot.querySelectorAll("i").forEach((bar, index) => {
      const share = Math.max(0, Math.min(1, this.#level * 5 - index));
      bar.style.transform = `scaleY(${(0.2 + 0.8 * share).toFixed(2)})`;
      bar.classList.toggle("on", share > 0.15);
    });
  }
}

customElements.define("level-meter", LevelMeter);
