/**
 * The console: owns the voice session, the preferences and what is on the screen. Everything it shows comes from the
 * session's snapshot; everything it does goes through `web/lib`.
 */

import { html, LitElement, nothing, type TemplateResult } from "lit";
import { applyTheme } from "../lib/color_theme.js";
import { Fault } from "../lib/faults.js";
import { PageApi, type PageConfig, realtimeUrl, serverRoot } from "../lib/page_api.js";
import { ToolBox } from "../lib/toolbox.js";
import { type Snapshot, type VoiceSettings, VoiceSession } from "../lib/voice_session.js";
import { appStyles } from "./app_styles.js";
import { demoNote } from "./engines_panel.js";
import { icons } from "./icons.js";
import { loadPreferences, type Preferences, savePreferences, turnDetection } from "./preferences.js";
import { base } from "./theme.js";
import { builtInTools, customTool } from "./tools.js";
import { stateWords } from "./wording.js";

const PANELS = ["session", "tools", "events", "timing", "engines"] as const;
type PanelName = (typeof PANELS)[number];
type View = PanelName | "talk";

const LOADING = new Set<PageConfig["state"]>(["starting", "warming"]);
const ASK_AGAIN_MS = 1500;

/** Preferences that are the page's business alone: the server is not told. */
const SOUND = ["input", "output", "volume", "outputMuted"] as const;

const GREETING = "Greet the user in one short sentence and offer your help.";

export class ParleyConsole extends LitElement {
  static override styles = [base, appStyles];
  static override properties = {
    config: { state: true },
    configFault: { state: true },
    signInProblem: { state: true },
    signingIn: { state: true },
    preferences: { state: true },
    snapshot: { state: true },
    view: { state: true },
    narrow: { state: true },
    orbColour: { state: true },
  };
  declare config: PageConfig | undefined;
  declare configFault: Fault | undefined;
  declare signInProblem: string;
  declare signingIn: boolean;
  declare preferences: Preferences;
  declare snapshot: Snapshot;
  declare view: View;
  declare narrow: boolean;
  declare orbColour: string;

