/**
 * The voice dock of the page-control example: start, talk or type, see the last words of both, end.
 *
 * Served by Parley it asks for a short-lived secret; served by another back end (`<html data-connect="/api/…">`) it posts
 * its offer there and holds no secret at all. What the assistant may do to the page is in `tools`.
 */

import { html, LitElement, nothing, type TemplateResult } from "lit";
import { icons } from "../console/icons.js";
import { base } from "../console/theme.js";
import { stateWords } from "../console/wording.js";
import type { Entry } from "../lib/conversation.js";
import { Fault } from "../lib/faults.js";
import { PageApi, type PageConfig, realtimeUrl, serverRoot } from "../lib/page_api.js";
import { ToolBox } from "../lib/toolbox.js";
import type { TransportKind } from "../lib/transport.js";
import { type Address, type Snapshot, VoiceSession } from "../lib/voice_session.js";
import { dockStyles } from "./dock_styles.js";
import { PageEditor } from "./editor.js";
import { pageTools } from "./tools.js";

const INSTRUCTIONS =
  "You control the web page that the user sees. Use a function whenever one fits, then say in one short sentence what came of it. " +
  "To answer what something on the page says, read its HTML first.";
const GREETING = "Greet the user in one short sentence and ask what to change on the page.";
const SYSTEM_SOUND = { input: "", output: "", volume: 1, outputMuted: false };

export class VoiceDock extends LitElement {
  static override styles = [base, dockStyles];
  static override properties = {
    snapshot: { state: true },
    config: { state: true },
    problem: { state: true },
    signingIn: { state: true },
  };
  declare snapshot: Snapshot;
  /** Known once Parley itself turns out to want a sign-in. */
  declare config: PageConfig | undefined;
  declare problem: string;
  declare signingIn: boolean;

  readonly #api = new PageApi();
  readonly #connect = document.documentElement.dataset["connect"];
  readonly #session: VoiceSession;
  #transport: TransportKind = "webrtc";
  #microphone = true;
  #end: () => void = () => undefined;

  constructor() {
    super();
    const editor = new PageEditor(document.body, document.getElementById("page") as HTMLElement);
    this.#session = new VoiceSession(
      {
        tools: new ToolBox(pageTools(editor)),
        address: (transport) => this.#address(transport),
        now: () => performance.now(),
        greeting: GREETING,
      },
      SYSTEM_SOUND,
    );
    this.snapshot = this.#session.snapshot;
    this.problem = "";
    this.signingIn = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#end = this.#session.subscribe(() => (this.snapshot = this.#session.snapshot));
    if (!this.#connect) void this.#loadConfig();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#end();
    this.#session.stop();
  }

  override render() {
    const { phase, fault } = this.snapshot;
    return html`<section class="dock" data-phase=${phase} aria-label="Conversation">${this.#body(fault)}</section>`;
  }

