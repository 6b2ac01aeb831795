/**
 * How events reach the server: the seam between the client and the network.
 *
 * A transport carries JSON texts both ways. `audio` says where speech travels: inside events (WebSocket) or beside them
 * on media tracks (WebRTC). Not here: what the events mean (`client`), secrets (`page_api`).
 */

import { Fault } from "./faults.js";

export interface TransportClose {
  readonly code: number;
  readonly reason: string;
}

export interface TransportListener {
  message(text: string): void;
  closed(close: TransportClose): void;
}

export interface Transport {
  /** Whether audio rides in events or on media tracks. */
  readonly audio: "in-events" | "on-tracks";
  /** Resolves when events may be sent. Raises `Fault("server-gone")`. */
  open(listener: TransportListener): Promise<void>;
  send(text: string): void;
  /** Bytes accepted by `send` that have not left yet. */
  readonly backlogBytes: number;
  close(): void;
}

const OPEN_WITHIN_MS = 10_000;

/** Events and audio over one WebSocket, authenticated by sub-protocol because a browser can set no header. */
export class WebSocketTransport implements Transport {
  readonly audio = "in-events";
  readonly #url: string;
  readonly #secret: string;
  #socket: WebSocket | undefined;

  /** `url` is `ws:` or `wss:`; `secret` a short-lived `ek_…`. */
  constructor(url: string, secret: string) {
    this.#url = url;
    this.#secret = secret;
  }

  open(listener: TransportListener): Promise<void> {
    const socket = new WebSocket(this.#url, ["realtime", `openai-insecure-api-key.${this.#secret}`]);
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      let opened = false;
      const timer = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
      socket.onopen = () => {
        opened = true;
        clearTimeout(timer);
        resolve();
      };
      socket.onmessage = (message) => {
        if (typeof message.data === "string") listener.message(message.data);
      };
      socket.onclose = ({ code, reason }) => {
        clearTimeout(timer);
        if (opened) listener.closed({ code, reason });
        else reject(new Fault("server-gone", "The server did not accept a WebSocket connection."));
      };
    });
  }

  send(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  get backlogBytes(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  close(): void {
    this.#socket?.close(1000, "The page is done.");
  }
}
