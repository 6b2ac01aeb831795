/**
 * The conversation as a script: who spoke, in what words, and which of them were heard.
 *
 * Words still to come are quiet; words that were cut off before they sounded are struck and named as unheard.
 */

import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { AssistantEntry, CallEntry, Entry, UserEntry } from "../lib/conversation.js";
import type { TurnLatency } from "../lib/latency.js";
import { base } from "./theme.js";
import { seconds } from "./wording.js";

const NEAR_END_PX = 80;

export class TranscriptView extends LitElement {
  static override properties = { entries: { attribute: false }, turns: { attribute: false } };
  declare entries: readonly Entry[];
  declare turns: readonly TurnLatency[];

  static override styles = [
    base,
    css`
      :host {
        display: block;
        overflow-y: auto;
        overscroll-behavior: contain;
        scrollbar-gutter: stable both-edges;
      }
      :host(:focus-visible) {
        outline-offset: -2px;
      }
      ol {
        list-style: none;
        margin: 0 auto;
        padding: 8px 0 24px;
        max-width: 720px;
        display: grid;
        gap: 22px;
      }
      li {
        display: grid;
        grid-template-columns: 76px minmax(0, 1fr);
        gap: 4px 20px;
        align-items: baseline;
      }
      .who {
        font: 500 13px/1.5 var(--sans);
        color: var(--ink-3);
        text-align: right;
      }
      .assistant .who {
        color: var(--accent-ink);
      }
      .words {
        font: 400 20px/1.5 var(--serif);
        color: var(--ink);
        overflow-wrap: anywhere;
        text-wrap: pretty;
      }
      .user .words {
        color: var(--ink-2);
      }
      .coming {
        color: var(--ink-3);
      }
      .unheard {
        color: var(--ink-3);
        text-decoration: line-through;
        text-decoration-thickness: 1px;
        text-decoration-color: var(--line-strong);
      }
      .mark {
        border-left: 2px solid var(--warn);
        margin: 0 2px 0 3px;
      }
      .aside {
        font: 400 13px/1.5 var(--sans);
        color: var(--ink-3);
        font-variant-numeric: tabular-nums;
      }
      .below {
        grid-column: 2;
      }
      .pending::after {
        content: "";
        display: inline-block;
        width: 26px;
        height: 6px;
        margin-left: 2px;
        background: radial-gradient(circle, var(--ink-3) 2.4px, transparent 3px) 0 0 / 9px 6px;
        animation: pulse 1.1s ease-in-out infinite;
      }
      @keyframes pulse {
        50% {
          opacity: 0.25;
        }
      }
      details {
        border-left: 2px solid var(--line);
        padding-left: 12px;
      }
      summary {
        cursor: pointer;
        font: 400 13px/1.6 var(--mono);
        color: var(--ink-2);
        overflow-wrap: anywhere;
      }
      pre {
        margin: 6px 0 2px;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        color: var(--ink-2);
      }
      @media (max-width: 700px) {
        li {
          grid-template-columns: minmax(0, 1fr);
        }
        .who {
          text-align: left;
        }
        .below {
          grid-column: 1;
        }
        .words {
          font-size: 19px;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.entries = [];
    this.turns = [];
  }

  #stick = true;

  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener("scroll", () => {
      this.#stick = this.scrollHeight - this.scrollTop - this.clientHeight < NEAR_END_PX;
    });
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("entries") && this.#stick) this.scrollTop = this.scrollHeight;
  }

  override render() {
    return html`<ol>
      ${repeat(this.entries, (entry) => entry.id, (entry) => this.#entry(entry))}
    </ol>`;
  }

  #entry(entry: Entry): TemplateResult | typeof nothing {
    switch (entry.kind) {
      case "user":
        return this.#user(entry);
      case "assistant":
        return this.#assistant(entry);
      case "call":
        return this.#call(entry);
    }
  }

  #user(entry: UserEntry): TemplateResult | typeof nothing {
    if (entry.state === "final" && !entry.text) return nothing;
    const waiting = entry.state === "speaking" || entry.state === "recognising";
    const label = entry.state === "speaking" ? "speaking" : "being recognised";
    return html`<li class="user">
      <span class="who">You</span>
      <span class="words">
        ${entry.text}${waiting ? html`<span class="pending"><span class="visually-hidden">${label}</span></span>` : nothing}
        ${entry.state === "failed" ? html`<span class="aside">Not understood. Say it again, or type it.</span>` : nothing}
      </span>
    </li>`;
  }

  #assistant(entry: AssistantEntry): TemplateResult | typeof nothing {
    if (!entry.text && entry.state !== "in_progress") return nothing;
    const heard = entry.text.slice(0, entry.heard);
    const rest = entry.text.slice(entry.heard);
    const gap = /^\s*/.exec(rest)?.[0] ?? "";
    const turn = this.turns.find((candidate) => candidate.responseId === entry.responseId);
    const cut = entry.cut || (entry.state === "incomplete" && !entry.spoken);
    return html`<li class="assistant">
      <span class="who">Parley</span>
      <span class="words"
        >${heard}${cut && rest.trim()
          ? html`<span class="mark" title="You interrupted here"></span>${gap}<span class="unheard"
                ><span class="visually-hidden">Not heard: </span>${rest.trimStart()}</span>`
          : html`<span class="coming">${rest}</span>`}${entry.text ? nothing : html`<span class="pending"></span>`}</span
      >
      ${this.#facts(entry, turn)}
    </li>`;
  }

  #facts(entry: AssistantEntry, turn: TurnLatency | undefined): TemplateResult | typeof nothing {
    const facts: string[] = [];
    if (turn?.toSoundMs !== undefined) facts.push(`answered in ${seconds(turn.toSoundMs)}`);
    if (entry.cut) facts.push(`interrupted after ${seconds(entry.playedMs)}`);
    return facts.length > 0 ? html`<span class="aside below">${facts.join(" · ")}</span>` : nothing;
  }

  #call(entry: CallEntry): TemplateResult {
    const state = entry.output === undefined ? (entry.state === "incomplete" ? "cancelled" : "running…") : "";
    return html`<li class="call">
      <span class="who">Function</span>
      <details>
        <summary>${entry.name} <span class="muted">${state}</span></summary>
        <pre>${entry.args || "{}"}</pre>
        ${entry.output === undefined ? nothing : html`<pre>→ ${entry.output}</pre>`}
      </details>
    </li>`;
  }
}

customElements.define("transcript-view", TranscriptView);
