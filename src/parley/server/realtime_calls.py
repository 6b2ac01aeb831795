"""Realtime sessions over WebRTC: offer in, answer out, and the registry of the calls that live.

A call is made in one go: read the offer, answer it, open the session (which may be refused), and hand the peer to the
media plane. From the instant the answer is out the call can be found by its id: a sideband may attach, its owner may
hang up or restart ICE. The call ends with its peer or its session, whichever goes first, and is then unknown.

What lives here: who may touch which call. What does not: HTTP (`routes_realtime_calls`), SDP rules (`parley.sdp`), the
life of one call (`transports.webrtc`), who may open sessions (`session_door`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from parley.auth.permissions import Principal
from parley.media.allotment import Allotment
from parley.media.errors import BadPeerSpec
from parley.media.negotiated_peer import peer_spec_of
from parley.media.peer_spec import PeerId, PeerSpec
from parley.media.switchboard import Switchboard
from parley.observe.metrics import ServerMetrics
from parley.protocol.realtime.dialects import Dialect
from parley.runtime.supervisor import SessionEnded
from parley.sdp import (
    Fingerprint,
    LocalCandidate,
    LocalStream,
    LocalTransport,
    Negotiated,
    SdpError,
    answer_realtime,
    parse_offer,
)
from parley.server.problems import Problem
from parley.server.session_door import Asked, Opened, SessionDoor, check_origin
from parley.transports.seated import SeatedCall, SeatToTake
from parley.transports.webrtc import WebRtcCall, camera_of, microphone_of
from parley.transports.websocket import Link

__all__ = ["Answered", "RealtimeCalls"]

log = logging.getLogger(__name__)

Video = Literal["vp8", "hold", "decline"]
"""What is answered to a camera: see `answer_realtime`."""

_SILENT_BELOW_BYTES = 128 * 1024
"""Where a data channel carries speech (a call without an audio track), one delta must fit into a message."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a caller gets."""

    call_id: str
    answer: str


@dataclass(slots=True)
class _Live:
    """One call: its ends, its session, and what its next description must repeat."""

    call: WebRtcCall | SeatedCall
    opened: Opened
    account: str | None
    """The client secret that placed it; None for an operator."""
    transport: LocalTransport
    voice: LocalStream
    video: Video
    spec: PeerSpec
    sections: tuple[tuple[int, str], ...]


