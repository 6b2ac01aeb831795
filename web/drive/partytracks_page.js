// A page that publishes a tone and a colour with partytracks, and says which tones and colours it hears and sees.
import { PartyTracks } from "partytracks/client";
import { of } from "rxjs";

const HEAR_MS = 400;
const pulled = new Map();
let context;
let party;

function toneTrack(hz) {
  const oscillator = new OscillatorNode(context, { frequency: hz });
  const quieter = new GainNode(context, { gain: 0.3 });
  const sink = context.createMediaStreamDestination();
  oscillator.connect(quieter).connect(sink);
  oscillator.start();
  return sink.stream.getAudioTracks()[0];
}

function colourTrack(colour) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 180 });
  const pen = canvas.getContext("2d");
  let turn = 0;
  setInterval(() => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 320, 180);
    pen.fillStyle = "white";
    pen.fillRect((turn++ * 5) % 320, 0, 4, 8);
  }, 66);
  return canvas.captureStream(15).getVideoTracks()[0];
}

function metadata(observable) {
  return new Promise((resolve, reject) => {
    const subscription = observable.subscribe({
      next: (found) => resolve({ found, subscription }),
      error: reject,
    });
  });
}

window.kit = {
  start(prefix, secret) {
    context = new AudioContext();
    party = new PartyTracks({ prefix, headers: new Headers({ authorization: `Bearer ${secret}` }), iceServers: [] });
    party.session$.subscribe(({ sessionId }) => {
      window.kit.sessions.push(sessionId);
    });
    party.peerConnection$.subscribe((peerConnection) => (window.kit.peerConnection = peerConnection));
  },
  sessions: [],
  published: {},
  subscriptions: {},

  /** Publish a tone or a colour under a name of ours; every new session publishes it again. */
  push(name, kind, value) {
    const track = kind === "audio" ? toneTrack(value) : colourTrack(value);
    return new Promise((resolve, reject) => {
      window.kit.subscriptions[name] = party.push(of(track)).subscribe({
        next: (found) => {
          window.kit.published[name] = found;
          resolve(found);
        },
        error: (error) => reject(new Error(String(error?.message ?? error))),
      });
    });
  },

  /** Stop publishing. */
  stop(name) {
    window.kit.subscriptions[name].unsubscribe();
  },

  /** Pull a track; it is pulled again by itself when the session is new. */
  pull(name, kind, found) {
    return new Promise((resolve, reject) => {
      const subscription = party.pull(of(found)).subscribe({
        next: (track) => {
          const element = document.createElement(kind);
          element.muted = true;
          element.autoplay = true;
          element.srcObject = new MediaStream([track]);
          document.body.append(element);
          void element.play();
          const entry = { kind, track, element, subscription };
          if (kind === "audio") {
            entry.analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
            context.createMediaStreamSource(element.srcObject).connect(entry.analyser);
          }
          pulled.set(name, entry);
          resolve(true);
        },
        error: (error) => reject(new Error(String(error?.message ?? error))),
      });
    });
  },

  /** Stop pulling. */
  drop(name) {
    pulled.get(name).subscription.unsubscribe();
    pulled.delete(name);
  },

  /** The loudest frequency of a pulled track in hertz; 0 for silence. */
  async hear(name) {
    const { analyser } = pulled.get(name);
    await new Promise((resolve) => setTimeout(resolve, HEAR_MS));
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    const loudest = levels.indexOf(Math.max(...levels));
    return levels[loudest] < -70 ? 0 : Math.round((loudest * context.sampleRate) / analyser.fftSize);
  },

  /** The colour in the middle of a pulled picture, and how many frames were decoded. */
  see(name) {
    const { element } = pulled.get(name);
    const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 18 });
    const pen = canvas.getContext("2d");
    pen.drawImage(element, 0, 0, 32, 18);
    const [red, green, blue] = pen.getImageData(16, 12, 1, 1).data;
    return { red, green, blue, frames: element.getVideoPlaybackQuality().totalVideoFrames };
  },

  /** What the browser says of everything that it receives. */
  async received() {
    const found = [];
    (await window.kit.peerConnection.getStats()).forEach((stat) => {
      if (stat.type === "inbound-rtp") {
        const { kind, mid, packetsReceived, framesDecoded, keyFramesDecoded, pliCount, nackCount } = stat;
        found.push({ kind, mid, packetsReceived, framesDecoded, keyFramesDecoded, pliCount, nackCount });
      }
    });
    return found;
  },

  lines() {
    return window.kit.peerConnection.getTransceivers().length;
  },

  metadata,
};
