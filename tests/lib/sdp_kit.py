"""What tests of session descriptions share: the offers on file, our end of a transport, and the golden answers.

Run this module to write the golden answers anew; then read the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from parley.sdp import (
    Fingerprint,
    IceCredentials,
    LocalCandidate,
    LocalStream,
    LocalTransport,
    MediaPlan,
    Offer,
    answer_calls,
    answer_realtime,
    parse_offer,
)

__all__ = [
    "ANSWERS",
    "OFFERS",
    "golden_answers",
    "offer_text",
    "our_stream",
    "our_transport",
    "take_everything",
]

_FOLDER = Path(__file__).parents[1] / "unit/sdp"
ANSWERS = _FOLDER / "answers"
OFFERS = tuple(sorted(path.stem for path in (_FOLDER / "offers").glob("*.sdp")))
_PROTOCOLS: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")


def offer_text(name: str) -> str:
    """Read an offer with its line ends as they are."""
    return (_FOLDER / "offers" / f"{name}.sdp").read_bytes().decode()


def our_transport(*hosts: str, session_version: int = 1, ice_lite: bool = True, port: int = 8_001) -> LocalTransport:
    """Give our end of a transport; nothing in it is random, and the addresses are for documentation."""
    addresses = hosts or ("192.0.2.10", "198.51.100.20", "2001:db8::6")
    return LocalTransport(
        ice=IceCredentials("a0Lm", "0123456789abcdefghijKLMN"),
        fingerprint=Fingerprint("sha-256", ":".join(f"{byte:02X}" for byte in range(0xA0, 0xC0))),
        candidates=tuple(LocalCandidate(host, port, protocol) for host in addresses for protocol in _PROTOCOLS),
        session_id=4_611_686_018_427_387_904,
        session_version=session_version,
        ice_lite=ice_lite,
    )


def our_stream(number: int = 1) -> LocalStream:
    """Give a stream of ours, with an SSRC for retransmissions."""
    ssrc = 3_000_000_000 + 2 * number
    return LocalStream(ssrc, "parley", f"stream-{number}", f"track-{number}", ssrc + 1)


def take_everything(offer: Offer, *, send: bool = False) -> dict[str, MediaPlan]:
    """Plan to take all that is offered, layers included, and with `send` to send wherever something is received."""
    return {
        media.mid: MediaPlan(receive=True, simulcast=True, send=our_stream(media.index) if send else None)
        for media in offer.media
    }


def golden_answers() -> Iterator[tuple[str, str]]:
    """Answer every offer on file: names and texts of the answers on file."""
    for name in OFFERS:
        offer = parse_offer(offer_text(name))
        yield f"realtime_{name}", answer_realtime(offer, our_transport(), our_stream()).answer
        if "video" in name or "simulcast" in name:
            seen = answer_realtime(offer, our_transport(), our_stream(), video="vp8").answer
            yield f"realtime_seeing_{name}", seen
        if name in {"chromium_simulcast", "firefox_simulcast", "chromium_receive_only", "aiortc_audio_video_data"}:
            plans = take_everything(offer, send=True)
            yield f"calls_{name}", answer_calls(offer, our_transport(), plans)[0].answer


if __name__ == "__main__":
    ANSWERS.mkdir(exist_ok=True)
    for old in ANSWERS.glob("*.sdp"):
        old.unlink()
    for answer_name, answer in golden_answers():
        (ANSWERS / f"{answer_name}.sdp").write_bytes(answer.encode())