class RealtimeCalls:
    """See the module. `run` is its life; `board` None where the media port is not open."""

    def __init__(
        self,
        *,
        door: SessionDoor,
        board: Switchboard | None,
        random_bytes: Callable[[int], bytes],
        metrics: ServerMetrics,
    ) -> None:
        self._door = door
        self._board = board
        self._random_bytes = random_bytes
        self._metrics = metrics
        shards = board.identity.shards if board is not None else 1
        self._allotment = Allotment(shards=shards, random_bytes=random_bytes)
        self._live: dict[str, _Live] = {}
        self.find_seat: Callable[[str], SeatToTake | None] = lambda ufrag: None
        """Give the seat of an offer that was made in this very process, by its ufrag."""
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()

    def __len__(self) -> int:
        """How many calls live."""
        return len(self._live)

    async def run(self) -> None:
        """Take calls until `stop`, then let the last ones end. Their sessions must have been ended by then."""
        if self._board is None:
            await self._stopping.wait()
            return
        self._board.start()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._stopping.wait()
                self._group = None
        finally:
            self._group = None
            self._board.close()

    def stop(self) -> None:
        """Take no more calls. Idempotent."""
        self._stopping.set()

    async def place(self, who: Principal, asked: Asked, offer: str, dialect: Dialect) -> Answered:
        """Answer an offer with a new session. Raises `Problem`."""
        board, group = self._ready()
        shard = self._allotment.shard()
        transport = LocalTransport(
            ice=self._allotment.ice(shard),
            fingerprint=Fingerprint(board.identity.fingerprint.algorithm, board.identity.fingerprint.value),
            candidates=tuple(LocalCandidate(each.host, each.port, each.protocol) for each in board.identity.candidates),
            session_id=self._allotment.session_number(),
        )
        voice = LocalStream(self._allotment.ssrc(), cname="parley", stream_id="parley", track_id="voice")
        negotiated = _negotiated(offer, transport, voice, video="vp8")
        seat = self.find_seat(negotiated.remote.ice.ufrag) if negotiated.remote else None
        films = any(slot.kind == "video" for slot in negotiated.slots)
        video = await self._video(who, asked, seat) if films else "vp8"
        if video != "vp8":
            negotiated = _negotiated(offer, transport, voice, video=video)
        call_id = f"rtc_{self._random_bytes(12).hex()}"
        spec = _spec(negotiated, PeerId(call_id), shard)
        call = WebRtcCall(board, spec) if seat is None else SeatedCall(board, call_id, seat)
        camera = films and video == "vp8"
        opened = await self._door.open(
            who, asked, playout=call.speaker, in_call=call.speaker is not None, camera=camera
        )
        live = _Live(
            call,
            opened,
            who.secret.account if who.secret else None,
            transport,
            voice,
            video,
            spec,
            _sections(negotiated),
        )
        self._live[call_id] = live
        group.create_task(self._run(call_id, live, dialect), name=f"call {call_id}")
        return Answered(call_id, negotiated.answer)

    async def _video(self, who: Principal, asked: Asked, seat: SeatToTake | None) -> Video:
        """Settle what becomes of a camera that films in VP8. Raises `Problem`."""
        if seat is not None:
            return "decline"
        return "vp8" if await self._door.sees(who, asked) else "hold"

    def restart(self, who: Principal, call_id: str, offer: str, origin: str | None) -> str:
        """Answer an offer that restarts ICE, from whatever network the caller is on now. Raises `Problem`."""
        live = self._find(who, call_id, origin)
        transport = replace(
            live.transport,
            ice=self._allotment.ice(live.spec.shard),
            session_version=live.transport.session_version + 1,
        )
        negotiated = _negotiated(offer, transport, live.voice, video=live.video)
        if _sections(negotiated) != live.sections:
            words = (
                "An offer to a call restarts its ICE and changes nothing else: offer the same tracks and data channels "
                "as before, in the same order. For others, place a new call."
            )
            raise Problem(400, words, code="invalid_sdp", param="sdp")
        spec = _spec(negotiated, live.spec.peer, live.spec.shard)
        if spec.remote_fingerprint != live.spec.remote_fingerprint:
            words = "The offer has another certificate than the call began with. Place a new call."
            raise Problem(400, words, code="invalid_sdp", param="sdp")
        live.transport, live.spec = transport, spec
        live.call.change(spec)
        return negotiated.answer

    def hang_up(self, who: Principal, call_id: str, origin: str | None) -> None:
        """End a call. Raises `Problem` if there is none of that id."""
        self._find(who, call_id, origin).opened.handle.hang_up()

    def attach(self, who: Principal, call_id: str, dialect: Dialect, origin: str | None) -> Link:
        """Add a sideband to a call: every event, no sound. Raises `Problem`.

        An operator's is unrestricted; whoever comes with the call's own client secret sees what its browser sees.
        """
        opened = self._find(who, call_id, origin).opened
        try:
            permit = opened.permit if who.secret else None
            return opened.handle.attach(dialect=dialect, wants_audio=False, permit=permit)
        except SessionEnded:
            raise _unknown() from None

    def _find(self, who: Principal, call_id: str, origin: str | None) -> _Live:
        """Give a call to whoever may touch it: an operator, or its secret's bearer from where its scope says."""
        live = self._live.get(call_id)
        if live is None or live.opened.handle.ended:
            raise _unknown()
        if who.secret is not None:
            if who.secret.account != live.account:
                raise _unknown()
            check_origin(live.opened.scope, origin)
        return live

    def _ready(self) -> tuple[Switchboard, asyncio.TaskGroup]:
        if self._board is None:
            words = "This server has no media port, so it takes no WebRTC calls. Connect by WebSocket to /v1/realtime."
            raise Problem(501, words, code="not_implemented", type="server_error", headers={"x-should-retry": "false"})
        if self._group is None:
            words = "The server takes no calls now: it is starting or shutting down. Try again in a moment."
            raise Problem(503, words, code="server_starting", type="server_error", headers={"retry-after": "2"})
        return self._board, self._group

    async def _run(self, call_id: str, live: _Live, dialect: Dialect) -> None:
        handle, permit = live.opened.handle, live.opened.permit
        sctp = live.spec.sctp
        speaks = live.call.speaker is None and sctp is not None and sctp.max_message_bytes >= _SILENT_BELOW_BYTES

        def attach() -> Link | None:
            try:
                return handle.attach(dialect=dialect, wants_audio=speaks, permit=permit)
            except SessionEnded:
                return None

        self._metrics.call_opened()
        end = "failed"
        try:
            end = await live.call.run(handle, attach)
        finally:
            del self._live[call_id]
            self._metrics.call_ended(end)
            log.info("call ended", extra={"call_id": call_id, "reason": end, "dropped": live.call.blocks_dropped})


def _negotiated(offer: str, transport: LocalTransport, voice: LocalStream, *, video: Video) -> Negotiated:
    try:
        return answer_realtime(parse_offer(offer), transport, voice, video=video)
    except SdpError as error:
        text = str(error)
        raise Problem(
            400, text[0].upper() + text[1:] + ("" if text.endswith("?") else "."), code="invalid_sdp", param="sdp"
        ) from None


def _spec(negotiated: Negotiated, peer: PeerId, shard: int) -> PeerSpec:
    publications = {
        slot.mid: microphone_of(peer) if slot.kind == "audio" else camera_of(peer) for slot in negotiated.slots
    }
    try:
        return peer_spec_of(negotiated, peer=peer, shard=shard, publications=publications)
    except BadPeerSpec as error:
        raise Problem(400, f"The offer cannot be served: {error}.", code="invalid_sdp", param="sdp") from None


def _sections(negotiated: Negotiated) -> tuple[tuple[int, str], ...]:
    """Name what both sides keep, by place and mid."""
    kept = [(slot.index, slot.mid) for slot in negotiated.slots]
    if negotiated.sctp is not None:
        kept.append((negotiated.sctp.index, negotiated.sctp.mid))
    return tuple(kept)


def _unknown() -> Problem:
    return Problem(
        404,
        "There is no call of that id on this server. Calls end with their peer; place a new one.",
        code="call_id_not_found",
        param="call_id",
    )
