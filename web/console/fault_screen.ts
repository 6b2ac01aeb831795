/** What stands in the way, and what to do about it: one screen per fault. */

import { css, html, LitElement, nothing } from "lit";
import type { Fault } from "../lib/faults.js";
import { base } from "./theme.js";
import { faultWords } from "./wording.js";

/** Fires `retry`, `keyboard` and `websocket`. */
export class FaultScreen extends LitElement {
  static override properties = { fault: { attribute: false } };
  declare fault: Fault;

  static override styles = [
    base,
    css`
      :host {
        display: block;
        width: 100%;
        max-width: 460px;
      }
      h2 {
        font-size: 30px;
        text-wrap: balance;
      }
      .text {
        margin-top: 10px;
        color: var(--ink-2);
        font-size: 16px;
      }
      ol {
        margin: 20px 0 0;
        padding: 0;
        list-style: none;
        counter-reset: step;
        display: grid;
        gap: 10px;
      }
      li {
        counter-increment: step;
        display: grid;
        grid-template-columns: 26px 1fr;
        overflow-wrap: anywhere;
      }
      li::before {
        content: counter(step) ".";
        color: var(--ink-3);
        font-variant-numeric: tabular-nums;
      }
      li:only-child {
        grid-template-columns: 1fr;
      }
      li:only-child::before {
        content: none;
      }
      .actions {
        margin-top: 28px;
        display: flex;
        flex-wrap: wrap;
        gap: 12px;
      }
      .detail {
        margin-top: 24px;
        padding-top: 14px;
        border-top: 1px solid var(--line);
        overflow-wrap: anywhere;
      }
    `,
  ];

  override render() {
    const words = faultWords(this.fault.kind, location.origin);
    return html`<div role="alert">
      <h2>${words.title}</h2>
      <p class="text">${words.text}</p>
      <ol>
        ${words.steps.map((step) => html`<li><span>${step}</span></li>`)}
      </ol>
      <div class="actions">
        <button class="primary" @click=${() => this.#fire("retry")}>${words.retry}</button>
        ${words.websocket ? html`<button @click=${() => this.#fire("websocket")}>Use WebSocket</button>` : nothing}
        ${words.keyboard ? html`<button @click=${() => this.#fire("keyboard")}>Type instead</button>` : nothing}
      </div>
      ${this.fault.detail
        ? html`<p class="detail small muted">Reported: <span class="reported">${this.fault.detail}</span></p>`
        : nothing}
    </div>`;
  }

  #fire(name: "retry" | "keyboard" | "websocket"): void {
    this.dispatchEvent(new CustomEvent(name));
  }
}

customElements.define("fault-screen", FaultScreen);
