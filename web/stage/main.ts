// One publishes, many listen: the smallest complete example of the Calls API, without a library.
//
// The speaker's page has the app's secret. It publishes a microphone, mints a token with which one may listen to that
// track and do nothing else, and puts it into a link. A listener's page has the link alone.

import { applyTheme } from "../lib/color_theme.js";

interface Description { type: RTCSdpType; sdp: string }
interface Track { mid: string; errorDescription?: string; subscribers?: number; trackName?: string }
interface Reply {
  sessionId: string;
  token: string;
  sessionDescription: Description;
  tracks: Track[];
  dataChannel: { id: number };
  dataChannels: { id: number; errorDescription?: string }[];
  errorDescription?: string;
}

const TRACK = "stage";
const CAPTIONS = "captions";
const HOUR_S = 3600;
const LISTENERS = 1000;

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const say = (words: string): void => void (element("state").textContent = words);

/** The API of one app under one bearer. Every reply is JSON, errors too. */
class Calls {
  constructor(readonly app: string, private readonly bearer: string) {}

  async ask(method: string, path: string, body?: unknown): Promise<Reply> {
    const answer = await fetch(`/v1/apps/${encodeURIComponent(this.app)}${path}`, {
      method,
      keepalive: method === "DELETE", // sent while the page goes
      headers: { authorization: `Bearer ${this.bearer}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const reply = (await answer.json()) as Reply;
    if (reply.errorDescription) throw new Error(reply.errorDescription);
    return reply;
  }
}

/** One session: a PeerConnection and its side of the API. */
class Session {
  readonly peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });

  private constructor(readonly calls: Calls, readonly id: string) {
    this.peer.addEventListener("connectionstatechange", () => {
      const words = { connected: "", connecting: "Connecting …", new: "", closed: "Over.", disconnected: "The line is down …", failed: "The line is lost. Reload the page." };
      say(words[this.peer.connectionState]);
    });
    addEventListener("pagehide", () => void this.ask("DELETE", ""));
  }

  static async make(calls: Calls): Promise<Session> {
    return new Session(calls, (await calls.ask("POST", "/sessions/new")).sessionId);
  }

  ask(method: string, path: string, body?: unknown): Promise<Reply> {
    return this.calls.ask(method, `/sessions/${this.id}${path}`, body);
  }

  async publish(track: MediaStreamTrack): Promise<void> {
    const transceiver = this.peer.addTransceiver(track, { direction: "sendonly" });
    await this.peer.setLocalDescription();
    const reply = await this.ask("POST", "/tracks/new", {
      sessionDescription: this.peer.localDescription,
      tracks: [{ location: "local", trackName: TRACK, mid: transceiver.mid }],
    });
    await this.peer.setRemoteDescription(reply.sessionDescription);
  }

  async pull(from: string): Promise<MediaStreamTrack> {
    const reply = await this.ask("POST", "/tracks/new", {
      tracks: [{ location: "remote", sessionId: from, trackName: TRACK }],
    });
    const [pulled] = reply.tracks;
    if (!pulled?.mid) throw new Error(pulled?.errorDescription ?? "Nobody speaks there.");
    await this.answer(reply);
    const transceiver = this.peer.getTransceivers().find((each) => each.mid === pulled.mid);
    if (!transceiver) throw new Error("The track has no place in this connection.");
    return transceiver.receiver.track;
  }

  /** Be told what happens: who listens, and when it is over. */
  async events(heard: (event: { type: string; count?: number; reason?: string }) => void): Promise<void> {
    this.peer.addEventListener("datachannel", ({ channel }) => {
      channel.addEventListener("message", ({ data }) => heard(JSON.parse(data as string) as { type: string }));
    });
    await this.answer(await this.ask("POST", "/datachannels/establish", {}));
  }

  /** Publish a data channel; give what writes into it. */
  async write(name: string): Promise<(text: string) => void> {
    const reply = await this.ask("POST", "/datachannels/new", {
      dataChannels: [{ location: "local", dataChannelName: name }],
    });
    const channel = this.peer.createDataChannel(name, { negotiated: true, id: reply.dataChannels[0]?.id ?? 0 });
    return (text) => void (channel.readyState === "open" && text && channel.send(text));
  }

  /** Read the speaker's captions, where there are any. */
  async captions(from: string, shown: (text: string) => void): Promise<void> {
    const reply = await this.ask("POST", "/datachannels/new", {
      dataChannels: [{ location: "remote", sessionId: from, dataChannelName: CAPTIONS }],
    });
    const [found] = reply.dataChannels;
    if (!found || found.errorDescription) return;
    const channel = this.peer.createDataChannel(CAPTIONS, { negotiated: true, id: found.id });
    channel.addEventListener("message", ({ data }) => shown(String(data)));
  }

  private async answer(reply: Reply): Promise<void> {
    await this.peer.setRemoteDescription(reply.sessionDescription);
    await this.peer.setLocalDescription();
    await this.ask("PUT", "/renegotiate", { sessionDescription: this.peer.localDescription });
  }
}

/** Have this server's recogniser write down what is said, where it lets this page, for all who listen to read. */
async function caption(microphone: MediaStreamTrack, write: (text: string) => void): Promise<void> {
  const input = { transcription: { model: "default" } };
  const body = JSON.stringify({ session: { type: "transcription", audio: { input } } });
  const minted = await fetch("/ui/secret", { method: "POST", body });
  if (!minted.ok) return;
  const { value } = (await minted.json()) as { value: string };
  const peer = new RTCPeerConnection();
  peer.addTrack(microphone);
  peer.createDataChannel("oai-events").addEventListener("message", ({ data }) => {
    const event = JSON.parse(data as string) as { type: string; transcript?: string };
    if (event.type === "conversation.item.input_audio_transcription.completed") write(event.transcript ?? "");
  });
  await peer.setLocalDescription();
  const headers = { authorization: `Bearer ${value}`, "content-type": "application/sdp" };
  const answer = await fetch("/v1/realtime/calls", { method: "POST", headers, body: peer.localDescription?.sdp ?? "" });
  if (answer.ok) await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
}

function show(name: string): void {
  element("open").hidden = true;
  element("live").hidden = false;
  element("who").textContent = name;
}

function count(listeners: number): void {
  element("count").textContent = listeners === 1 ? "1 listener" : `${listeners} listeners`;
}

async function speak(): Promise<void> {
  const value = (id: string): string => element<HTMLInputElement>(id).value.trim();
  const calls = new Calls(value("app"), value("secret"));
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  const [track] = microphone.getAudioTracks();
  if (!track) throw new Error("There is no microphone.");
  const session = await Session.make(calls);
  await session.publish(track);
  await session.events((event) => event.type === "track.subscribers" && count(event.count ?? 0));
  const allowed = { listenOnly: true, pull: [{ sessionId: session.id }], maxSessions: LISTENERS };
  const { token } = await calls.ask("POST", "/tokens", { ttl: 12 * HOUR_S, ...allowed });
  void caption(track, await session.write(CAPTIONS)).catch(told); // who cannot be written down is heard all the same
  show(value("name"));
  count(0);
  element("share").hidden = false;
  const link = new URLSearchParams({ app: calls.app, session: session.id, token, name: value("name") });
  element<HTMLInputElement>("link").value = `${location.origin}${location.pathname}#${link}`;
}

async function listen(link: URLSearchParams): Promise<void> {
  const from = link.get("session") ?? "";
  const session = await Session.make(new Calls(link.get("app") ?? "", link.get("token") ?? ""));
  const track = await session.pull(from);
  const sound = element<HTMLAudioElement>("sound");
  sound.srcObject = new MediaStream([track]);
  await sound.play();
  element("listen").hidden = true;
  await session.events((event) => {
    if (event.type === "track.subscribers") count(event.count ?? 0);
    if (event.type === "track.ended") say("The speaker has left.");
  });
  await session.captions(from, (text) => (element("captions").textContent = text));
}

applyTheme("system");
const told = (error: unknown): void => say(error instanceof Error ? error.message : String(error));
const link = new URLSearchParams(location.hash.slice(1));
if (link.has("token")) {
  show(link.get("name") ?? "");
  const button = element("listen");
  button.hidden = false;
  button.addEventListener("click", () => void listen(link).catch(told));
} else {
  element("open").addEventListener("submit", (event) => {
    event.preventDefault();
    void speak().catch(told);
  });
}
