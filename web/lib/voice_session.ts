/**
 * A voice conversation in a page: microphone, speaker, client, tools and conversation, joined.
 *
 * One instance lives as long as the page; `start` and `stop` as often as a person likes. Pages read `snapshot` after a
 * notification and draw. The rules worth knowing:
 * - Barge-in. On `speech_started` the speaker falls silent first; then the server is told how much of each item was
 *   heard (`conversation.item.truncate`). Audio of a silenced response that still arrives is dropped.
 * - Function calls are answered after `response.done`; one `response.create` follows all outputs of a response.
 * - A tool with `endsSession` mutes the microphone; the session closes when the words spoken about it have been heard.
 */

import { AudioRig, type RigListener } from "./audio_rig.js";
import { toBase64 } from "./base64.js";
import { type RealtimeListener, RealtimeClient } from "./client.js";
import { Conversation, type Entry } from "./conversation.js";
import { EventLog, type LogRow } from "./event_log.js";
import type { FunctionCallItem, ResponseResource, ServerEvent, SessionObject, SessionUpdate, TurnDetection } from "./events.js";
import { Fault } from "./faults.js";
import { LatencyBook, type TurnLatency } from "./latency.js";
import { type Phase, phaseOf } from "./phase.js";
import type { CutItem } from "./player.js";
import { Responses } from "./responses.js";
import type { ToolBox } from "./toolbox.js";
import type { Transport } from "./transport.js";

export interface VoiceSettings {
  readonly instructions: string;
  readonly voice: string;
  readonly turnDetection: TurnDetection;
  /** Have the assistant speak first. */
  readonly greet: boolean;
}

export interface Notice {
  readonly id: number;
  readonly text: string;
}

export interface Snapshot {
  readonly phase: Phase;
  readonly fault: Fault | undefined;
  readonly entries: readonly Entry[];
  readonly log: readonly LogRow[];
  readonly turns: readonly TurnLatency[];
  readonly session: SessionObject | undefined;
  readonly userSpeaking: boolean;
  readonly muted: boolean;
  readonly microphone: "on" | "off";
  /** Answers are spoken; where the browser gives an address no audio thread, they are written. */
  readonly aloud: boolean;
  readonly notice: Notice | undefined;
  /** The conversation is closing after its last words. */
  readonly ending: boolean;
}

export interface VoiceSessionParts {
  readonly tools: ToolBox;
  /** A transport with a fresh secret. Raises `Fault`. */
  readonly connect: () => Promise<Transport>;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly greeting: string;
}

const ENDING_WITHIN_MS = 20_000;
const INTERRUPTED_FOR_MS = 2000;
const MAX_BACKLOG_BYTES = 1 << 20;
const CHUNKS_PER_NOTICE = 8;

type Stage = "idle" | "permission" | "connecting" | "open" | "failed";

export class VoiceSession {
  readonly #parts: VoiceSessionParts;
  readonly #listeners = new Set<() => void>();
  #stage: Stage = "idle";
  #fault: Fault | undefined;
  #settings: VoiceSettings | undefined;
  #session: SessionObject | undefined;
  #conversation = new Conversation();
  #log = new EventLog();
  #latency = new LatencyBook();
  #responses = new Responses();
  #rig: AudioRig | undefined;
  #client: RealtimeClient | undefined;
  #silenced = new Set<string>();
  #beganAt = 0;
  #chunks = 0;
  #run = 0;
  #userSpeaking = false;
  #turnPending = false;
  #sounding = false;
  #interrupted = false;
  #interruptedTimer: ReturnType<typeof setTimeout> | undefined;
  #endingTimer: ReturnType<typeof setTimeout> | undefined;
  #ending: "no" | "asked" | "draining" = "no";
  #muted = false;
  #notice: Notice | undefined;
  #scheduled = false;

  constructor(parts: VoiceSessionParts) {
    this.#parts = parts;
  }