  #body(fault: Fault | undefined): TemplateResult {
    if (this.config?.auth_required && !this.config.signed_in) {
      return html`<sign-in .problem=${this.problem} .busy=${this.signingIn}
        @sign-in=${(event: CustomEvent<string>) => void this.#signIn(event.detail)}></sign-in>`;
    }
    if (fault) {
      return html`<fault-screen .fault=${fault} @retry=${() => void this.#retry(fault)} @keyboard=${() => void this.#start(false)}
        @websocket=${() => void this.#useWebSocket()}></fault-screen>`;
    }
    const { phase, notice } = this.snapshot;
    const open = !["idle", "permission", "connecting"].includes(phase);
    return html`<div class="row">
        <voice-orb .phase=${phase} .color=${""} .analysers=${() => this.#session.analysers}></voice-orb>
        <div class="words">${open ? this.#said() : this.#invitation()}</div>
        ${open ? nothing : this.#actions()}
      </div>
      ${notice ? html`<p class="notice" role="alert">${notice.text}</p>` : nothing}
      ${open ? this.#composer() : nothing}`;
  }

  #invitation(): TemplateResult {
    const { phase, entries } = this.snapshot;
    if (phase === "permission" || phase === "connecting") {
      const words = stateWords(phase, { userSpeaking: false, muted: false, keyboard: !this.#microphone, aloud: true, ending: false });
      return html`<p class="title" role="status">${words.title}</p><p class="hint">${words.hint}</p>`;
    }
    return html`<p class="title" role="status">${entries.length > 0 ? "Conversation over" : "Talk to this page"}</p>
      <p class="hint">“Make the page purple.” “Text white.” “Button bigger and green.” “Undo.”</p>`;
  }

  /** The last words of each, so that the page above stays in view. */
  #said(): TemplateResult {
    const { phase, userSpeaking, muted, microphone, aloud, ending, entries } = this.snapshot;
    const words = stateWords(phase, { userSpeaking, muted, keyboard: microphone === "off", aloud, ending });
    return html`<p class="hint" role="status">${words.title}</p>
      <div class="lines" role="log" aria-live="off" aria-label="Last words">
        ${entries.slice(-6).filter(hasWords).slice(-2).map(line)}
      </div>`;
  }

  #actions(): TemplateResult {
    const waiting = this.snapshot.phase !== "idle";
    if (waiting) return html`<div class="actions"><button @click=${() => this.#session.stop()}>Cancel</button></div>`;
    return html`<div class="actions">
      <button class="primary" id="start" @click=${() => void this.#start(true)}>Start talking</button>
      <button @click=${() => void this.#start(false)}>Type instead</button>
    </div>`;
  }

  #composer(): TemplateResult {
    const { muted, microphone } = this.snapshot;
    return html`<div class="composer">
      ${microphone === "on"
        ? html`<button class="mic" aria-pressed=${muted ? "true" : "false"} aria-label=${muted ? "Unmute microphone" : "Mute microphone"}
            @click=${() => this.#session.mute(!muted)}>
            ${muted ? icons.muted : icons.microphone}
            <level-meter .analyser=${() => this.#session.analysers.user} aria-hidden="true"></level-meter>
          </button>`
        : nothing}
      <form @submit=${(event: SubmitEvent) => void this.#type(event)}>
        <input name="text" placeholder="Type a wish" aria-label="Message" autocomplete="off" />
        <button class="send" aria-label="Send">${icons.send}</button>
      </form>
      <button class="end" @click=${() => this.#session.stop()}>End</button>
    </div>`;
  }

  // --- doing -----------------------------------------------------------------------------------------------------

  async #address(transport: TransportKind): Promise<Address> {
    if (this.#connect) return { url: this.#connect, secret: undefined };
    const { value } = await this.#api.secret();
    return { url: realtimeUrl(serverRoot(), transport, this.config?.model ?? ""), secret: value };
  }

  async #loadConfig(): Promise<void> {
    try {
      this.config = await this.#api.config();
    } catch (error) {
      // A server that does not answer now may answer when somebody wants to talk; then the fault is shown.
      if (!(error instanceof Fault)) throw error;
    }
  }

  async #signIn(key: string): Promise<void> {
    this.signingIn = true;
    this.problem = "";
    try {
      await this.#api.login(key);
      await this.#loadConfig();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.problem = error.detail;
    } finally {
      this.signingIn = false;
    }
  }

  async #retry(fault: Fault): Promise<void> {
    if (fault.kind !== "sign-in-needed" || this.#connect) return this.#start(this.#microphone);
    this.#session.stop();
    await this.#loadConfig();
  }

  async #useWebSocket(): Promise<void> {
    this.#transport = "websocket";
    await this.#start(this.#microphone);
  }

  async #start(microphone: boolean): Promise<void> {
    this.#microphone = microphone;
    const voice = this.config?.voice ?? "alloy";
    const turnDetection = { type: "server_vad", silence_duration_ms: 500 } as const;
    await this.#session.start({ transport: this.#transport, instructions: INSTRUCTIONS, voice, turnDetection, greet: true }, microphone);
  }

  async #type(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const text = String(new FormData(form).get("text") ?? "").trim();
    form.reset();
    if (text) await this.#session.sendText(text);
  }
}

function hasWords(entry: Entry): boolean {
  return entry.kind !== "call" && entry.text !== "";
}

function line(entry: Entry): TemplateResult | typeof nothing {
  if (entry.kind === "call") return nothing;
  const mine = entry.kind === "user";
  return html`<p class=${mine ? "user" : "assistant"}><span class="visually-hidden">${mine ? "You" : "Parley"}: </span>${entry.text}</p>`;
}

customElements.define("voice-dock", VoiceDock);
