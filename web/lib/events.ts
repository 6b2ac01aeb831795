/**
 * The wire's events, as far as Parley's pages read and write them. Types only.
 *
 * Fields named `parley_…` are Parley's additions to known events; against another server they are simply absent.
 */

export type ContentPart =
  | { type: "input_text"; text: string }
  | { type: "input_audio"; transcript?: string | null }
  | { type: "input_image"; image_url: string }
  | { type: "output_text"; text: string }
  | { type: "output_audio"; transcript?: string };

export type ItemStatus = "in_progress" | "completed" | "incomplete";

export interface MessageItem {
  type: "message";
  id: string;
  role: "user" | "assistant" | "system";
  status?: ItemStatus;
  content: ContentPart[];
}

export interface FunctionCallItem {
  type: "function_call";
  id: string;
  status?: ItemStatus;
  call_id: string;
  name: string;
  arguments: string;
}

export interface FunctionCallOutputItem {
  type: "function_call_output";
  id: string;
  status?: ItemStatus;
  call_id: string;
  output: string;
}

export type Item = MessageItem | FunctionCallItem | FunctionCallOutputItem;

export interface FunctionTool {
  type: "function";
  name: string;
  description: string;
  parameters?: JsonObject;
}

export type JsonObject = { [key: string]: unknown };

export type TurnDetection =
  | {
      type: "server_vad";
      threshold?: number;
      prefix_padding_ms?: number;
      silence_duration_ms?: number;
      create_response?: boolean;
      interrupt_response?: boolean;
    }
  | { type: "semantic_vad"; eagerness?: "low" | "medium" | "high" | "auto"; interrupt_response?: boolean };

export interface SessionObject {
  id: string;
  type: "realtime" | "transcription";
  model: string;
  instructions: string;
  expires_at: number;
  audio?: {
    input?: { turn_detection?: TurnDetection | null };
    output?: { voice?: string };
  };
}

/** What a page asks for in `session.update`. */
export interface SessionUpdate {
  type: "realtime";
  instructions?: string;
  tools?: FunctionTool[];
  tool_choice?: "auto" | "none" | "required";
  output_modalities?: ["audio"] | ["text"];
  audio?: {
    input?: {
      format?: { type: "audio/pcm"; rate: 24_000 };
      transcription?: { model: string; language?: string } | null;
      turn_detection?: TurnDetection | null;
    };
    output?: { format?: { type: "audio/pcm"; rate: 24_000 }; voice?: string };
  };
}

/** `[char_start, char_end, start_ms, end_ms, …]`: which characters of a message sound when. */
export type SpanRow = readonly [number, number, number, number, ...unknown[]];

/** Where a turn's time went, in ms after the voice stopped, or after `response.create`. */
export interface ServerTimeline {
  committed_ms?: number;
  transcript_ms?: number;
  first_token_ms?: number;
  first_audio_ms?: number;
  first_sent_ms?: number;
}

export interface ResponseResource {
  id: string;
  status: "in_progress" | "completed" | "cancelled" | "incomplete" | "failed";
  status_details?: {
    type: string;
    reason?: string;
    error?: { type?: string; code?: string; message?: string };
  } | null;
  output: Item[];
  metadata?: Record<string, string> | null;
}

export interface WireError {
  type: string;
  code: string | null;
  message: string;
  param: string | null;
  event_id: string | null;
}

interface OfItem {
  response_id: string;
  item_id: string;
  output_index: number;
  content_index: number;
}

interface Named<Type extends string> {
  type: Type;
  event_id: string;
}

export type ServerEvent =
  | (Named<"error"> & { error: WireError })
  | (Named<"session.created" | "session.updated"> & { session: SessionObject })
  | (Named<"conversation.created"> & { conversation: { id: string } })
  | (Named<"conversation.item.added" | "conversation.item.done"> & { previous_item_id: string | null; item: Item })
  | (Named<"conversation.item.retrieved"> & { item: Item })
  | (Named<"conversation.item.deleted"> & { item_id: string })
  | (Named<"conversation.item.truncated"> & {
      item_id: string;
      content_index: number;
      audio_end_ms: number;
      item?: Item;
    })
  | (Named<"conversation.item.input_audio_transcription.delta"> & { item_id: string; delta: string })
  | (Named<"conversation.item.input_audio_transcription.completed"> & { item_id: string; transcript: string })
  | (Named<"conversation.item.input_audio_transcription.failed"> & { item_id: string; error: { message: string } })
  | (Named<"input_audio_buffer.speech_started"> & { audio_start_ms: number; item_id: string })
  | (Named<"input_audio_buffer.speech_stopped"> & { audio_end_ms: number; item_id: string })
  | (Named<"input_audio_buffer.committed"> & { item_id: string; previous_item_id: string | null })
  | Named<"input_audio_buffer.cleared">
  | (Named<"output_audio_buffer.started" | "output_audio_buffer.stopped" | "output_audio_buffer.cleared"> & {
      response_id: string;
    })
  | (Named<"response.created"> & { response: ResponseResource })
  | (Named<"response.done"> & { response: ResponseResource; parley_timeline?: ServerTimeline })
  | (Named<"response.output_item.added" | "response.output_item.done"> & {
      response_id: string;
      output_index: number;
      item: Item;
    })
  | (Named<"response.content_part.added" | "response.content_part.done"> & OfItem & { part: { type: string } })
  | (Named<"response.output_text.delta"> & OfItem & { delta: string })
  | (Named<"response.output_text.done"> & OfItem & { text: string })
  | (Named<"response.output_audio_transcript.delta"> & OfItem & { delta: string })
  | (Named<"response.output_audio_transcript.done"> & OfItem & { transcript: string })
  | (Named<"response.output_audio.delta"> & OfItem & { delta: string; parley_spans?: SpanRow[] })
  | (Named<"response.output_audio.done"> & OfItem)
  | (Named<"response.function_call_arguments.delta"> & { response_id: string; item_id: string; delta: string })
  | (Named<"response.function_call_arguments.done"> & {
      response_id: string;
      item_id: string;
      call_id: string;
      name: string;
      arguments: string;
    })
  | (Named<"rate_limits.updated"> & { rate_limits: unknown[] });

export type ServerEventOf<Type extends ServerEvent["type"]> = Extract<ServerEvent, { type: Type }>;

export type ClientItem =
  | { type: "message"; role: "user" | "system"; content: { type: "input_text"; text: string }[] }
  | { type: "function_call_output"; call_id: string; output: string };

export type ClientEvent =
  | { type: "session.update"; session: SessionUpdate }
  | { type: "input_audio_buffer.append"; audio: string }
  | { type: "input_audio_buffer.commit" }
  | { type: "input_audio_buffer.clear" }
  | { type: "output_audio_buffer.clear" }
  | { type: "conversation.item.create"; item: ClientItem; previous_item_id?: string }
  | { type: "conversation.item.truncate"; item_id: string; content_index: number; audio_end_ms: number }
  | { type: "conversation.item.delete"; item_id: string }
  | {
      type: "response.create";
      response?: { instructions?: string; tool_choice?: "auto" | "none" | "required"; metadata?: Record<string, string> };
    }
  | { type: "response.cancel"; response_id?: string };

/** Whether a parsed frame is an event at all; fields are trusted beyond that, unknown types are kept for the log. */
export function isServerEvent(value: unknown): value is ServerEvent {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}
