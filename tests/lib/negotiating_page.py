"""A page that makes every kind of offer a browser makes for us, and the server that answers them with `parley.sdp`.

The page's own `RTCPeerConnection` is the judge: what it refuses throws, and what it took can be read off it. No media
flows; the addresses in the answers are for documentation only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from sdp_kit import our_stream, our_transport

from parley.sdp import (
    ConnectionMemory,
    MediaPlan,
    Offer,
    SdpError,
    answer_calls,
    answer_realtime,
    parse_offer,
)

__all__ = ["PAGE", "negotiating_server"]


def _calls_plans(offer: Offer, wish: str) -> dict[str, MediaPlan]:
    # The page says what it wants in the path: `push` takes what is offered, `pull` sends into what can receive.
    plans = {}
    for media in offer.media:
        send = our_stream(media.index) if wish == "pull" and media.receives else None
        plans[media.mid] = MediaPlan(receive=True, simulcast=True, send=send)
    return plans


@contextmanager
def negotiating_server() -> Iterator[str]:
    """Serve the page on loopback: `POST /realtime/VIDEO` and `POST /calls/WISH`, text for text."""
    memories: list[ConnectionMemory] = [ConnectionMemory()]

    class Requests(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(200, "text/html", f"<!doctype html><meta charset=utf-8><script>{PAGE}</script>")

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            _, product, wish = self.path.split("/")
            try:
                offer = parse_offer(text)
                if product == "realtime":
                    video: Literal["decline", "vp8"] = "vp8" if wish == "vp8" else "decline"
                    answer = answer_realtime(offer, our_transport(), our_stream(), video=video).answer
                else:
                    transport = our_transport(session_version=len(memories))
                    negotiated, memory = answer_calls(offer, transport, _calls_plans(offer, wish), memories[-1])
                    memories.append(memory)
                    answer = negotiated.answer
            except SdpError as fault:
                self._reply(400, "text/plain", str(fault))
            else:
                self._reply(201, "application/sdp", answer)

        def _reply(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PAGE = """
async function negotiate(pc, path) {
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  const reply = await fetch(path, { method: "POST", body: offer.sdp });
  const text = await reply.text();
  if (reply.status !== 201) throw new Error(text);
  await pc.setRemoteDescription({ type: "answer", sdp: text });
  return { offer: offer.sdp, answer: text };
}

function state(pc) {
  return {
    signaling: pc.signalingState,
    transceivers: pc.getTransceivers().map((each) => ({
      mid: each.mid,
      kind: each.receiver.track.kind,
      direction: each.currentDirection,
      codecs: each.sender.getParameters().codecs.map((codec) => codec.mimeType),
      encodings: each.sender.getParameters().encodings.map((encoding) => encoding.rid ?? ""),
    })),
    maxMessageSize: pc.sctp ? pc.sctp.maxMessageSize : null,
    candidates: ((pc.remoteDescription.sdp.match(/^a=candidate/gm)) ?? []).length,
  };
}

async function once(path, build) {
  const pc = new RTCPeerConnection();
  const streams = [];
  pc.ontrack = (event) => streams.push(event.streams.map((stream) => stream.id));
  try {
    await build(pc);
    const texts = await negotiate(pc, path);
    return { ...texts, ...state(pc), streams };
  } catch (error) {
    return { error: String(error) };
  } finally {
    pc.close();
  }
}

async function life(mic, cam) {
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const streams = [];
  pc.ontrack = (event) => streams.push(event.streams.map((stream) => stream.id));
  const steps = {};
  try {
    const first = pc.addTransceiver(mic, { direction: "sendonly" });
    const layers = [{ rid: "f" }, { rid: "q", scaleResolutionDownBy: 4 }];
    pc.addTransceiver(cam, { direction: "sendonly", sendEncodings: layers });
    steps.push = { ...(await negotiate(pc, "/calls/push")), ...state(pc) };
    first.stop();
    steps.close = { ...(await negotiate(pc, "/calls/push")), ...state(pc) };
    pc.addTransceiver("audio", { direction: "recvonly" });
    steps.recycle = { ...(await negotiate(pc, "/calls/pull")), ...state(pc), streams };
    pc.createDataChannel("late");
    steps.late = { ...(await negotiate(pc, "/calls/pull")), ...state(pc) };
    return steps;
  } catch (error) {
    return { ...steps, error: String(error) };
  } finally {
    pc.close();
  }
}

window.outcome = (async () => {
  const mic = (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks()[0];
  const cam = (await navigator.mediaDevices.getUserMedia({ video: true })).getVideoTracks()[0];
  const audioAndData = (pc) => { pc.addTrack(mic); pc.createDataChannel("oai-events"); };
  const withVideo = (pc) => { pc.addTrack(mic); pc.addTrack(cam); pc.createDataChannel("oai-events"); };
  const videoFirst = (pc) => { pc.addTransceiver(cam, { direction: "sendonly" }); audioAndData(pc); };
  const layers = [{ rid: "f" }, { rid: "h", scaleResolutionDownBy: 2 }, { rid: "q", scaleResolutionDownBy: 4 }];
  const simulcast = (pc) => {
    pc.addTrack(mic);
    pc.addTransceiver(cam, { direction: "sendonly", sendEncodings: layers });
  };
  const pcmu = (pc) => {
    const all = RTCRtpReceiver.getCapabilities("audio").codecs;
    pc.addTransceiver(mic).setCodecPreferences(all.filter((codec) => codec.mimeType === "audio/PCMU"));
    pc.createDataChannel("oai-events");
  };
  return {
    audio_and_data: await once("/realtime/decline", audioAndData),
    audio_only: await once("/realtime/decline", (pc) => { pc.addTrack(mic); }),
    data_only: await once("/realtime/decline", (pc) => { pc.createDataChannel("oai-events"); }),
    receive_only: await once("/realtime/decline", (pc) => { pc.addTransceiver("audio", { direction: "recvonly" }); }),
    pcmu_only: await once("/realtime/decline", pcmu),
    video_declined: await once("/realtime/decline", withVideo),
    video_first_declined: await once("/realtime/decline", videoFirst),
    video_taken: await once("/realtime/vp8", withVideo),
    video_first_taken: await once("/realtime/vp8", videoFirst),
    simulcast_to_realtime: await once("/realtime/vp8", simulcast),
    simulcast_to_calls: await once("/calls/push", simulcast),
    life: await life(mic, cam),
  };
})();
"""
