/** What computes here: every engine with its model, licence and origin, and the truth about the demonstration brain. */

import { css, html, LitElement, nothing } from "lit";
import type { PageConfig } from "../lib/page_api.js";
import { base } from "./theme.js";

export class EnginesPanel extends LitElement {
  static override properties = { config: { attribute: false } };
  declare config: PageConfig;

  static override styles = [
    base,
    css`
      :host {
        display: grid;
        gap: 20px;
      }
      .demo {
        padding: 14px 16px;
        border-radius: var(--radius);
        background: var(--accent-soft);
        color: var(--ink);
      }
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
      }
      li {
        padding: 14px 0;
        border-top: 1px solid var(--line);
        display: grid;
        gap: 2px;
      }
      .stage {
        color: var(--ink-3);
        font-size: 13px;
      }
      .model {
        font: 500 16px/1.4 var(--sans);
        overflow-wrap: anywhere;
      }
      .facts {
        font-size: 13px;
        color: var(--ink-2);
        overflow-wrap: anywhere;
      }
    `,
  ];

  override render() {
    const { config } = this;
    return html`
      <h2>What runs here</h2>
      ${config.demo ? html`<p class="demo">${demoNote()}</p>` : nothing}
      <ul>
        ${config.engines.map(
          (engine) => html`<li>
            <span class="stage">${STAGE_NAMES[engine.stage] ?? engine.stage}</span>
            <span class="model">${engine.model || engine.name}</span>
            <span class="facts">${[engine.name, engine.licence, engine.source].filter(Boolean).join(" · ")}</span>
            ${engine.note ? html`<span class="facts">${engine.note}</span>` : nothing}
          </li>`,
        )}
      </ul>
      <p class="small muted">Parley ${config.version}. To use other models: parley serve --help.</p>
    `;
  }
}

const STAGE_NAMES: Readonly<Record<string, string>> = {
  vad: "Hears that you speak",
  turn: "Decides that you are done",
  stt: "Understands your words",
  llm: "Thinks of an answer",
  tts: "Speaks it",
  speech: "Hears, thinks and speaks",
};

export function demoNote() {
  return html`This is the demonstration brain: English only, one voice. It calls functions well and makes small talk badly. For
    real conversation, give Parley a language model with <code>parley serve --llm</code>.`;
}

customElements.define("engines-panel", EnginesPanel);
