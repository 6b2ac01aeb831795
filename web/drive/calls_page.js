// A page of the Calls API without any library: publishes a tone and a moving picture, pulls, and tells what it receives.
let context;

function toneTrack(hz) {
  const oscillator = new OscillatorNode(context, { frequency: hz });
  const quieter = new GainNode(context, { gain: 0.3 });
  const sink = context.createMediaStreamDestination();
  oscillator.connect(quieter).connect(sink);
  oscillator.start();
  return sink.stream.getAudioTracks()[0];
}

/** Bars that wander, 640 × 360 at 15 frames a second: some hundred kbit/s, as of a camera. */
function pictureTrack() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  const pen = canvas.getContext("2d");
  let turn = 0;
  setInterval(() => {
    turn++;
    for (let bar = 0; bar < 32; bar++) {
      pen.fillStyle = `hsl(${(bar * 47 + turn * 3) % 360} 70% ${30 + ((bar * 13 + turn) % 40)}%)`;
      pen.fillRect((bar * 20 + turn * 2) % 640, 0, 20, 360);
      pen.fillRect((bar * 83 + turn * 5) % 600, (bar * 29 + turn * 3) % 320, 40, 40);
    }
  }, 66);
  return canvas.captureStream(15).getVideoTracks()[0];
}

/** One colour, and a speck that moves so that there are new frames to send. */
function colourTrack(colour) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 90 });
  const pen = canvas.getContext("2d");
  let turn = 0;
  setInterval(() => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 160, 90);
    pen.fillStyle = "white";
    pen.fillRect((turn++ * 5) % 160, 0, 4, 8);
  }, 100);
  return canvas.captureStream(10).getVideoTracks()[0];
}

/** One session of the API and its connection. */
class Session {
  constructor(api, secret) {
    this.api = api;
    this.secret = secret;
    this.connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.states = [];
    this.connection.addEventListener("iceconnectionstatechange", () =>
      this.states.push(this.connection.iceConnectionState),
    );
    this.told = [];
    this.ears = new Map();
    this.screens = new Map();
  }

