/**
 * The Realtime protocol's client: typed events over any transport.
 *
 * Not here: microphone and speaker (`voice_session` joins them), what a conversation looks like (`conversation`).
 */

import { type ClientEvent, isServerEvent, type ServerEvent } from "./events.js";
import { closeFault, type Fault } from "./faults.js";
import type { Transport } from "./transport.js";

/** A client event as it was sent, with its id. */
export type SentEvent = ClientEvent & { event_id: string };

export interface RealtimeListener {
  received(event: ServerEvent): void;
  sent(event: SentEvent): void;
  /** The connection ended; `fault` is undefined if this side closed it. */
  closed(fault: Fault | undefined): void;
}

export class RealtimeClient {
  readonly #transport: Transport;
  readonly #listener: RealtimeListener;
  #count = 0;
  #closing = false;
  #lastError: { code: string | null; message: string } | undefined;

  constructor(transport: Transport, listener: RealtimeListener) {
    this.#transport = transport;
    this.#listener = listener;
  }

  /** Connect. The server greets with `session.created`. Raises `Fault`. */
  async open(): Promise<void> {
    await this.#transport.open({
      message: (text) => this.#receive(text),
      closed: (close) => this.#listener.closed(this.#closing ? undefined : closeFault(close, this.#lastError)),
    });
  }

  /** Send one event; returns the `event_id` given to it. */
  send(event: ClientEvent): string {
    const sent: SentEvent = { ...event, event_id: `page_${++this.#count}` };
    this.#transport.send(JSON.stringify(sent));
    this.#listener.sent(sent);
    return sent.event_id;
  }

  /** Bytes waiting to leave; a growing number means that the network is too slow for the microphone. */
  get backlogBytes(): number {
    return this.#transport.backlogBytes;
  }

  close(): void {
    this.#closing = true;
    this.#transport.close();
  }

  #receive(text: string): void {
    const event: unknown = JSON.parse(text);
    if (!isServerEvent(event)) return;
    if (event.type === "error") this.#lastError = event.error;
    this.#listener.received(event);
  }
}
