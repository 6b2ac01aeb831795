"""WebRTC calls as far as they are HTTP and SDP, and their sidebands. No packet is sent: the far end never comes.

Source: Realtime API, "WebRTC connection" and "Sideband". The offers are shaped like a browser's and like a device's.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from parley.conformance.areas.connecting import refuses_call
from parley.conformance.bench import Bench
from parley.conformance.check import Check, CheckFailed, Event, at, checks, expect, expect_equal

__all__ = ["CHECKS"]

_DEVICE_ANSWER_BYTES = 2_048
"""The first ESP32 SDK reads an answer into a buffer of this size."""
_CALLS = "/realtime/calls"


def _section(kind: str, mid: int, *lines: str) -> list[str]:
    profile = "UDP/DTLS/SCTP webrtc-datachannel" if kind == "application" else "UDP/TLS/RTP/SAVPF " + lines[0]
    hashed = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
    return [
        f"m={kind} 9 {profile}",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:flUv",
        "a=ice-pwd:u2+sa3fRfr+5wct01SQA4fQS",
        f"a=fingerprint:sha-256 {hashed}",
        "a=setup:actpass",
        f"a=mid:{mid}",
        *lines[1:],
    ]


def _offer(*sections: list[str]) -> str:
    mids = " ".join(str(index) for index in range(len(sections)))
    head = ["v=0", "o=- 7594295083026452398 2 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
    return "\r\n".join(itertools.chain(head, *sections)) + "\r\n"


_OPUS = ("a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1")
_G711 = ("a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000")
_BROWSER_AUDIO = ("111 0 8", *_OPUS, *_G711, "a=msid:- 1513290d-4e58-4519-b983-f2c61c181857")
_CHANNEL = ("", "a=sctp-port:5000", "a=max-message-size:262144")
_H264 = ("102", "a=sendonly", "a=rtcp-mux", "a=rtpmap:102 H264/90000", "a=fmtp:102 packetization-mode=1")


def _browser() -> str:
    return _offer(_section("audio", 0, *_BROWSER_AUDIO), _section("application", 1, *_CHANNEL))


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was accepted."""

    id: str
    status: int
    headers: Any
    answer: str

    @property
    def lines(self) -> list[str]:
        return self.answer.replace("\r", "").splitlines()

    def having(self, start: str) -> list[str]:
        return [line for line in self.lines if line.startswith(start)]


@asynccontextmanager
async def _call(
    bench: Bench, offer: str | None = None, *, session: str | None = None, path: str = _CALLS, **options: Any
) -> AsyncIterator[Call]:
    """Offer a call and hang up in the end. With `session`, as a form of two parts, as the SDKs send it."""
    text = offer or _browser()
    body: dict[str, Any] = {"content": text.encode(), "headers": {"content-type": "application/sdp"}}
    if session is not None:
        body = {"files": {"sdp": (None, text, "application/sdp"), "session": (None, session, "application/json")}}
    answer = await bench.http("POST", path, **{**body, **options})
    if answer.status_code not in {200, 201}:
        raise CheckFailed(f"POST {path} answers {answer.status_code}: {answer.text[:200]}")
    name = answer.headers.get("location", "").rstrip("/").split("/")[-1]
    call = Call(name, answer.status_code, answer.headers, answer.text)
    try:
        yield call
    finally:
        if name:
            await bench.http("POST", f"{_CALLS}/{name}/hangup")


# --- the answer -------------------------------------------------------------------------------------------------------


async def _created(bench: Bench) -> None:
    """Answer an offer with exactly 201 and `application/sdp`."""
    async with _call(bench) as call:
        expect(call.status == 201, f"the status is {call.status}")
        expect(call.headers.get("content-type", "").startswith("application/sdp"), call.headers.get("content-type"))
        expect(call.answer.startswith("v=0"), "the body is no SDP")


async def _location(bench: Bench) -> None:
    """Name the call in `Location`, `rtc_…` at its end."""
    async with _call(bench) as call:
        expect(call.id.startswith("rtc_"), f"Location ends with {call.id!r}")