  /** Be told after every change. Returns the function that ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get snapshot(): Snapshot {
    return {
      phase: phaseOf({
        stage: this.#stage,
        userSpeaking: this.#userSpeaking,
        awaiting: this.#turnPending || this.#responses.busy,
        sounding: this.#sounding,
        interrupted: this.#interrupted,
      }),
      fault: this.#fault,
      entries: this.#conversation.entries,
      log: this.#log.rows,
      turns: this.#latency.turns,
      session: this.#session,
      userSpeaking: this.#userSpeaking,
      muted: this.#muted,
      microphone: this.#rig?.microphone ? "on" : "off",
      aloud: this.#rig?.aloud ?? true,
      notice: this.#notice,
      ending: this.#ending !== "no",
    };
  }

  /** Taps for level displays; absent when there is nothing to hear. */
  get analysers(): { readonly user: AnalyserNode | undefined; readonly assistant: AnalyserNode | undefined } {
    return { user: this.#muted ? undefined : this.#rig?.microphone?.analyser, assistant: this.#rig?.player?.analyser };
  }

  /** Begin a conversation; call it from a click, so that the browser allows sound. `microphone` false: keyboard only. */
  async start(settings: VoiceSettings, microphone = true): Promise<void> {
    this.#release();
    const run = ++this.#run;
    this.#reset(settings);
    const rig = new AudioRig(this.#rigListener(run));
    this.#rig = rig;
    try {
      await this.#open(run, rig, microphone);
    } catch (error) {
      if (run !== this.#run) return;
      if (!(error instanceof Fault)) {
        this.#fail(new Fault("refused", error instanceof Error ? error.message : String(error)));
        throw error;
      }
      this.#fail(error);
    }
  }

  /** End the conversation; what was said stays on the page. */
  stop(): void {
    this.#run++;
    this.#release();
    this.#stage = "idle";
    this.#fault = undefined;
    this.#changed();
  }

  /** Say something by keyboard. Interrupts the assistant. */
  async sendText(text: string): Promise<void> {
    if (this.#stage !== "open") return;
    await this.interrupt();
    this.#interrupted = false;
    this.#send({
      type: "conversation.item.create",
      item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
    });
    this.#latency.abandoned();
    if (!this.#userSpeaking) this.#responses.nothingSaid();
    this.#want();
  }

  /** Silence the assistant by hand: stop generating, stop sounding, tell the server what was heard. */
  async interrupt(): Promise<void> {
    const running = [...this.#responses.active];
    if (running.length === 0 && !this.#sounding) return;
    for (const id of running) {
      this.#silenced.add(id);
      this.#send({ type: "response.cancel", response_id: id });
    }
    await this.#silence();
  }

  mute(muted: boolean): void {
    this.#muted = muted;
    this.#rig?.microphone?.mute(muted);
    this.#changed();
  }

  /** Change a running session; voice, instructions and tools take effect with the next response. */
  configure(settings: VoiceSettings): void {
    this.#settings = settings;
    if (this.#stage === "open") this.#send({ type: "session.update", session: this.#sessionUpdate() });
  }

  clearLog(): void {
    this.#log.clear();
    this.#changed();
  }

  dismissNotice(): void {
    this.#notice = undefined;
    this.#changed();
  }

  // --- opening and closing ---------------------------------------------------------------------------------------

  async #open(run: number, rig: AudioRig, microphone: boolean): Promise<void> {
    this.#enter(microphone ? "permission" : "connecting");
    await rig.open(microphone);
    if (run !== this.#run) return;
    const transport = await this.#parts.connect();
    if (run !== this.#run) return;
    const client = new RealtimeClient(transport, this.#listener(run));
    this.#client = client;
    await client.open();
  }

  #rigListener(run: number): RigListener {
    const live = (act: () => unknown) => (run === this.#run ? act() : undefined);
    return {
      permitted: () => live(() => this.#enter("connecting")),
      chunk: (pcm) => live(() => this.#speak(pcm)),
      lost: () => live(() => this.#fail(new Fault("microphone-lost"))),
      started: (itemId) => live(() => this.#sounds(itemId)),
      progress: (itemId, playedMs) => live(() => this.#conversation.played(itemId, playedMs) && this.#changed()),
      ended: (itemId) => live(() => this.#conversation.playedOut(itemId) && this.#changed()),
      drained: () => live(() => this.#drained()),
    };
  }

  #listener(run: number): RealtimeListener {
    return {
      received: (event) => run === this.#run && this.#received(event),
      sent: (event) => this.#log.add("sent", event, this.#parts.now() - this.#beganAt),
      closed: (fault) => {
        if (run !== this.#run) return;
        if (fault) this.#fail(fault);
        else this.stop();
      },
    };
  }

  #reset(settings: VoiceSettings): void {
    this.#settings = settings;
    this.#fault = undefined;
    this.#session = undefined;
    this.#conversation = new Conversation();
    this.#log = new EventLog();
    this.#latency = new LatencyBook();
    this.#responses = new Responses();
    this.#silenced = new Set();
    this.#beganAt = this.#parts.now();
    this.#muted = false;
    this.#notice = undefined;
  }

  #release(): void {
    clearTimeout(this.#interruptedTimer);
    clearTimeout(this.#endingTimer);
    this.#client?.close();
    this.#rig?.close();
    this.#client = undefined;
    this.#rig = undefined;
    this.#responses.clear();
    this.#userSpeaking = false;
    this.#turnPending = false;
    this.#sounding = false;
    this.#interrupted = false;
    this.#ending = "no";
  }

  #fail(fault: Fault): void {
    this.#run++;
    this.#release();
    this.#fault = fault;
    // The fault's screen says it all.
    this.#notice = undefined;
    this.#enter("failed");
  }

  #enter(stage: Stage): void {
    this.#stage = stage;
    this.#changed();
  }

  #sessionUpdate(): SessionUpdate {
    const settings = this.#settings as VoiceSettings;
    const format = { type: "audio/pcm", rate: 24_000 } as const;
    return {
      type: "realtime",
      instructions: settings.instructions,
      tools: this.#parts.tools.definitions(),
      tool_choice: "auto",
      output_modalities: this.#rig?.aloud === false ? ["text"] : ["audio"],
      audio: {
        input: { format, transcription: { model: "default" }, turn_detection: settings.turnDetection },
        output: { format, voice: settings.voice },
      },
    };
  }

  // --- out -------------------------------------------------------------------------------------------------------

  #send(event: Parameters<RealtimeClient["send"]>[0]): string {
    const id = this.#client?.send(event) ?? "";
    this.#changed();
    return id;
  }

  #speak(pcm: Int16Array): void {
    const client = this.#client;
    if (this.#stage !== "open" || !client) return;
    if (client.backlogBytes > MAX_BACKLOG_BYTES) {
      this.#notify("The network is slower than the microphone; some of what you say is lost.");
      return this.#changed();
    }
    client.send({ type: "input_audio_buffer.append", audio: toBase64(new Uint8Array(pcm.buffer as ArrayBuffer)) });
    // A chunk is no news; the log's audio row may lag a little.
    if (++this.#chunks % CHUNKS_PER_NOTICE === 0) this.#changed();
  }

  #want(instructions?: string): void {
    this.#responses.want(instructions === undefined ? {} : { instructions });
    this.#latency.requested(this.#parts.now());
    this.#request();
  }

  #request(): void {
    const wish = this.#responses.due();
    if (!wish) return this.#changed();
    const { instructions } = wish;
    this.#responses.sent(this.#send({ type: "response.create", ...(instructions ? { response: { instructions } } : {}) }));
  }

  // --- in --------------------------------------------------------------------------------------------------------

  #received(event: ServerEvent): void {
    this.#log.add("received", event, this.#parts.now() - this.#beganAt);
    this.#conversation.apply(event);
    switch (event.type) {
      case "session.created":
        this.#session = event.session;
        this.#send({ type: "session.update", session: this.#sessionUpdate() });
        break;
      case "session.updated":
        this.#updated(event.session);
        break;
      case "input_audio_buffer.speech_started":
        this.#speechStarted();
        break;
      case "input_audio_buffer.speech_stopped":
        this.#userSpeaking = false;
        this.#interrupted = false;
        this.#turnPending = true;
        this.#latency.speechStopped(this.#parts.now());
        break;
      case "conversation.item.input_audio_transcription.completed":
        if (!event.transcript.trim()) this.#nothingSaid();
        break;
      case "conversation.item.input_audio_transcription.failed":
        this.#nothingSaid();
        break;
      case "error":
        this.#error(event.error);
        break;
      default:
        this.#response(event);
    }
    this.#changed();
  }

  #response(event: ServerEvent): void {
    switch (event.type) {
      case "response.created":
        this.#turnPending = false;
        this.#responses.created(event.response.id);
        this.#latency.responseCreated(event.response.id);
        return;
      case "response.output_audio.delta":
        if (this.#silenced.has(event.response_id)) return;
        this.#latency.audioArrived(event.response_id, event.item_id, this.#parts.now());
        this.#rig?.player?.enqueue(event.item_id, event.delta);
        return;
      case "response.output_audio.done":
        if (!this.#silenced.has(event.response_id)) this.#rig?.player?.finish(event.item_id);
        return;
      case "response.done":
        this.#responseDone(event.response);
        this.#latency.responseDone(event.response.id, event.parley_timeline);
        return;
      default:
    }
  }

  #updated(session: SessionObject): void {
    const first = this.#stage === "connecting";
    this.#session = session;
    const turns = session.audio?.input?.turn_detection;
    this.#latency.silenceMs = turns?.type === "server_vad" ? (turns.silence_duration_ms ?? 500) : 0;
    if (!first) return;
    this.#stage = "open";
    if (this.#settings?.greet) this.#want(this.#parts.greeting);
  }

  #speechStarted(): void {
    this.#userSpeaking = true;
    this.#turnPending = false;
    this.#responses.speechStarted();
    this.#latency.abandoned();
    if (this.#session?.audio?.input?.turn_detection?.interrupt_response === false) return;
    for (const id of this.#responses.active) this.#silenced.add(id);
    if (this.#rig?.player?.idle === false) void this.#silence();
  }

  /** Fall silent, then tell the server what was heard. */
  async #silence(): Promise<void> {
    const player = this.#rig?.player;
    if (!player) return;
    this.#sounding = false;
    this.#interrupted = true;
    clearTimeout(this.#interruptedTimer);
    this.#interruptedTimer = setTimeout(() => this.#interruptionOver(), INTERRUPTED_FOR_MS);
    this.#changed();
    const cut: CutItem[] = await player.flush();
    for (const { itemId, playedMs } of cut) {
      this.#conversation.cut(itemId, playedMs);
      this.#send({ type: "conversation.item.truncate", item_id: itemId, content_index: 0, audio_end_ms: playedMs });
    }
  }

  #interruptionOver(): void {
    if (this.#userSpeaking) return;
    this.#interrupted = false;
    this.#changed();
  }

  #nothingSaid(): void {
    this.#turnPending = false;
    this.#responses.nothingSaid();
    this.#request();
  }

  #error(error: { code: string | null; message: string; event_id: string | null }): void {
    this.#responses.refused(error.event_id, error.code);
    if (error.code === "response_cancel_not_active" || error.code === "conversation_already_has_active_response") return;
    this.#notify(error.message);
  }

  #notify(text: string): void {
    this.#notice = { id: (this.#notice?.id ?? 0) + 1, text };
  }

  #responseDone(response: ResponseResource): void {
    this.#responses.done(response.id);
    this.#silenced.delete(response.id);
    if (response.status === "failed") {
      this.#notify(response.status_details?.error?.message ?? "The answer failed. Try again.");
    }
    for (const item of response.output) if (item.type === "message") this.#rig?.player?.finish(item.id);
    const calls = response.output.filter(
      (item): item is FunctionCallItem => item.type === "function_call" && item.status === "completed",
    );
    if (calls.length > 0) void this.#answer(calls, response, this.#run);
    else if (this.#ending === "asked") this.#drain();
    this.#request();
  }

  async #answer(calls: readonly FunctionCallItem[], response: ResponseResource, run: number): Promise<void> {
    const outcomes = await Promise.all(calls.map((call) => this.#parts.tools.call(call.name, call.arguments)));
    if (run !== this.#run) return;
    outcomes.forEach(({ output }, index) => {
      const callId = (calls[index] as FunctionCallItem).call_id;
      this.#conversation.answered(callId, output);
      this.#send({ type: "conversation.item.create", item: { type: "function_call_output", call_id: callId, output } });
    });
    const ends = outcomes.some((outcome) => outcome.endsSession);
    if (ends) this.#end();
    const spoke = response.output.some((item) => item.type === "message");
    if (ends && spoke) this.#drain();
    else this.#want();
  }

  // --- the end ---------------------------------------------------------------------------------------------------

  #end(): void {
    this.#ending = "asked";
    this.mute(true);
    this.#endingTimer = setTimeout(() => this.stop(), ENDING_WITHIN_MS);
  }

  #drain(): void {
    this.#ending = "draining";
    if (this.#rig?.player?.idle ?? true) this.#drained();
  }

  #sounds(itemId: string): void {
    this.#sounding = true;
    this.#interrupted = false;
    this.#latency.soundStarted(itemId, this.#parts.now());
    this.#changed();
  }

  #drained(): void {
    this.#sounding = false;
    if (this.#ending === "draining") {
      // What went to the device is not yet at the ear.
      clearTimeout(this.#endingTimer);
      this.#endingTimer = setTimeout(() => this.stop(), 200 + (this.#rig?.player?.outputLatencyMs ?? 0));
    }
    this.#changed();
  }

  // --- telling ---------------------------------------------------------------------------------------------------

  /** Tell the listeners once, however many changes this turn of the event loop brings. */
  #changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const listener of this.#listeners) listener();
    });
  }
}
