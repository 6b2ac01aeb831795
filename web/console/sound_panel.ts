/** Which devices a conversation uses, how loud it is, and how it connects. Devices and loudness change at once. */

import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { type Device, type DeviceList, listDevices, NO_DEVICES, watchDevices } from "../lib/devices.js";
import type { Preferences } from "./preferences.js";
import { base } from "./theme.js";

/** Fires `prefer` with the changed preferences. `live`: a conversation runs, so the browser may name the devices now. */
export class SoundPanel extends LitElement {
  static override properties = { preferences: { attribute: false }, live: { attribute: false }, devices: { state: true } };
  declare preferences: Preferences;
  declare live: boolean;
  declare devices: DeviceList;

  static override styles = [
    base,
    css`
      :host {
        display: grid;
        gap: 24px;
        margin-top: 36px;
        padding-top: 28px;
        border-top: 1px solid var(--line);
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

  #unwatch: () => void = () => undefined;

  constructor() {
    super();
    this.devices = NO_DEVICES;
    this.live = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unwatch = watchDevices(() => void this.#list());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unwatch();
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("live")) void this.#list();
  }

  override render() {
    const { input, output, volume, outputMuted, transport } = this.preferences;
    const { inputs, outputs } = this.devices;
    return html`
      <h2>How it sounds</h2>
      ${inputs.length > 0
        ? this.#choice("Microphone", inputs, input, (id) => this.#prefer({ input: id }))
        : html`<p class="small muted">Microphones can be chosen here once you have allowed one.</p>`}
      ${outputs.length > 0 ? this.#choice("Loudspeaker", outputs, output, (id) => this.#prefer({ output: id })) : nothing}
      <label class="field"
        ><span class="row">Volume <output>${outputMuted ? "muted" : `${Math.round(volume * 100)} %`}</output></span>
        <input type="range" min="0" max="100" step="5" .value=${String(Math.round(volume * 100))}
          @input=${(event: Event) => this.#prefer({ volume: Number(value(event)) / 100, outputMuted: false })} />
      </label>
      <label class="field"
        >Connection
        <select @change=${(event: Event) => this.#prefer({ transport: value(event) === "websocket" ? "websocket" : "webrtc" })}>
          <option value="webrtc" ?selected=${transport === "webrtc"}>WebRTC</option>
          <option value="websocket" ?selected=${transport === "websocket"}>WebSocket</option>
        </select>
        <span class="small muted"
          >${transport === "webrtc"
            ? "Sound takes the direct way and rides out a bad line."
            : "Everything takes the page's own way, through any proxy."}
          ${this.live ? "A change counts from the next conversation." : nothing}</span
        >
      </label>
    `;
  }

  #choice(name: string, devices: readonly Device[], chosen: string, choose: (id: string) => void): TemplateResult {
    return html`<label class="field"
      >${name}
      <select @change=${(event: Event) => choose(value(event))}>
        <option value="" ?selected=${!devices.some(({ id }) => id === chosen)}>The system's choice</option>
        ${devices.map(({ id, label }) => html`<option value=${id} ?selected=${id === chosen}>${label}</option>`)}
      </select>
    </label>`;
  }

  async #list(): Promise<void> {
    this.devices = await listDevices();
  }

  #prefer(change: Partial<Preferences>): void {
    this.dispatchEvent(new CustomEvent("prefer", { detail: { ...this.preferences, ...change } }));
  }
}

function value(event: Event): string {
  return (event.target as HTMLInputElement | HTMLSelectElement).value;
}

customElements.define("sound-panel", SoundPanel);