  readonly #api = new PageApi();
  readonly #tools = new ToolBox();
  readonly #builtIn = builtInTools({
    setOrbColour: (colour) => (this.orbColour = colour),
    now: () => new Date(),
  });
  readonly #session: VoiceSession;
  readonly #narrowQuery = matchMedia("(max-width: 1023px)");
  #ends: (() => void)[] = [];
  #endTheme: () => void = () => undefined;
  #wentLive = false;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.preferences = loadPreferences(localStorage);
    this.#session = new VoiceSession(
      {
        tools: this.#tools,
        address: async (transport) => {
          const { value } = await this.#api.secret();
          return { url: realtimeUrl(serverRoot(), transport, this.config?.model ?? ""), secret: value };
        },
        now: () => performance.now(),
        greeting: GREETING,
      },
      this.preferences,
    );
    this.snapshot = this.#session.snapshot;
    this.signInProblem = "";
    this.signingIn = false;
    this.view = "talk";
    this.narrow = this.#narrowQuery.matches;
    this.orbColour = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#endTheme = applyTheme(this.preferences.theme);
    const resized = (): void => void (this.narrow = this.#narrowQuery.matches);
    const keyed = (event: KeyboardEvent): void => {
      if (event.key === "Escape") void this.#session.interrupt();
    };
    this.#narrowQuery.addEventListener("change", resized);
    document.addEventListener("keydown", keyed);
    this.#ends = [
      this.#session.subscribe(() => (this.snapshot = this.#session.snapshot)),
      () => this.#narrowQuery.removeEventListener("change", resized),
      () => document.removeEventListener("keydown", keyed),
    ];
    this.#useTools();
    void this.#loadConfig();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const end of this.#ends) end();
    this.#endTheme();
    clearTimeout(this.#again);
    this.#session.stop();
  }

  override render() {
    const { config } = this;
    const ready = config && !(config.auth_required && !config.signed_in);
    return html`
      ${this.#header(config)}
      <main class=${ready ? "ready" : "closed"}>
        ${ready
          ? html`${this.narrow && this.view !== "talk" ? nothing : this.#stage(config)}
              ${this.narrow && this.view === "talk" ? nothing : this.#panel(config)}`
          : html`<div class="centre">${this.#gate()}</div>`}
      </main>
      ${ready && this.narrow ? this.#tabs(["talk", ...PANELS]) : nothing}
    `;
  }

  // --- frame -----------------------------------------------------------------------------------------------------

  #header(config: PageConfig | undefined): TemplateResult {
    const dark = document.documentElement.dataset["theme"] === "dark";
    return html`<header>
      <h1>Parley</h1>
      ${config ? html`<span class="model">${config.model}</span>` : nothing}
      ${config?.demo ? html`<span class="demo">demonstration brain, English, one voice</span>` : nothing}
      <span class="gap"></span>
      ${config?.auth_required && config.signed_in
        ? html`<button class="plain compact" @click=${() => void this.#signOut()}>Sign out</button>`
        : nothing}
      <button class="plain icon" aria-label=${dark ? "Use light colours" : "Use dark colours"}
        @click=${() => this.#prefer({ ...this.preferences, theme: dark ? "light" : "dark" })}>
        ${dark ? icons.sun : icons.moon}
      </button>
    </header>`;
  }

  /** What is shown before there is anything to talk to. */
  #gate(): TemplateResult | typeof nothing {
    if (this.configFault && this.configFault.kind !== "sign-in-needed") {
      return html`<fault-screen .fault=${this.configFault} @retry=${() => void this.#loadConfig()}></fault-screen>`;
    }
    if (!this.config) return html`<p class="muted" role="status">Looking for the server…</p>`;
    return html`<sign-in .problem=${this.signInProblem} .busy=${this.signingIn}
      @sign-in=${(event: CustomEvent<string>) => void this.#signIn(event.detail)}></sign-in>`;
  }

  #tabs(views: readonly View[]): TemplateResult {
    const current = this.view === "talk" && !this.narrow ? "session" : this.view;
    return html`<nav class="tabs" aria-label="Views"><div role="tablist">
      ${views.map(
        (view) => html`<button role="tab" id=${`tab-${view}`} aria-selected=${view === current ? "true" : "false"}
          aria-controls="panel" @click=${() => (this.view = view)}>
          ${view[0]?.toUpperCase()}${view.slice(1)}
        </button>`,
      )}
    </div></nav>`;
  }

  #panel(config: PageConfig): TemplateResult {
    const view = this.view === "talk" ? "session" : this.view;
    return html`<aside>
      ${this.narrow ? nothing : this.#tabs(PANELS)}
      <div class="panel" id="panel" role="tabpanel" aria-labelledby=${`tab-${view}`} tabindex="0">${this.#panelBody(view, config)}</div>
    </aside>`;
  }

  #panelBody(view: PanelName, config: PageConfig): TemplateResult {
    const prefer = (event: CustomEvent<Preferences>): void => this.#prefer(event.detail);
    switch (view) {
      case "session":
        return html`<session-panel .preferences=${this.preferences} .config=${config} @prefer=${prefer}></session-panel>
          <sound-panel .preferences=${this.preferences} .live=${this.#live} @prefer=${prefer}></sound-panel>`;
      case "tools":
        return html`<tools-panel .preferences=${this.preferences} .builtIn=${this.#builtIn} @prefer=${prefer}></tools-panel>`;
      case "events":
        return html`<events-panel .rows=${this.snapshot.log} @clear=${() => this.#session.clearLog()}></events-panel>`;
      case "timing":
        return html`<timing-panel .turns=${this.snapshot.turns} .network=${this.snapshot.network}></timing-panel>`;
      case "engines":
        return html`<engines-panel .config=${config}></engines-panel>`;
    }
  }

  // --- stage -----------------------------------------------------------------------------------------------------

  #stage(config: PageConfig): TemplateResult {
    const { phase, fault } = this.snapshot;
    const talked = this.snapshot.entries.length > 0;
    const big = (phase === "idle" && !talked) || phase === "permission" || phase === "connecting";
    const bare = big || (fault !== undefined && !talked);
    return html`<section class="stage ${bare ? "big" : fault ? "live broken" : "live"}" id=${this.narrow ? "panel" : "stage"}
      data-phase=${phase} aria-label="Conversation">
      <div class="top">
        <voice-orb .phase=${phase} .color=${this.orbColour} .analysers=${() => this.#session.analysers}></voice-orb>
        ${fault ? this.#fault(fault) : this.#state(config, talked)}
      </div>
      ${bare ? nothing : html`<transcript-view tabindex="0" role="log" aria-live="off" aria-label="Transcript"
          .entries=${this.snapshot.entries} .turns=${this.snapshot.turns}></transcript-view>`}
      ${this.#noticeBar()}
      ${fault || phase === "idle" || phase === "permission" || phase === "connecting" ? nothing : this.#composer()}
    </section>`;
  }

  #fault(fault: Fault): TemplateResult {
    return html`<fault-screen .fault=${fault} @retry=${() => void this.#retry(fault)}
      @keyboard=${() => void this.#start(false)} @websocket=${() => void this.#useWebSocket()}></fault-screen>`;
  }

  #state(config: PageConfig, talked: boolean): TemplateResult {
    const { phase, userSpeaking, muted, microphone, aloud, ending } = this.snapshot;
    if (phase === "idle") return this.#idle(config, talked);
    const words = stateWords(phase, { userSpeaking, muted, keyboard: microphone === "off", aloud, ending });
    return html`<div class="state">
      <p class="title" role="status">${words.title}</p>
      <p class="hint">${words.hint}</p>
      ${phase === "permission" || phase === "connecting"
        ? html`<button class="cancel" @click=${() => this.#session.stop()}>Cancel</button>`
        : nothing}
    </div>`;
  }

  #idle(config: PageConfig, talked: boolean): TemplateResult {
    return html`<div class="state">
      <p class="title" role="status">${talked ? "Conversation over" : "Talk with Parley"}</p>
      <p class="hint">
        ${talked ? "What was said stays here until the next one." : "Speak as you would to a person. Interrupt whenever you like."}
      </p>
      <div class="actions">
        <button class="primary large" id="start" @click=${() => void this.#start(true)}>
          ${talked ? "Start again" : "Start talking"}
        </button>
        <button class="large" @click=${() => void this.#start(false)}>Type instead</button>
      </div>
      ${LOADING.has(config.state) ? html`<p class="honest small" role="status">The models are loading; the first answer may take a moment.</p>` : nothing}
      ${config.demo && !talked ? html`<p class="honest small">${demoNote()}</p>` : nothing}
    </div>`;
  }

  #noticeBar(): TemplateResult | typeof nothing {
    const { notice } = this.snapshot;
    if (!notice) return nothing;
    return html`<div class="notice" role="alert">
      <span>${notice.text}</span>
      <button class="plain icon" aria-label="Dismiss" @click=${() => this.#session.dismissNotice()}>${icons.close}</button>
    </div>`;
  }

  #composer(): TemplateResult {
    const { phase, muted, microphone } = this.snapshot;
    const answering = phase === "speaking" || phase === "thinking";
    return html`<div class="composer">
      ${microphone === "on"
        ? html`<button class="mic" aria-pressed=${muted ? "true" : "false"} aria-label=${muted ? "Unmute microphone" : "Mute microphone"}
            @click=${() => this.#session.mute(!muted)}>
            ${muted ? icons.muted : icons.microphone}
            <level-meter .analyser=${() => this.#session.analysers.user} aria-hidden="true"></level-meter>
          </button>`
        : nothing}
      <button class="icon speaker" aria-pressed=${this.preferences.outputMuted ? "true" : "false"}
        aria-label=${this.preferences.outputMuted ? "Unmute loudspeaker" : "Mute loudspeaker"}
        @click=${() => this.#prefer({ ...this.preferences, outputMuted: !this.preferences.outputMuted })}>
        ${this.preferences.outputMuted ? icons.silent : icons.speaker}
      </button>
      <form @submit=${(event: SubmitEvent) => void this.#type(event)}>
        <input name="text" placeholder="Type a message" aria-label="Message" autocomplete="off" />
        <button class="icon send" aria-label="Send">${icons.send}</button>
      </form>
      <button class="interrupt" ?disabled=${!answering} title="Esc" @click=${() => void this.#session.interrupt()}>
        ${icons.stop}<span>Stop<span class="long"> answer</span></span>
      </button>
      <button class="end" @click=${() => this.#session.stop()}>End</button>
    </div>`;
  }

  // --- doing -----------------------------------------------------------------------------------------------------

  async #loadConfig(): Promise<void> {
    this.configFault = undefined;
    try {
      this.config = await this.#api.config();
      clearTimeout(this.#again);
      if (LOADING.has(this.config.state)) this.#again = setTimeout(() => void this.#loadConfig(), ASK_AGAIN_MS);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.configFault = error;
    }
  }

  async #signIn(key: string): Promise<void> {
    this.signingIn = true;
    this.signInProblem = "";
    try {
      await this.#api.login(key);
      await this.#loadConfig();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.signInProblem = error.detail;
    } finally {
      this.signingIn = false;
    }
  }

  async #signOut(): Promise<void> {
    this.#session.stop();
    await this.#api.logout();
    await this.#loadConfig();
  }

  async #retry(fault: Fault): Promise<void> {
    if (fault.kind === "sign-in-needed") {
      this.#session.stop();
      return this.#loadConfig();
    }
    return this.#start(this.#wentLive);
  }

  async #start(microphone: boolean): Promise<void> {
    this.#wentLive = microphone;
    this.orbColour = "";
    await this.#session.start(this.#settings(), microphone);
  }

  async #useWebSocket(): Promise<void> {
    this.#prefer({ ...this.preferences, transport: "websocket" });
    await this.#start(this.#wentLive);
  }

  async #type(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const text = String(new FormData(form).get("text") ?? "").trim();
    form.reset();
    if (text) await this.#session.sendText(text);
  }

  /** A conversation runs, or is about to. */
  get #live(): boolean {
    return !["idle", "error"].includes(this.snapshot.phase);
  }

  #prefer(preferences: Preferences): void {
    const before = this.preferences;
    const themeChanged = preferences.theme !== before.theme;
    this.preferences = preferences;
    savePreferences(localStorage, preferences);
    if (themeChanged) {
      this.#endTheme();
      this.#endTheme = applyTheme(preferences.theme);
      return;
    }
    if (SOUND.some((name) => preferences[name] !== before[name])) {
      void this.#session.choose(preferences);
      return;
    }
    this.#useTools();
    this.#session.configure(this.#settings());
  }

  #useTools(): void {
    const all = [...this.#builtIn, ...this.preferences.customTools.map(customTool)];
    this.#tools.replace(all.filter((tool) => !this.preferences.disabledTools.includes(tool.name)));
  }

  #settings(): VoiceSettings {
    return {
      transport: this.preferences.transport,
      instructions: this.preferences.instructions,
      voice: this.preferences.voice || (this.config?.voice ?? "alloy"),
      turnDetection: turnDetection(this.preferences),
      greet: this.preferences.greet,
    };
  }
}

customElements.define("parley-console", ParleyConsole);
