// What a page hears and plays, taped on one clock (left: microphone, right: loudspeaker), and what it says to the server
// on a data channel. The functions named `tap…` and `tape` run in the page.

/** The code of the audio thread's half: two mono inputs, side by side. */
export const RECORDER = `
class Recorder extends AudioWorkletProcessor {
  #block = new Int16Array(2 * 4096);
  #at = 0;
  process(inputs) {
    for (let i = 0; i < 128; i++) {
      for (let side = 0; side < 2; side++) {
        const value = inputs[side][0]?.[i] ?? 0;
        this.#block[this.#at++] = Math.max(-1, Math.min(1, value)) * 32767;
      }
    }
    if (this.#at === this.#block.length) {
      this.port.postMessage(this.#block.slice());
      this.#at = 0;
    }
    return true;
  }
}
registerProcessor("drive-recorder", Recorder);
`;

/** Sound made by the page itself: whatever it connects to an AudioContext's destination. */
export function tapSpeaker(recorderCode) {
  window.__tape = { blocks: [], rate: 0 };
  const connect = AudioNode.prototype.connect;
  const recorders = new WeakMap();
  const recorderOf = (context) => {
    let ready = recorders.get(context);
    if (!ready) {
      window.__tape.rate = context.sampleRate;
      ready = context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(recorderCode)}`).then(() => {
        const node = new AudioWorkletNode(context, "drive-recorder", { numberOfInputs: 2, numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit" });
        node.port.onmessage = (message) => window.__tape.blocks.push(message.data);
        connect.call(node, context.destination);
        return node;
      });
      recorders.set(context, ready);
    }
    return ready;
  };
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target === this.context.destination) void recorderOf(this.context).then((node) => connect.call(this, node, 0, 1));
    return connect.call(this, target, ...rest);
  };
  const source = AudioContext.prototype.createMediaStreamSource;
  AudioContext.prototype.createMediaStreamSource = function (stream) {
    const node = source.call(this, stream);
    void recorderOf(this).then((recorder) => connect.call(node, recorder, 0, 0));
    return node;
  };
}

/** Sound on tracks: what the microphone gives the page, and what its audio elements play, as loud as they play it. */
export function tapTracks(recorderCode) {
  window.__tape = { blocks: [], rate: 0 };
  let ready;
  const recorder = () => {
    ready ??= (async () => {
      const context = new AudioContext();
      window.__tape.rate = context.sampleRate;
      await context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(recorderCode)}`);
      const node = new AudioWorkletNode(context, "drive-recorder", { numberOfInputs: 2, numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit" });
      node.port.onmessage = (message) => window.__tape.blocks.push(message.data);
      node.connect(context.destination);
      return node;
    })();
    return ready;
  };
  const ask = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function (constraints) {
    const node = await recorder();
    const stream = await ask.call(this, constraints);
    if (stream.getAudioTracks().length > 0) node.context.createMediaStreamSource(stream.clone()).connect(node, 0, 0);
    return stream;
  };
  const held = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  const sources = new WeakMap();
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...held,
    set(stream) {
      held.set.call(this, stream);
      sources.get(this)?.disconnect();
      // The page has put its loudspeaker away: the conversation is over, and so is the tape.
      if (!stream && sources.has(this)) void recorder().then((node) => node.context.close());
      if (!stream || stream.getAudioTracks().length === 0) return;
      void recorder().then((node) => {
        const loudness = node.context.createGain();
        const follow = () => (loudness.gain.value = this.paused || this.muted ? 0 : this.volume);
        for (const type of ["playing", "pause", "volumechange", "emptied"]) this.addEventListener(type, follow);
        follow();
        const source = node.context.createMediaStreamSource(stream);
        source.connect(loudness).connect(node, 0, 1);
        sources.set(this, loudness);
      });
    },
  });
}

/** Every text on every data channel, handed to `__noted`. */
export function tapChannel() {
  const create = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...given) {
    const channel = create.apply(this, given);
    channel.addEventListener("message", ({ data }) => void window.__noted("received", data));
    channel.addEventListener("close", () => void window.__noted("closed", "{}"));
    const close = this.close;
    this.close = () => {
      close.call(this);
      void window.__noted("closed", "{}");
    };
    const send = channel.send;
    channel.send = (data) => {
      void window.__noted("sent", data);
      send.call(channel, data);
    };
    return channel;
  };
}

/** Give `note` what `tapChannel` sees in the page. */
export async function listen(page, note) {
  await page.exposeBinding("__noted", (_source, direction, text) => note(direction, JSON.parse(text)));
}

/** The tape as bytes, in base64. */
export function tape() {
  const { blocks } = window.__tape;
  const bytes = new Uint8Array(blocks.reduce((sum, block) => sum + block.byteLength, 0));
  let at = 0;
  for (const block of blocks) {
    bytes.set(new Uint8Array(block.buffer), at);
    at += block.byteLength;
  }
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return { rate: window.__tape.rate, audio: btoa(text) };
}

/** Two channels of PCM16 as a file. */
export function wav(pcm, rate) {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + pcm.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(2, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 4, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([head, pcm]);
}
