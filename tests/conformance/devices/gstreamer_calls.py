"""A foreign peer of the Calls API on GStreamer's webrtcbin, by the system's Python, which has its bindings.

Argument: a JSON object with `api` (ending in /v1/apps/ID), `secret`, `hz` and `pem`, a file with an ECDSA key and its
certificate. It publishes a tone of that frequency and prints its session as JSON; it then reads the session of another
tone's publisher from standard input, pulls that tone and prints what it hears. It ends with standard input.
"""

from __future__ import annotations

import array
import hashlib
import itertools
import json
import re
import ssl
import sys
import urllib.error
import urllib.request
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402 - the versions come first

RATE_HZ = 48_000
LISTEN_S = 1.0
PUBLISH = (
    "audiotestsrc is-live=true freq={hz} volume=0.3 ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=1"
    " ! opusenc ! rtpopuspay pt=111 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111"
    " ! webrtcbin name=peer bundle-policy=max-bundle"
)
HEAR = (
    "rtpopusdepay ! opusdec ! audioconvert ! audioresample"
    " ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! appsink name=ear sync=false"
)


class Api:
    """The requests of one app."""

    def __init__(self, base: str, secret: str) -> None:
        self.base = base
        self.secret = secret

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        request.add_header("authorization", f"Bearer {self.secret}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise SystemExit(f"{method} {path}: {refusal.read().decode()}") from refusal


def waited(peer: Any, action: str, *given: Any) -> Any:
    """Carry out one of webrtcbin's actions and wait for it; give its reply, which owns what it holds."""
    promise = Gst.Promise.new()
    peer.emit(action, *given, promise)
    promise.wait()
    return promise.get_reply()


def described(kind: str, sdp: str) -> Any:
    """Read a description."""
    result, message = GstSdp.SDPMessage.new_from_text(sdp)
    if result != GstSdp.SDPResult.OK:
        raise SystemExit(f"GStreamer cannot read the {kind}")
    kinds = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}
    return GstWebRTC.WebRTCSessionDescription.new(kinds[kind], message)


def ours(peer: Any, kind: str, pem: str) -> dict[str, str]:
    """Make our description and take it for our own. webrtcbin takes the fingerprint over the key as well; the right
    one stands in what is sent.
    """
    made = waited(peer, f"create-{kind}", None)
    description = made.get_value(kind)
    waited(peer, "set-local-description", description)
    certificate = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") :])
    fingerprint = hashlib.sha256(certificate).digest().hex(":").upper()
    sdp = re.sub("a=fingerprint:.*", f"a=fingerprint:sha-256 {fingerprint}", description.sdp.as_text())
    return {"type": kind, "sdp": sdp}


def certified(pipeline: Any, pem: str) -> Any:
    """Have the pipeline show this certificate instead of one with an RSA key, which the server does not take."""

    def on_element(_bin: Any, _parent: Any, element: Any) -> None:
        if element.find_property("pem"):
            element.set_property("pem", pem)

    pipeline.connect("deep-element-added", on_element)
    return pipeline


def publish(api: Api, hz: int, pem: str) -> tuple[Any, str]:
    """Publish a tone; give the pipeline, which must be kept, and the session."""
    pipeline = certified(Gst.parse_launch(PUBLISH.format(hz=hz)), pem)
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_state(10 * Gst.SECOND)
    peer = pipeline.get_by_name("peer")
    session = api.ask("POST", "/sessions/new")["sessionId"]
    offer = ours(peer, "offer", pem)
    mid = next(line for line in offer["sdp"].splitlines() if line.startswith("a=mid:")).removeprefix("a=mid:")
    item = {"location": "local", "trackName": "tone", "mid": mid}
    reply = api.ask("POST", f"/sessions/{session}/tracks/new", {"sessionDescription": offer, "tracks": [item]})
    waited(peer, "set-remote-description", described("answer", reply["sessionDescription"]["sdp"]))
    return pipeline, session


def pull(api: Api, source: str, pem: str) -> int:
    """Pull a tone and give the frequency that is heard."""
    pipeline, peer = certified(Gst.Pipeline.new(), pem), Gst.ElementFactory.make("webrtcbin", "peer")
    peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipeline.add(peer)

    def on_pad(_: Any, pad: Any) -> None:
        chain = Gst.parse_bin_from_description(HEAR, True)
        pipeline.add(chain)
        chain.sync_state_with_parent()
        pad.link(chain.get_static_pad("sink"))

    peer.connect("pad-added", on_pad)
    pipeline.set_state(Gst.State.PLAYING)
    session = api.ask("POST", "/sessions/new")["sessionId"]
    wanted = {"location": "remote", "sessionId": source, "trackName": "tone"}
    reply = api.ask("POST", f"/sessions/{session}/tracks/new", {"tracks": [wanted]})
    waited(peer, "set-remote-description", described("offer", reply["sessionDescription"]["sdp"]))
    answer = {"sessionDescription": ours(peer, "answer", pem)}
    api.ask("PUT", f"/sessions/{session}/renegotiate", answer)
    try:
        return hear(pipeline)
    finally:
        pipeline.set_state(Gst.State.NULL)


def hear(pipeline: Any) -> int:
    """Give the frequency of what comes in hertz, by its zero crossings; 0 for silence."""
    samples: list[int] = []
    bus = pipeline.get_bus()
    for _ in range(200):
        ear = pipeline.get_by_name("ear")
        sample = ear.emit("try-pull-sample", Gst.SECOND // 10) if ear else None
        if fault := bus.timed_pop_filtered(0 if sample else Gst.SECOND // 20, Gst.MessageType.ERROR):
            raise SystemExit(str(fault.parse_error()[0]))
        if sample:
            buffer = sample.get_buffer()
            heard = array.array("h", buffer.extract_dup(0, buffer.get_size()))
            if max(map(abs, heard), default=0) > 500:
                samples += heard
        if len(samples) > LISTEN_S * RATE_HZ:
            break
    ups = sum(a < 0 <= b for a, b in itertools.pairwise(samples))
    return round(ups * RATE_HZ / len(samples)) if samples else 0


def tell(what: dict[str, Any]) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    asked = json.loads(sys.argv[1])
    Gst.init(None)
    api = Api(asked["api"], asked["secret"])
    with open(asked["pem"]) as file:
        pem = file.read()
    pipeline, session = publish(api, asked["hz"], pem)
    tell({"session": session})
    for line in sys.stdin:
        tell({"hz": pull(api, line.strip(), pem)})
    pipeline.set_state(Gst.State.NULL)


main()
