"""The way from a negotiation's result to what a media plane must know of the peer."""

from __future__ import annotations

import pytest
from sdp_kit import OFFERS, offer_text, our_stream, our_transport, take_everything

from parley.media.errors import BadPeerSpec
from parley.media.negotiated_peer import peer_spec_of
from parley.media.peer_spec import Candidate, PeerId, PeerSpec, PublicationId, SctpSpec, StreamIds, check_peer_spec
from parley.sdp import answer_calls, answer_realtime, parse_offer

PEER = PeerId("peer")


def spec(name: str, *, video: bool = False, **publications: str) -> PeerSpec:
    negotiated = answer_realtime(
        parse_offer(offer_text(name)), our_transport(), our_stream(), video="vp8" if video else "decline"
    )
    names = {mid.removeprefix("mid_"): PublicationId(name) for mid, name in publications.items()}
    return peer_spec_of(negotiated, peer=PEER, shard=1, publications=names)


@pytest.mark.parametrize("name", OFFERS)
@pytest.mark.parametrize("send", [False, True])
def test_every_plane_can_serve_what_was_negotiated(name: str, send: bool) -> None:
    offer = parse_offer(offer_text(name))
    negotiated, _ = answer_calls(offer, our_transport(), take_everything(offer, send=send))
    names = {slot.mid: PublicationId(f"pub-{slot.mid}") for slot in negotiated.slots}
    check_peer_spec(peer_spec_of(negotiated, peer=PEER, shard=0, publications=names))


def test_a_browser_becomes_a_peer() -> None:
    peer = spec("chromium_audio_and_data", mid_0="microphone")
    assert (peer.peer, peer.shard, peer.dtls_role, peer.ice_lite) == (PEER, 1, "active", True)
    assert peer.local_ice.ufrag == our_transport().ice.ufrag
    assert (peer.remote_ice.ufrag, peer.remote_fingerprint.algorithm) == ("flUv", "sha-256")
    slot = peer.slots[0]
    assert (slot.mid, slot.kind, slot.publication) == ("0", "audio", "microphone")
    assert slot.receive == (StreamIds(335859749),)
    assert slot.send == StreamIds(our_stream().ssrc)
    assert [(codec.name, codec.parameters) for codec in slot.codecs] == [
        ("opus", "minptime=10;useinbandfec=1"),
        ("PCMU", ""),
        ("PCMA", ""),
    ]
    assert peer.sctp == SctpSpec("1", 5_000, 262_144)


def test_what_has_no_name_is_not_received() -> None:
    slot = spec("chromium_audio_and_data").slots[0]
    assert (slot.publication, slot.receive) == (None, ())
    assert slot.send is not None


def test_a_slot_that_only_receives_publishes_nothing() -> None:
    slot = spec("chromium_receive_only", mid_0="microphone").slots[0]
    assert (slot.publication, slot.receive) == (None, ())


def test_extensions_and_feedback_come_along() -> None:
    peer = spec("chromium_audio_video_data", video=True, mid_0="a", mid_1="v")
    assert [extension.extension_id for extension in peer.extensions] == [4]
    assert peer.slots[1].codecs[0].feedback == ("nack pli",)


def test_only_addresses_that_can_be_reached_come_along() -> None:
    candidates = spec("chromium_with_candidates").remote_candidates
    assert candidates == (Candidate("192.0.2.2", 60206), Candidate("fd00::2", 52200))
    assert spec("unverified_safari_audio_and_data").remote_candidates == ()


def test_a_closed_connection_is_no_peer() -> None:
    text = offer_text("chromium_audio_only").replace("m=audio 9", "m=audio 0")
    negotiated, _ = answer_calls(parse_offer(text), our_transport(), {})
    with pytest.raises(BadPeerSpec, match="remove the peer"):
        peer_spec_of(negotiated, peer=PEER, shard=0, publications={})
