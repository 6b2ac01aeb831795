/**
 * The conversation as a person reads it: an ordered list of entries made from server events. Pure.
 *
 * Fed with events and with play positions, it knows for each spoken answer which characters were heard. Not here: what
 * to do about an event (`voice_session`), how an entry looks (the page).
 */

import { base64Bytes } from "./base64.js";
import type { FunctionCallItem, Item, MessageItem, ServerEvent } from "./events.js";
import { heardChars, readSpans, type Span } from "./heard.js";
import { wireMs } from "./pcm.js";

export interface UserEntry {
  readonly kind: "user";
  readonly id: string;
  readonly text: string;
  readonly spoken: boolean;
  /** Still speaking, being recognised, known, or not understood. */
  readonly state: "speaking" | "recognising" | "final" | "failed";
}

export interface AssistantEntry {
  readonly kind: "assistant";
  readonly id: string;
  readonly responseId: string;
  readonly text: string;
  readonly spoken: boolean;
  readonly state: "in_progress" | "completed" | "incomplete";
  /** Characters heard so far; for written answers all of them. */
  readonly heard: number;
  /** The answer was cut: what lies beyond `heard` will never sound. */
  readonly cut: boolean;
  readonly playedMs: number;
  readonly audioMs: number;
}

export interface CallEntry {
  readonly kind: "call";
  readonly id: string;
  readonly callId: string;
  readonly name: string;
  readonly args: string;
  readonly state: "in_progress" | "completed" | "incomplete";
  /** What the page answered, once it did. */
  readonly output: string | undefined;
}

export type Entry = UserEntry | AssistantEntry | CallEntry;

/** Owns the entries; `entries` is a new array after each change, so that a page can compare by identity. */
export class Conversation {
  readonly #paced: "here" | "there";
  #order: string[] = [];
  #entries = new Map<string, Entry>();
  #spans = new Map<string, Span[]>();
  #view: readonly Entry[] = [];

  /** `paced`: who knows what was heard. The server (`there`) tells it when an answer was cut, and only then. */
  constructor(paced: "here" | "there" = "here") {
    this.#paced = paced;
  }

  get entries(): readonly Entry[] {
    return this.#view;
  }

  find(itemId: string): Entry | undefined {
    return this.#entries.get(itemId);
  }

  /** Take note of one server event. Returns whether anything visible changed. */
  apply(event: ServerEvent): boolean {
    const before = this.#view;
    this.#take(event);
    return this.#view !== before;
  }

  /** `playedMs` of the item's audio have gone to the speaker. Returns whether more words were heard. */
  played(itemId: string, playedMs: number): boolean {
    const entry = this.#entries.get(itemId);
    if (entry?.kind !== "assistant" || entry.cut || playedMs <= entry.playedMs) return false;
    const heard = Math.max(entry.heard, this.#heardAt(entry, playedMs));
    this.#set(itemId, { ...entry, playedMs, heard });
    return heard !== entry.heard;
  }

  /** All of the item's audio was played. */
  playedOut(itemId: string): boolean {
    return this.#changeAssistant(itemId, (entry) =>
      entry.cut ? entry : { ...entry, playedMs: entry.audioMs, heard: entry.text.length },
    );
  }

