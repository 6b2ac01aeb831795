/**
 * Events over the data channel `oai-events`, audio beside them on tracks: one RTCPeerConnection.
 *
 * The offer is posted as it is, without candidates: the server names its addresses in the answer and the checks begin
 * here. When the network changes under a conversation (Wi-Fi to mobile), ICE is restarted at the call's own address.
 * Source: Realtime API, "WebRTC"; W3C WebRTC 1.0. Not here: microphone and loudspeaker (`track_sound`).
 */

import { Fault, requestFault } from "./faults.js";
import type { Transport, TransportListener } from "./transport.js";

const OPEN_WITHIN_MS = 12_000;
/** A connection that stops answering may come back by itself for so long, then ICE is restarted. */
const PATIENCE_MS = 2000;
const BACK_WITHIN_MS = 8000;

/** What the connection needs of the page's sound. */
export interface PeerMedia {
  /** The microphone's track; absent for a conversation by keyboard. */
  readonly microphoneTrack: MediaStreamTrack | undefined;
  /** Called once with the sender of the microphone's track. */
  sending(sender: RTCRtpSender): void;
  /** The server's voice. */
  hear(stream: MediaStream): void;
}

export class WebRtcTransport implements Transport {
  readonly #url: string;
  readonly #secret: string | undefined;
  readonly #media: PeerMedia;
  readonly #peer = new RTCPeerConnection();
  readonly #abort = new AbortController();
  #channel: RTCDataChannel | undefined;
  #callUrl: string | undefined;
  #listener: TransportListener | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #restarting = false;
  #over = false;

  /** `url` takes the offer by POST; `secret` is a short-lived `ek_…`, absent where a back end adds the key. */
  constructor(url: string, secret: string | undefined, media: PeerMedia) {
    this.#url = url;
    this.#secret = secret;
    this.#media = media;
  }

  async open(listener: TransportListener): Promise<void> {
    const peer = this.#peer;
    const channel = peer.createDataChannel("oai-events");
    this.#channel = channel;
    const microphone = this.#media.microphoneTrack;
    if (microphone) this.#media.sending(peer.addTrack(microphone));
    else peer.addTransceiver("audio", { direction: "recvonly" });
    peer.ontrack = ({ track, streams }) => this.#media.hear(streams[0] ?? new MediaStream([track]));
    const opened = this.#opened(channel, listener);
    // Whichever fails first tells; a rejection of the other is then no news.
    opened.catch(() => undefined);
    await peer.setLocalDescription();
    const { answer, location } = await this.#post(this.#url, peer.localDescription as RTCSessionDescription);
    this.#callUrl = location;
    if (this.#over) throw new Fault("server-gone", "The page closed the connection.");
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    await opened;
    this.#listener = listener;
    peer.onconnectionstatechange = () => this.#stateChanged();
    this.#stateChanged();
  }

  send(text: string): void {
    if (this.#channel?.readyState === "open") this.#channel.send(text);
  }

  get backlogBytes(): number {
    return this.#channel?.bufferedAmount ?? 0;
  }

  async statistics(): Promise<RTCStatsReport | undefined> {
    return this.#over ? undefined : this.#peer.getStats();
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#patience);
    this.#abort.abort();
    this.#peer.close();
  }

  #opened(channel: RTCDataChannel, listener: TransportListener): Promise<void> {
    return new Promise((resolve, reject) => {
      const noPath = (): void => reject(new Fault("no-media-path", "No packet of the call came back."));
      const timer = setTimeout(noPath, OPEN_WITHIN_MS);
      channel.onopen = () => {
        clearTimeout(timer);
        resolve();
      };
      channel.onmessage = (message) => {
        if (typeof message.data === "string") listener.message(message.data);
      };
      channel.onclose = () => {
        clearTimeout(timer);
        reject(new Fault("server-gone", "The server closed the connection."));
        this.#ended(1000, "The server closed the call.");
      };
      this.#peer.onconnectionstatechange = () => {
        if (this.#peer.connectionState === "failed") noPath();
      };
    });
  }

  async #post(url: string, offer: RTCSessionDescription): Promise<{ answer: string; location: string | undefined }> {
    const headers: Record<string, string> = { "content-type": "application/sdp" };
    if (this.#secret) headers["authorization"] = `Bearer ${this.#secret}`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, { method: "POST", headers, body: offer.sdp, signal: this.#abort.signal });
      text = await response.text();
    } catch (error) {
      throw new Fault("server-gone", error instanceof Error ? error.message : "");
    }
    if (!response.ok) throw requestFault(response.status, text);
    const location = response.headers.get("location");
    return { answer: text, location: location === null ? undefined : new URL(location, response.url).href };
  }

  #stateChanged(): void {
    clearTimeout(this.#patience);
    if (this.#over || this.#restarting) return;
    const state = this.#peer.connectionState;
    if (state === "failed") void this.#restart();
    else if (state === "disconnected") this.#patience = setTimeout(() => void this.#restart(), PATIENCE_MS);
  }

  /** Look for another way to the server; give up if there is none soon. */
  async #restart(): Promise<void> {
    if (!this.#callUrl) return this.#ended(1006);
    this.#restarting = true;
    this.#patience = setTimeout(() => this.#ended(1006), BACK_WITHIN_MS);
    try {
      this.#peer.restartIce();
      await this.#peer.setLocalDescription();
      const { answer } = await this.#post(this.#callUrl, this.#peer.localDescription as RTCSessionDescription);
      await this.#peer.setRemoteDescription({ type: "answer", sdp: answer });
      await this.#connectedAgain();
      clearTimeout(this.#patience);
      this.#restarting = false;
    } catch (error) {
      // The server is gone or has forgotten the call; either way this connection is over.
      if (error instanceof Fault || error instanceof DOMException) this.#ended(1006);
      else throw error;
    }
  }

  #connectedAgain(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#peer.connectionState === "connected") resolve();
      };
      this.#peer.addEventListener("connectionstatechange", look);
      look();
    });
  }

  #ended(code: number, reason = ""): void {
    if (this.#over || !this.#listener) return;
    this.close();
    this.#listener.closed({ code, reason });
  }
}
