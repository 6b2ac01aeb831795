/**
 * How events reach the server: the seam between the client and the network.
 *
 * A transport carries JSON texts both ways; `websocket_transport` and `webrtc_transport` are the two there are. Not
 * here: where speech travels (`sound`), what the events mean (`client`), secrets (`page_api`).
 */

export type TransportKind = "webrtc" | "websocket";

/** Why a connection ended, in the codes of WebSocket (RFC 6455, section 7.4); 1006 is a connection that just broke. */
export interface TransportClose {
  readonly code: number;
  readonly reason: string;
}

export interface TransportListener {
  message(text: string): void;
  closed(close: TransportClose): void;
}

export interface Transport {
  /** Resolves when events may be sent. Raises `Fault`. */
  open(listener: TransportListener): Promise<void>;
  send(text: string): void;
  /** Bytes accepted by `send` that have not left yet. */
  readonly backlogBytes: number;
  /** What the browser knows about the connection; undefined where it tells nothing. */
  statistics(): Promise<RTCStatsReport | undefined>;
  close(): void;
}
