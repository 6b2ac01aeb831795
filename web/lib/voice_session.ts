/**
 * A voice conversation in a page: sound, client, tools and conversation, joined.
 *
 * One instance lives as long as the page; `start` and `stop` as often as a person likes. Pages read `snapshot` after a
 * notification and draw. The rules worth knowing:
 * - Barge-in. Over WebSocket the page falls silent on `speech_started` and tells the server what was heard; over WebRTC
 *   the server does both (`event_sound`, `track_sound`).
 * - Function calls are answered after `response.done`; one `response.create` follows all outputs of a response.
 * - A tool with `endsSession` mutes the microphone; the session closes when the words spoken about it have been heard.
 */

import { toBase64 } from "./base64.js";
import { type RealtimeListener, RealtimeClient } from "./client.js";
import { Conversation, type Entry } from "./conversation.js";
import { EventLog, type LogRow } from "./event_log.js";
import { EventSound } from "./event_sound.js";
import type { FunctionCallItem, ResponseResource, ServerEvent, SessionObject, SessionUpdate, TurnDetection } from "./events.js";
import { Fault } from "./faults.js";
import { LatencyBook, type TurnLatency } from "./latency.js";
import { LineWatch } from "./line_watch.js";
import type { NetworkSample } from "./network.js";
import { type Phase, phaseOf } from "./phase.js";
import { Responses } from "./responses.js";
import type { Sound, SoundChoice, SoundListener } from "./sound.js";
import type { ToolBox } from "./toolbox.js";
import { TrackSound } from "./track_sound.js";
import type { TransportKind } from "./transport.js";
import { WakeLock } from "./wake_lock.js";
import { WebRtcTransport } from "./webrtc_transport.js";
import { WebSocketTransport } from "./websocket_transport.js";

export interface VoiceSettings {
  /** How the next conversation connects. */
  readonly transport: TransportKind;
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
  /** How the line is; absent over WebSocket, which tells nothing. */
  readonly network: NetworkSample | undefined;
}

/** Where to connect: the WebSocket's URL or the one that takes the offer, and what opens it. */
export interface Address {
  readonly url: string;
  /** A short-lived `ek_…`; absent where a back end adds the key. */
  readonly secret: string | undefined;
}

export interface VoiceSessionParts {
  readonly tools: ToolBox;
  /** Where to connect now, with a fresh secret. Raises `Fault`. */
  readonly address: (transport: TransportKind) => Promise<Address>;
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
  readonly #wakeLock = new WakeLock();
  #choice: SoundChoice;
  #stage: Stage = "idle";
  #fault: Fault | undefined;
  #settings: VoiceSettings | undefined;
  #session: SessionObject | undefined;
  #conversation = new Conversation();
  #log = new EventLog();
  #latency = new LatencyBook();
  #responses = new Responses();
  #sound: Sound | undefined;
  #client: RealtimeClient | undefined;
  #network: NetworkSample | undefined;
  #lineWatch: LineWatch | undefined;
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