  /** The item was silenced at `playedMs`. */
  cut(itemId: string, playedMs: number): boolean {
    return this.#changeAssistant(itemId, (entry) => ({
      ...entry,
      playedMs,
      heard: this.#heardAt(entry, playedMs),
      cut: true,
    }));
  }

  /** The page answered a call. */
  answered(callId: string, output: string): void {
    for (const [id, entry] of this.#entries) {
      if (entry.kind === "call" && entry.callId === callId) this.#set(id, { ...entry, output });
    }
  }

  #take(event: ServerEvent): void {
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        this.#insert({ kind: "user", id: event.item_id, text: "", spoken: true, state: "speaking" }, undefined);
        return;
      case "input_audio_buffer.speech_stopped":
        this.#changeUser(event.item_id, (entry) => ({ ...entry, state: "recognising" }));
        return;
      case "conversation.item.added":
      case "conversation.item.done":
        this.#item(event.item, event.previous_item_id);
        return;
      case "conversation.item.retrieved":
        return;
      case "conversation.item.deleted":
        this.#remove(event.item_id);
        return;
      case "conversation.item.truncated":
        this.#truncated(event.item_id, event.audio_end_ms, event.item);
        return;
      case "conversation.item.input_audio_transcription.delta":
        this.#changeUser(event.item_id, (entry) => ({ ...entry, text: entry.text + event.delta }));
        return;
      case "conversation.item.input_audio_transcription.completed":
        this.#changeUser(event.item_id, (entry) => ({ ...entry, text: event.transcript.trim(), state: "final" }));
        return;
      case "conversation.item.input_audio_transcription.failed":
        this.#changeUser(event.item_id, (entry) => ({ ...entry, state: "failed" }));
        return;
      default:
        this.#response(event);
    }
  }

  #response(event: ServerEvent): void {
    switch (event.type) {
      case "response.output_item.added":
      case "response.output_item.done":
        this.#outputItem(event.item, event.response_id);
        return;
      case "response.output_audio_transcript.delta":
        this.#changeAssistant(event.item_id, (entry) => this.#said(entry, entry.text + event.delta));
        return;
      case "response.output_audio_transcript.done":
        this.#changeAssistant(event.item_id, (entry) => this.#said(entry, event.transcript));
        return;
      case "response.output_text.delta":
        this.#changeAssistant(event.item_id, (entry) => written(entry, entry.text + event.delta));
        return;
      case "response.output_text.done":
        this.#changeAssistant(event.item_id, (entry) => written(entry, event.text));
        return;
      case "response.output_audio.delta": {
        const spans = this.#spans.get(event.item_id) ?? [];
        spans.push(...readSpans(event.parley_spans ?? []));
        this.#spans.set(event.item_id, spans);
        const more = wireMs(base64Bytes(event.delta));
        this.#changeAssistant(event.item_id, (entry) => ({ ...entry, spoken: true, audioMs: entry.audioMs + more }));
        return;
      }
      case "response.function_call_arguments.delta":
        this.#changeCall(event.item_id, (entry) => ({ ...entry, args: entry.args + event.delta }));
        return;
      case "response.function_call_arguments.done":
        this.#changeCall(event.item_id, (entry) => ({ ...entry, args: event.arguments }));
        return;
      default:
    }
  }

  #item(item: Item, previous: string | null): void {
    if (item.type === "function_call_output") return this.answered(item.call_id, item.output);
    if (item.type === "function_call") return this.#call(item, previous);
    if (item.role === "system") return;
    if (item.role === "user") return this.#userItem(item, previous);
    this.#assistantItem(item, "", previous);
  }

  #outputItem(item: Item, responseId: string): void {
    if (item.type === "function_call") this.#call(item, undefined);
    else if (item.type === "message") this.#assistantItem(item, responseId, undefined);
  }

  #userItem(item: MessageItem, previous: string | null): void {
    const known = this.#entries.get(item.id);
    const spoken = item.content.some((part) => part.type === "input_audio");
    if (known?.kind === "user") {
      this.#place(item.id, previous);
      if (known.state === "speaking") this.#set(item.id, { ...known, state: "recognising" });
      return;
    }
    const text = item.content.map((part) => ("text" in part ? part.text : "transcript" in part ? part.transcript ?? "" : "")).join(" ");
    const state = spoken && !text ? "recognising" : "final";
    this.#insert({ kind: "user", id: item.id, text: text.trim(), spoken, state }, previous);
  }

  #assistantItem(item: MessageItem, responseId: string, previous: string | null | undefined): void {
    const known = this.#entries.get(item.id);
    const state = item.status ?? "completed";
    if (known?.kind === "assistant") {
      if (previous !== undefined) this.#place(item.id, previous);
      this.#changeAssistant(item.id, (entry) => ({ ...entry, state, responseId: responseId || entry.responseId }));
      return;
    }
    const text = item.content.map((part) => ("text" in part ? part.text : "")).join("");
    this.#insert(
      { kind: "assistant", id: item.id, responseId, text, spoken: false, state, heard: text.length, cut: false, playedMs: 0, audioMs: 0 },
      previous,
    );
  }

  #call(item: FunctionCallItem, previous: string | null | undefined): void {
    const known = this.#entries.get(item.id);
    const state = item.status ?? "completed";
    if (known?.kind === "call") {
      if (previous !== undefined) this.#place(item.id, previous);
      this.#changeCall(item.id, (entry) => ({ ...entry, state, args: item.arguments || entry.args }));
      return;
    }
    this.#insert(
      { kind: "call", id: item.id, callId: item.call_id, name: item.name, args: item.arguments, state, output: undefined },
      previous,
    );
  }

  #truncated(itemId: string, endMs: number, item: Item | undefined): void {
    this.#changeAssistant(itemId, (entry) => {
      const left = item?.type === "message" ? item.content.find((part) => part.type === "output_audio") : undefined;
      const kept = left?.transcript;
      const heard = kept !== undefined && entry.text.startsWith(kept) ? kept.length : this.#heardAt(entry, endMs);
      return { ...entry, playedMs: Math.min(entry.playedMs, endMs) || endMs, heard, cut: true };
    });
  }

  #heardAt(entry: AssistantEntry, playedMs: number): number {
    return heardChars(entry.text, this.#spans.get(entry.id) ?? [], playedMs, entry.audioMs);
  }

  #said(entry: AssistantEntry, text: string): AssistantEntry {
    const heard = this.#paced === "there" && !entry.cut ? text.length : entry.heard;
    return { ...entry, spoken: true, text, heard };
  }

  #changeUser(id: string, change: (entry: UserEntry) => UserEntry): boolean {
    const entry = this.#entries.get(id);
    return entry?.kind === "user" && this.#set(id, change(entry));
  }

  #changeAssistant(id: string, change: (entry: AssistantEntry) => AssistantEntry): boolean {
    const entry = this.#entries.get(id);
    return entry?.kind === "assistant" && this.#set(id, change(entry));
  }

  #changeCall(id: string, change: (entry: CallEntry) => CallEntry): boolean {
    const entry = this.#entries.get(id);
    return entry?.kind === "call" && this.#set(id, change(entry));
  }

  #set(id: string, entry: Entry): boolean {
    if (this.#entries.get(id) === entry) return false;
    this.#entries.set(id, entry);
    this.#refresh();
    return true;
  }

  /** `previous`: undefined appends unless the item is known; null puts it first. */
  #insert(entry: Entry, previous: string | null | undefined): void {
    if (!this.#order.includes(entry.id)) this.#order.push(entry.id);
    this.#entries.set(entry.id, entry);
    if (previous !== undefined) this.#place(entry.id, previous);
    this.#refresh();
  }

  #place(id: string, previous: string | null): void {
    const rest = this.#order.filter((other) => other !== id);
    // Items that are not shown (system messages, call outputs) may be named; then the item stays where it is.
    const at = previous === null ? 0 : rest.indexOf(previous) + 1;
    if (previous !== null && at === 0) return;
    if (this.#order[at] === id) return;
    rest.splice(at, 0, id);
    this.#order = rest;
    this.#refresh();
  }

  #remove(id: string): void {
    this.#order = this.#order.filter((other) => other !== id);
    this.#entries.delete(id);
    this.#refresh();
  }

  #refresh(): void {
    this.#view = this.#order.flatMap((id) => this.#entries.get(id) ?? []);
  }
}

function written(entry: AssistantEntry, text: string): AssistantEntry {
  return { ...entry, text, heard: text.length };
}
