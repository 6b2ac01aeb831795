/** Events and audio over one WebSocket, authenticated by sub-protocol because a browser can set no header. */

import { Fault } from "./faults.js";
import type { Transport, TransportListener } from "./transport.js";

const OPEN_WITHIN_MS = 10_000;

export class WebSocketTransport implements Transport {
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

  statistics(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  close(): void {
    this.#socket?.close(1000, "The page is done.");
  }
}
