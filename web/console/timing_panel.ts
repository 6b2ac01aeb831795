/** Where each turn's time went, as the ear had it and as the server explains it; and how the line is. */

import { css, html, LitElement, nothing } from "lit";
import type { ServerTimeline } from "../lib/events.js";
import { median, type TurnLatency } from "../lib/latency.js";
import type { NetworkSample } from "../lib/network.js";
import { base } from "./theme.js";
import { networkRows, seconds } from "./wording.js";

const STAGES: readonly { key: keyof ServerTimeline; name: string }[] = [
  { key: "committed_ms", name: "Turn closed" },
  { key: "transcript_ms", name: "Words recognised" },
  { key: "first_token_ms", name: "First words of the answer" },
  { key: "first_audio_ms", name: "First sound made" },
  { key: "first_sent_ms", name: "First sound sent" },
];

export class TimingPanel extends LitElement {
  static override properties = { turns: { attribute: false }, network: { attribute: false } };
  declare turns: readonly TurnLatency[];
  declare network: NetworkSample | undefined;

  static override styles = [
    base,
    css`
      :host {
        display: grid;
        gap: 20px;
      }
      .figure {
        display: flex;
        align-items: baseline;
        gap: 12px;
      }
      .figure b {
        font: 400 44px/1 var(--serif);
        white-space: nowrap;
        letter-spacing: -0.02em;
        font-variant-numeric: lining-nums tabular-nums;
      }
      ol {
        list-style: none;
        margin: 0;
        padding: 0;
        display: grid;
        gap: 22px;
      }
      li {
        padding-top: 16px;
        border-top: 1px solid var(--line);
      }
      .head {
        display: flex;
        justify-content: space-between;
        gap: 12px;
        font-weight: 500;
      }
      h3 {
        margin-top: 14px;
        font-weight: 500;
        font-size: 13px;
        color: var(--ink-3);
      }
      dl {
        margin: 6px 0 0;
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(64px, auto);
        gap: 5px 12px;
        font-size: 13px;
        color: var(--ink-2);
      }
      dd {
        margin: 0;
        text-align: right;
        font-variant-numeric: tabular-nums;
      }
      .line h3 {
        margin: 0;
      }
      .track {
        grid-column: 1 / -1;
        height: 3px;
        border-radius: 2px;
        background: var(--sunken);
        margin-bottom: 4px;
      }
      .track i {
        display: block;
        height: 100%;
        min-width: 3px;
        border-radius: 2px;
        background: var(--line-strong);
      }
      .track.last i {
        background: var(--accent);
      }
    `,
  ];

  constructor() {
    super();
    this.turns = [];
  }

  override render() {
    const spoken = this.turns.flatMap((turn) => (turn.from === "voice" && turn.toSoundMs !== undefined ? [turn.toSoundMs] : []));
    const middle = median(spoken);
    return html`
      <h2>How fast it answers</h2>
      ${middle === undefined
        ? html`<p class="muted">How long you wait for an answer appears here, turn by turn.</p>`
        : html`<div class="figure"><b>${seconds(middle)}</b><span class="muted">from the end of your turn to the first sound, median of ${spoken.length}</span></div>`}
      ${this.network ? this.#line(this.network) : nothing}
      <ol>
        ${this.turns.map((turn, index) => this.#turn(turn, index + 1)).reverse()}
      </ol>
    `;
  }

  #line(network: NetworkSample) {
    return html`<section class="line" aria-labelledby="line">
      <h3 id="line">The line, now</h3>
      <dl>
        ${networkRows(network).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
      </dl>
    </section>`;
  }

  #turn(turn: TurnLatency, number: number) {
    const total = turn.toSoundMs ?? turn.toAudioMs;
    const server = turn.server;
    const longest = Math.max(1, ...STAGES.map(({ key }) => server?.[key] ?? 0));
    return html`<li>
      <div class="head">
        <span>Answer ${number}, ${turn.from === "voice" ? "spoken" : "asked for by the page"}</span>
        <span>${total === undefined ? "–" : seconds(total)}</span>
      </div>
      <h3>In this page</h3>
      <dl>
        ${turn.windowMs > 0 ? html`<dt>Pause waited for, before the clock starts</dt><dd>${turn.windowMs} ms</dd>` : nothing}
        ${turn.toAudioMs === undefined ? nothing : html`<dt>First sound arrived in this page</dt><dd>${Math.round(turn.toAudioMs)} ms</dd>`}
        ${turn.toSoundMs === undefined ? nothing : html`<dt>First sound played</dt><dd>${Math.round(turn.toSoundMs)} ms</dd>`}
      </dl>
      ${server
        ? html`<h3>On the server, after ${turn.from === "voice" ? "your voice stopped" : "it was asked"}</h3>
          <dl>
            ${STAGES.map(({ key, name }) => this.#stage(name, server[key], longest))}
          </dl>`
        : nothing}
    </li>`;
  }

  #stage(name: string, value: number | undefined, longest: number) {
    if (value === undefined) return nothing;
    const share = `width: ${Math.max(0, Math.min(100, (value / longest) * 100)).toFixed(1)}%`;
    return html`<dt>${name}</dt>
      <dd>${Math.round(value)} ms</dd>
      <dd class=${value === longest ? "track last" : "track"} aria-hidden="true"><i style=${share}></i></dd>`;
  }
}

customElements.define("timing-panel", TimingPanel);