async def _exposed(bench: Bench) -> None:
    """Let a page read `Location`."""
    origin = bench.target.http_base.removesuffix("/v1")
    headers = {"content-type": "application/sdp", "origin": origin}
    async with _call(bench, headers=headers) as call:
        exposed = call.headers.get("access-control-expose-headers", "").lower()
        expect("location" in exposed, f"exposed are {exposed!r}")


async def _small(bench: Bench) -> None:
    """Keep the answer below 2048 bytes, which is all that small devices read."""
    async with _call(bench) as call:
        expect(len(call.answer) < _DEVICE_ANSWER_BYTES, f"it has {len(call.answer)} bytes")


async def _mirrored(bench: Bench) -> None:
    """Answer the sections in their order with their mids, in one bundle."""
    async with _call(bench) as call:
        expect([line.split()[0] for line in call.having("m=")] == ["m=audio", "m=application"], str(call.having("m=")))
        expect(call.having("a=mid:") == ["a=mid:0", "a=mid:1"], str(call.having("a=mid:")))
        expect_equal(call.having("a=group:"), ["a=group:BUNDLE 0 1"], "the bundle")


async def _candidates(bench: Bench) -> None:
    """Give host candidates in the answer, UDP among them: clients send none and use no STUN."""
    async with _call(bench) as call:
        found = call.having("a=candidate:")
        expect(any(" udp " in line.lower() and " host" in line for line in found), f"the candidates are {found}")


async def _opus_first(bench: Bench) -> None:
    """Choose Opus first."""
    async with _call(bench) as call:
        chosen = call.having("m=audio")[0].split()[3]
        expect(chosen == "111", f"the first codec is {chosen}")


async def _msid(bench: Bench) -> None:
    """Name a stream of the answer's audio: without one a browser plays nothing."""
    async with _call(bench) as call:
        expect(call.having("a=msid:"), "there is no msid")


async def _setup(bench: Bench) -> None:
    """Take a side in DTLS."""
    async with _call(bench) as call:
        sides = set(call.having("a=setup:"))
        expect(sides in ({"a=setup:active"}, {"a=setup:passive"}), f"it says {sides}")


async def _message_size(bench: Bench) -> None:
    """Take messages of at least 256 KiB: browsers assume 64 otherwise."""
    async with _call(bench) as call:
        sizes = [int(line.split(":")[1]) for line in call.having("a=max-message-size:")]
        expect(sizes and (sizes[0] == 0 or sizes[0] >= 262_144), f"max-message-size is {sizes}")


async def _encrypted(bench: Bench) -> None:
    """Give ICE credentials and a SHA-256 fingerprint."""
    async with _call(bench) as call:
        for name in ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:sha-256 "):
            expect(call.having(name), f"there is no {name}")


async def _audio_only(bench: Bench) -> None:
    """Take a call without a data channel."""
    async with _call(bench, _offer(_section("audio", 0, *_BROWSER_AUDIO))) as call:
        expect(len(call.having("m=")) == 1, "there are more sections")