  /** `choice`: devices and loudness to begin with. */
  constructor(parts: VoiceSessionParts, choice: SoundChoice) {
    this.#parts = parts;
    this.#choice = choice;
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
        awaiting: this.#turnPending || this.#responses.busy || this.#sound?.idle === false,
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
      microphone: this.#sound?.listening ? "on" : "off",
      aloud: this.#sound?.aloud ?? true,
      notice: this.#notice,
      ending: this.#ending !== "no",
      network: this.#network,
    };
  }

  /** Taps for level displays; absent when there is nothing to hear. */
  get analysers(): { readonly user: AnalyserNode | undefined; readonly assistant: AnalyserNode | undefined } {
    const { user, assistant } = this.#sound?.analysers ?? { user: undefined, assistant: undefined };
    return { user: this.#muted ? undefined : user, assistant };
  }

  /** Begin a conversation; call it from a click, so that the browser allows sound. `microphone` false: keyboard only. */
  async start(settings: VoiceSettings, microphone = true): Promise<void> {
    this.#release();
    const run = ++this.#run;
    this.#reset(settings);
    const listener = this.#soundListener(run);
    const sound = settings.transport === "webrtc" ? new TrackSound(this.#choice, listener) : new EventSound(this.#choice, listener);
    this.#sound = sound;
    try {
      await this.#open(run, sound, microphone);
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
    const running = new Set(this.#responses.active);
    if (running.size === 0 && this.#sound?.idle !== false) return;
    for (const id of running) this.#send({ type: "response.cancel", response_id: id });
    await this.#sound?.hush(running);
  }

  mute(muted: boolean): void {
    this.#muted = muted;
    this.#sound?.mute(muted);
    this.#changed();
  }

  /** Change devices and loudness, now and for later conversations. */
  async choose(choice: SoundChoice): Promise<void> {
    this.#choice = choice;
    try {
      await this.#sound?.choose(choice);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#notify(`That microphone cannot be used now; the one before it stays. ${error.detail}`.trim());
    }
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

  async #open(run: number, sound: EventSound | TrackSound, microphone: boolean): Promise<void> {
    this.#enter(microphone ? "permission" : "connecting");
    await sound.open(microphone);
    if (run !== this.#run) return;
    const { url, secret } = await this.#parts.address(sound instanceof TrackSound ? "webrtc" : "websocket");
    if (run !== this.#run) return;
    const transport =
      sound instanceof TrackSound ? new WebRtcTransport(url, secret, sound) : new WebSocketTransport(url, secret ?? "");
    const client = new RealtimeClient(transport, this.#listener(run));
    this.#client = client;
    await client.open();
    if (run !== this.#run) return;
    this.#lineWatch = new LineWatch(transport, this.#parts.now, (sample) => {
      this.#network = sample;
      this.#changed();
    });
  }

  #soundListener(run: number): SoundListener {
    const live = (act: () => unknown) => (run === this.#run ? act() : undefined);
    return {
      permitted: () => live(() => this.#enter("connecting")),
      chunk: (pcm) => live(() => this.#speak(pcm)),
      lost: () => live(() => this.#fail(new Fault("microphone-lost"))),
      blocked: (fault) => live(() => this.#fail(fault)),
      arrived: (responseId) => live(() => this.#latency.audioArrived(responseId, this.#parts.now())),
      started: (responseId) => live(() => this.#sounds(responseId)),
      progress: (itemId, playedMs) => live(() => this.#conversation.played(itemId, playedMs) && this.#changed()),
      ended: (itemId) => live(() => this.#conversation.playedOut(itemId) && this.#changed()),
      drained: () => live(() => this.#drained()),
      silenced: () => live(() => this.#fellSilent()),
      cut: (itemId, playedMs) => live(() => this.#conversation.cut(itemId, playedMs)),
      send: (event) => live(() => this.#send(event)),
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
    this.#conversation = new Conversation(settings.transport === "webrtc" ? "there" : "here");
    this.#log = new EventLog();
    this.#latency = new LatencyBook();
    this.#responses = new Responses();
    this.#network = undefined;
    this.#beganAt = this.#parts.now();
    this.#muted = false;
    this.#notice = undefined;
  }

  #release(): void {
    clearTimeout(this.#interruptedTimer);
    clearTimeout(this.#endingTimer);
    this.#lineWatch?.stop();
    this.#client?.close();
    this.#sound?.close();
    this.#client = undefined;
    this.#sound = undefined;
    this.#wakeLock.keep(false);
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
    // On tracks the codec was negotiated already.
    const format = this.#sound instanceof EventSound ? ({ format: { type: "audio/pcm", rate: 24_000 } } as const) : {};
    return {
      type: "realtime",
      instructions: settings.instructions,
      tools: this.#parts.tools.definitions(),
      tool_choice: "auto",
      output_modalities: this.#sound?.aloud === false ? ["text"] : ["audio"],
      audio: {
        input: { ...format, transcription: { model: "default" }, turn_detection: settings.turnDetection },
        output: { ...format, voice: settings.voice },
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
    this.#sound?.received(event);
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
    this.#wakeLock.keep(matchMedia("(pointer: coarse)").matches);
    if (this.#settings?.greet) this.#want(this.#parts.greeting);
  }

  #speechStarted(): void {
    this.#userSpeaking = true;
    this.#turnPending = false;
    this.#responses.speechStarted();
    this.#latency.abandoned();
    if (this.#session?.audio?.input?.turn_detection?.interrupt_response === false) return;
    this.#sound?.bargedIn(new Set(this.#responses.active));
  }

  #fellSilent(): void {
    this.#sounding = false;
    this.#interrupted = true;
    clearTimeout(this.#interruptedTimer);
    this.#interruptedTimer = setTimeout(() => this.#interruptionOver(), INTERRUPTED_FOR_MS);
    this.#changed();
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
    if (response.status === "failed") {
      this.#notify(response.status_details?.error?.message ?? "The answer failed. Try again.");
    }
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
    if (this.#sound?.idle ?? true) this.#drained();
  }

  #sounds(responseId: string): void {
    this.#sounding = true;
    this.#interrupted = false;
    this.#latency.soundStarted(responseId, this.#parts.now());
    this.#changed();
  }

  #drained(): void {
    this.#sounding = false;
    if (this.#ending === "draining") {
      // What went to the device is not yet at the ear.
      clearTimeout(this.#endingTimer);
      this.#endingTimer = setTimeout(() => this.stop(), 200 + (this.#sound?.outputLatencyMs ?? 0));
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
