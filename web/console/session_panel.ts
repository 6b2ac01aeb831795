/** How the assistant speaks and when it takes its turn. Changes reach a running conversation with the next answer. */

import { css, html, LitElement, nothing } from "lit";
import type { PageConfig } from "../lib/page_api.js";
import { DEFAULTS, type Preferences } from "./preferences.js";
import { base } from "./theme.js";

const { instructions, voice, greet, turns, silenceMs } = DEFAULTS;
/** What "reset" brings back: how it behaves, not devices, colours or functions. */
const BEHAVIOUR: Partial<Preferences> = { instructions, voice, greet, turns, silenceMs };

/** Fires `prefer` with the changed preferences. */
export class SessionPanel extends LitElement {
  static override properties = { preferences: { attribute: false }, config: { attribute: false } };
  declare preferences: Preferences;
  declare config: PageConfig;

  static override styles = [
    base,
    css`
      :host {
        display: grid;
        gap: 24px;
      }
      .row {
        display: flex;
        justify-content: space-between;
        align-items: baseline;
        gap: 12px;
      }
      output {
        font-variant-numeric: tabular-nums;
        color: var(--ink-3);
      }
      input[type="range"] {
        padding: 0;
        border: 0;
        background: none;
        min-height: 28px;
        accent-color: var(--accent);
      }
    `,
  ];

  override render() {
    const { instructions, voice, greet, turns, silenceMs } = this.preferences;
    return html`
      <h2>How it behaves</h2>
      <label class="field"
        >Instructions
        <textarea rows="5" .value=${instructions} @change=${(event: Event) => this.#prefer({ instructions: value(event) })}></textarea>
      </label>
      <label class="field"
        >Voice
        <input list="voices" .value=${voice} placeholder=${this.config.voice} autocomplete="off" spellcheck="false"
          @change=${(event: Event) => this.#prefer({ voice: value(event).trim() })} />
        <datalist id="voices">
          ${[...new Set([this.config.voice, "alloy", "ash", "marin", "verse"])].map((name) => html`<option value=${name}></option>`)}
        </datalist>
        ${this.config.demo
          ? html`<span class="small muted">The built-in engine has one voice; every name is taken to mean it.</span>`
          : nothing}
      </label>
      <label class="field"
        >The assistant answers
        <select @change=${(event: Event) => this.#prefer({ turns: value(event) as Preferences["turns"] })}>
          <option value="server_vad" ?selected=${turns === "server_vad"}>after a pause</option>
          <option value="semantic_vad" ?selected=${turns === "semantic_vad"}>when a sentence sounds finished</option>
        </select>
      </label>
      ${turns === "server_vad"
        ? html`<label class="field"
            ><span class="row">Length of the pause <output>${silenceMs} ms</output></span>
            <input type="range" min="200" max="1500" step="50" .value=${String(silenceMs)}
              @change=${(event: Event) => this.#prefer({ silenceMs: Number(value(event)) })} />
          </label>`
        : nothing}
      <label class="check">
        <input type="checkbox" .checked=${greet}
          @change=${(event: Event) => this.#prefer({ greet: (event.target as HTMLInputElement).checked })} />
        <span>Let the assistant speak first</span>
      </label>
      <div>
        <button class="link" @click=${() => this.#prefer(BEHAVIOUR)}>
          Reset to the defaults
        </button>
      </div>
    `;
  }

  #prefer(change: Partial<Preferences>): void {
    this.dispatchEvent(new CustomEvent("prefer", { detail: { ...this.preferences, ...change } }));
  }
}

function value(event: Event): string {
  return (event.target as HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement).value;
}

customElements.define("session-panel", SessionPanel);