async def _pcmu_only(bench: Bench) -> None:
    """Take a call in nothing but PCMU."""
    audio = ("0", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:0 PCMU/8000")
    async with _call(bench, _offer(_section("audio", 0, *audio))) as call:
        expect(call.having("m=audio")[0].split()[3:] == ["0"], call.having("m=audio")[0])


async def _camera(bench: Bench) -> None:
    """Take a call with a camera, whether the camera is taken or declined."""
    offer = _offer(_section("audio", 0, *_BROWSER_AUDIO), _section("video", 1, *_H264))
    async with _call(bench, offer) as call:
        expect([line.split()[0] for line in call.having("m=")] == ["m=audio", "m=video"], str(call.having("m=")))


# --- sessions ---------------------------------------------------------------------------------------------------------


async def _greeted(bench: Bench, call: Call) -> Event:
    async with bench.open(bench.url(call_id=call.id)) as peer:
        session: Event = at(peer.log[0], "session")
        return session


async def _form(bench: Bench) -> None:
    """Take offer and session as a form of two parts."""
    async with _call(bench, session='{"type": "realtime", "model": "gpt-realtime", "instructions": "Arr."}') as call:
        expect_equal((await _greeted(bench, call)).get("instructions"), "Arr.", "instructions")


async def _bare_form(bench: Bench) -> None:
    """Take a form whose parts say no content type, as hand-written pages send it."""
    files = {"sdp": (None, _browser()), "session": (None, '{"type": "realtime", "instructions": "Arr."}')}
    async with _call(bench, content=None, headers={}, files=files) as call:
        expect_equal((await _greeted(bench, call)).get("instructions"), "Arr.", "instructions")


async def _by_secret(bench: Bench) -> None:
    """Start the call with what a client secret was minted with."""
    minted = await bench.secret(session={"type": "realtime", "instructions": "Arr."})
    async with _call(bench, key=minted["value"]) as call:
        expect_equal((await _greeted(bench, call)).get("instructions"), "Arr.", "instructions")


async def _legacy(bench: Bench) -> None:
    """Take an offer at the retired address `POST /realtime?model=`."""
    async with _call(bench, path="/realtime?model=gpt-4o-realtime-preview") as call:
        expect(call.status == 201, f"the status is {call.status}")


async def _bad_session(bench: Bench) -> None:
    """Refuse a form whose session has a mistake, and name it."""
    files = {"sdp": (None, _browser()), "session": (None, '{"type": "chat"}')}
    answer = await bench.http("POST", _CALLS, files=files)
    expect(answer.status_code == 400, f"the status is {answer.status_code}")
    expect_equal(at(answer.json(), "error.param"), "session.type", "error.param")


async def _bad_key(bench: Bench) -> None:
    """Refuse an unknown key with 401."""
    answer = await bench.http("POST", _CALLS, key="ek_unknown", content=_browser().encode())
    expect(answer.status_code == 401, f"the status is {answer.status_code}")


# --- sidebands and the end --------------------------------------------------------------------------------------------


async def _at_once(bench: Bench) -> None:
    """Let a sideband attach from the instant of the 201."""
    async with _call(bench) as call, bench.open(bench.url(call_id=call.id)) as peer:
        expect(peer.log, "no greeting")


async def _sideband_acts(bench: Bench) -> None:
    """Let a sideband change the session and write to the conversation."""
    async with _call(bench) as call, bench.open(bench.url(call_id=call.id)) as peer:
        await peer.update(instructions="Hi.")
        await peer.write("Hello!")


async def _sidebands_share(bench: Bench) -> None:
    """Tell every sideband what one of them did."""
    async with _call(bench) as call:
        url = bench.url(call_id=call.id)
        async with bench.open(url) as one, bench.open(url) as other:
            await one.update(instructions="Hi.")
            expect_equal(at(await other.until("session.updated"), "session.instructions"), "Hi.", "instructions")


async def _hangup_closes(bench: Bench) -> None:
    """Close the sidebands of a call that is hung up, with 1000 or 1001."""
    async with _call(bench) as call, bench.raw(bench.url(call_id=call.id)) as peer:
        await peer.until("session.created")
        answer = await bench.http("POST", f"{_CALLS}/{call.id}/hangup")
        expect(answer.status_code in {200, 204}, f"the status is {answer.status_code}")
        code, _reason = await peer.closed()
        expect(code in {1000, 1001}, f"the close code is {code}")


async def _hangup_forgets(bench: Bench) -> None:
    """Forget a call that was hung up."""
    async with _call(bench) as call:
        await bench.http("POST", f"{_CALLS}/{call.id}/hangup")
        answer = await bench.http("POST", f"{_CALLS}/{call.id}/hangup")
        expect(answer.status_code == 404, f"hanging up again answers {answer.status_code}")
        await refuses_call(bench, call.id)


CHECKS: tuple[Check, ...] = (
    *checks(
        "calls",
        _created,
        _location,
        _exposed,
        _small,
        _mirrored,
        _candidates,
        _opus_first,
        _msid,
        _setup,
        _message_size,
        _encrypted,
        _audio_only,
        _pcmu_only,
        _camera,
        _form,
        _bare_form,
        _by_secret,
        _legacy,
        _bad_session,
        _bad_key,
    ),
    *checks("sidebands", _at_once, _sideband_acts, _sidebands_share, _hangup_closes, _hangup_forgets),
)