  async ask(method, path, body) {
    const answer = await fetch(`${this.api}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.secret}` },
      body: body && JSON.stringify(body),
    });
    const reply = { status: answer.status, ...(await answer.json()) };
    const fault = reply.errorCode ? reply : reply.tracks?.find((track) => track.errorCode);
    if (fault) throw Object.assign(new Error(fault.errorDescription), { status: reply.status, code: fault.errorCode });
    return reply;
  }

  async begin(query = "") {
    this.id = (await this.ask("POST", `/sessions/new${query}`)).sessionId;
  }

  /** Publish tracks by name; `direction` and `encodings` as WebRTC has them. `codecs` names those that may be used, by
      the name of the track, all where it is missing; `bend` is what is replaced in the description, by what. */
  async push(named, { direction = "sendonly", encodings, codecs = {}, bend } = {}) {
    const places = Object.entries(named).map(([trackName, track]) => [
      trackName,
      this.connection.addTransceiver(track, { direction, ...(track.kind === "video" && encodings && { sendEncodings: encodings }) }),
    ]);
    for (const [trackName, place] of places) {
      const wanted = codecs[trackName];
      const able = RTCRtpSender.getCapabilities(named[trackName].kind).codecs;
      if (wanted) place.setCodecPreferences(able.filter(({ mimeType }) => mimeType === wanted || mimeType === "video/rtx"));
    }
    const made = await this.connection.createOffer();
    await this.connection.setLocalDescription(bend ? { type: "offer", sdp: made.sdp.replaceAll(...bend) } : made);
    const tracks = places.map(([trackName, { mid }]) => ({
      location: "local", trackName, mid, ...(direction === "sendrecv" && { kind: "audio", bidirectionalMediaStream: true }),
    }));
    await this.described("POST", "tracks/new", { tracks });
  }

  /** Pull, each item as the API has it; give the mids. */
  async pull(...items) {
    const tracks = items.map((item) => ({ location: "remote", ...item }));
    const reply = await this.ask("POST", `/sessions/${this.id}/tracks/new`, { tracks });
    if (reply.sessionDescription) {
      await this.connection.setRemoteDescription(reply.sessionDescription);
      await this.connection.setLocalDescription();
      await this.described("PUT", "renegotiate", {});
    }
    for (const { mid } of reply.tracks) this.watch(mid);
    return reply.tracks.map(({ mid }) => mid);
  }

  /** Open `server-events`; what the server tells is kept in `told`. */
  async establish() {
    this.connection.addEventListener("datachannel", ({ channel }) =>
      channel.addEventListener("message", ({ data }) => this.told.push(JSON.parse(data))),
    );
    const reply = await this.ask("POST", `/sessions/${this.id}/datachannels/establish`, {});
    await this.connection.setRemoteDescription(reply.sessionDescription);
    await this.connection.setLocalDescription();
    await this.described("PUT", "renegotiate", {});
  }

  /** Send our description; apply the other's where there is one. */
  async described(method, path, body) {
    const sessionDescription = this.connection.localDescription;
    const reply = await this.ask(method, `/sessions/${this.id}/${path}`, { ...body, sessionDescription });
    if (reply.sessionDescription) await this.connection.setRemoteDescription(reply.sessionDescription);
  }

  watch(mid) {
    const { track } = this.connection.getTransceivers().find((each) => each.mid === mid).receiver;
    const element = document.createElement(track.kind);
    Object.assign(element, { muted: true, autoplay: true, srcObject: new MediaStream([track]) });
    document.body.append(element);
    void element.play();
    if (track.kind === "audio") {
      const ear = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
      context.createMediaStreamSource(element.srcObject).connect(ear);
      this.ears.set(mid, ear);
    } else {
      this.screens.set(mid, element);
    }
  }

  /** The colour in the middle of a pulled picture: red, green, blue. */
  see(mid) {
    const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 18 });
    const pen = canvas.getContext("2d");
    pen.drawImage(this.screens.get(mid), 0, 0, 32, 18);
    return [...pen.getImageData(16, 12, 1, 1).data.slice(0, 3)];
  }

  /** The loudest frequency that a pulled track has now, in hertz; 0 for silence. */
  hear(mid) {
    const ear = this.ears.get(mid);
    const levels = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(levels);
    const loudest = levels.indexOf(Math.max(...levels));
    return levels[loudest] < -70 ? 0 : Math.round((loudest * context.sampleRate) / ear.fftSize);
  }

  /** What the browser says of everything that it receives, by mid. */
  async received() {
    const found = {};
    (await this.connection.getStats()).forEach((stat) => {
      if (stat.type === "inbound-rtp") found[stat.mid] = stat;
    });
    return found;
  }

  /** The name and the parameters of the codec of everything that comes in, by mid. */
  async codecs() {
    const stats = await this.connection.getStats();
    const found = {};
    stats.forEach(({ type, mid, codecId }) => {
      const codec = type === "inbound-rtp" && stats.get(codecId);
      if (codec) found[mid] = { name: codec.mimeType, parameters: codec.sdpFmtpLine ?? "" };
    });
    return found;
  }

  /** What it says of everything that it sends. */
  async sent() {
    const found = [];
    (await this.connection.getStats()).forEach((stat) => {
      if (stat.type === "outbound-rtp") found.push(stat);
    });
    return found;
  }

  /** The server's ICE user name, by which a network between us is told. */
  get ufrag() {
    return /a=ice-ufrag:(\S+)/.exec(this.connection.remoteDescription.sdp)[1];
  }

  async restart() {
    await this.connection.setLocalDescription(await this.connection.createOffer({ iceRestart: true }));
    await this.described("PUT", "renegotiate", {});
  }
}

window.kit = {
  toneTrack,
  pictureTrack,
  colourTrack,
  async session(api, secret, query) {
    context ??= new AudioContext();
    window.session = new Session(api, secret);
    await window.session.begin(query);
    return window.session.id;
  },
};
