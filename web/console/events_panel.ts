/** Every event, both ways, as it happens: filter, pause, look inside, copy, export. */

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { exported, filtered, type LogFilter, type LogRow } from "../lib/event_log.js";
import { icons } from "./icons.js";
import { base } from "./theme.js";

const SHOWN = 300;
/** The clipboard, like the microphone, is for secure origins only. */
const CAN_COPY = window.isSecureContext;

/** Fires `clear`. */
export class EventsPanel extends LitElement {
  static override properties = {
    rows: { attribute: false },
    filter: { state: true },
    paused: { state: true },
    copied: { state: true },
  };
  declare rows: readonly LogRow[];
  declare filter: LogFilter;
  /** The rows as they were when a person pressed pause. */
  declare paused: readonly LogRow[] | undefined;
  declare copied: string;

  static override styles = [
    base,
    css`
      :host {
        display: flex;
        flex-direction: column;
        gap: 14px;
        min-height: 0;
        height: 100%;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        align-items: center;
      }
      .bar .wide {
        flex: 1 1 160px;
      }
      select {
        width: auto;
      }
      ol {
        list-style: none;
        margin: 0 -8px;
        padding: 0 8px;
        flex: 1 1 auto;
        min-height: 160px;
        overflow-y: auto;
        overscroll-behavior: contain;
        border-top: 1px solid var(--line);
      }
      li {
        border-bottom: 1px solid var(--line);
      }
      summary {
        display: grid;
        grid-template-columns: 52px 16px minmax(0, 1fr) auto;
        gap: 8px;
        align-items: baseline;
        padding: 7px 0;
        cursor: pointer;
        font: 400 12px/1.5 var(--mono);
        list-style: none;
      }
      summary::-webkit-details-marker {
        display: none;
      }
      .type {
        overflow-wrap: anywhere;
      }
      .at,
      .more {
        color: var(--ink-3);
        font-variant-numeric: tabular-nums;
      }
      .at {
        text-align: right;
      }
      .sent {
        color: var(--accent-ink);
      }
      .received {
        color: var(--ink-3);
      }
      .error .type {
        color: var(--danger);
      }
      .inside {
        position: relative;
        margin: 0 0 10px;
        background: var(--sunken);
        border-radius: 8px;
      }
      pre {
        margin: 0;
        padding: 10px 44px 10px 12px;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        font-size: 12px;
      }
      .inside button {
        position: absolute;
        top: 4px;
        right: 4px;
        padding: 0 7px;
      }
    `,
  ];

  constructor() {
    super();
    this.rows = [];
    this.filter = { text: "", direction: "both", audio: false };
    this.paused = undefined;
    this.copied = "";
  }

  #stick = true;

  protected override updated(_changed: PropertyValues): void {
    const list = this.renderRoot.querySelector("ol");
    if (list && this.#stick) list.scrollTop = list.scrollHeight;
  }

  override render() {
    const matching = filtered(this.paused ?? this.rows, this.filter);
    const shown = matching.slice(-SHOWN);
    return html`
      <h2>On the wire</h2>
      <div class="bar">
        <input class="wide" type="search" placeholder="Filter by type or content" aria-label="Filter events"
          .value=${this.filter.text} @input=${(event: Event) => this.#filter({ text: valueOf(event) })} />
        <select aria-label="Direction" @change=${(event: Event) => this.#filter({ direction: valueOf(event) as LogFilter["direction"] })}>
          <option value="both">Both ways</option>
          <option value="sent">Sent</option>
          <option value="received">Received</option>
        </select>
      </div>
      <div class="bar">
        <button class="compact" aria-pressed=${this.paused ? "true" : "false"} @click=${() => this.#pause()}>
          ${this.paused ? "Resume" : "Pause"}
        </button>
        ${CAN_COPY
          ? html`<button class="compact" ?disabled=${matching.length === 0} @click=${() => void this.#copy(exported(matching), "all")}>
              ${this.copied === "all" ? "Copied" : "Copy all"}
            </button>`
          : nothing}
        <button class="compact" ?disabled=${matching.length === 0} @click=${() => this.#export(matching)}>Export</button>
        <button class="compact" ?disabled=${this.rows.length === 0} @click=${() => this.#clear()}>Clear</button>
        <label class="check small">
          <input type="checkbox" .checked=${this.filter.audio}
            @change=${(event: Event) => this.#filter({ audio: (event.target as HTMLInputElement).checked })} />
          <span>Audio events</span>
        </label>
      </div>
      <ol tabindex="0" aria-label="Events" @scroll=${(event: Event) => this.#scrolled(event)}>
        ${repeat(shown, (row) => row.id, (row) => this.#row(row))}
      </ol>
      <p class="small muted" role="status">${this.#count(matching.length, shown.length)}</p>
    `;
  }

  #row(row: LogRow) {
    const sent = row.direction === "sent";
    const length = row.audioMs > 0 ? `${(row.audioMs / 1000).toFixed(1)} s` : "";
    const times = row.repeats > 0 ? `×${row.repeats + 1}` : "";
    return html`<li class=${row.type === "error" ? "error" : ""}>
      <details>
        <summary>
          <span class="at">${(row.at / 1000).toFixed(2)}</span>
          <span class=${row.direction} aria-hidden="true">${sent ? "↑" : "↓"}</span>
          <span class="type"><span class="visually-hidden">${row.direction} </span>${breakable(row.type)}</span>
          <span class="more">${[times, length].filter(Boolean).join(" ")}</span>
        </summary>
        <div class="inside">
          <pre>${JSON.stringify(row.event, null, 2)}</pre>
          ${CAN_COPY
            ? html`<button class="plain compact" aria-label=${`Copy ${row.type}`} @click=${() => void this.#copy(JSON.stringify(row.event, null, 2), String(row.id))}>
                ${this.copied === String(row.id) ? "✓" : icons.copy}
              </button>`
            : nothing}
        </div>
      </details>
    </li>`;
  }

  #count(matching: number, shown: number) {
    if (this.rows.length === 0) return "Nothing yet. Start a conversation.";
    const hidden = shown < matching ? ` The last ${shown} are shown.` : "";
    return html`${matching} of ${(this.paused ?? this.rows).length} events.${hidden}${this.paused ? html` Paused.` : nothing}`;
  }

  #filter(change: Partial<LogFilter>): void {
    this.filter = { ...this.filter, ...change };
  }

  #pause(): void {
    this.paused = this.paused ? undefined : this.rows;
  }

  #clear(): void {
    this.paused = undefined;
    this.dispatchEvent(new CustomEvent("clear"));
  }

  async #copy(text: string, what: string): Promise<void> {
    await navigator.clipboard.writeText(text);
    this.copied = what;
    setTimeout(() => (this.copied = ""), 1500);
  }

  #export(rows: readonly LogRow[]): void {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([exported(rows), "\n"], { type: "application/jsonl" }));
    link.download = `parley-events-${new Date().toISOString().replaceAll(":", "-").slice(0, 19)}.jsonl`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  #scrolled(event: Event): void {
    const list = event.target as HTMLElement;
    this.#stick = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  }
}

/** An event's name that may break after its dots and underscores. */
function breakable(type: string) {
  return type.split(/(?<=[._])/).map((part) => html`${part}<wbr />`);
}

function valueOf(event: Event): string {
  return (event.target as HTMLInputElement | HTMLSelectElement).value;
}

customElements.define("events-panel", EventsPanel);
