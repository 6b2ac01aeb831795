"""What each product keeps of an offer: codecs, header extensions, feedback, and who opens DTLS.

What lives here: policies as plain tables, and limits that differ from the usual. What does not: how they are applied
(`negotiate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from parley.sdp.negotiated import DtlsRole
from parley.sdp.parse import SdpLimits

__all__ = ["CALLS", "CALLS_LIMITS", "MID_EXTENSION", "REALTIME", "AnswerPolicy", "CodecRule"]

MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid"


@dataclass(frozen=True, slots=True)
class CodecRule:
    """A codec that we take, and the `fmtp` that we answer: None repeats what was offered."""

    name: str
    clock_rate_hz: int
    parameters: str | None = ""


@dataclass(frozen=True, slots=True)
class AnswerPolicy:
    """How offers are answered."""

    audio: tuple[CodecRule, ...]
    video: tuple[CodecRule, ...]
    codec_order: Literal["ours", "theirs"]
    """`ours`: rule by rule, the first match of each. `theirs`: every match, as offered."""
    extensions: frozenset[str]
    feedback: frozenset[str]
    """`rtcp-fb` values that are kept where they are offered."""
    role: DtlsRole
    """Ours, where the offer leaves it open (`actpass`)."""
    retransmission: bool = False
    reduced_size: bool = False
    candidates_everywhere: bool = False
    """Repeat the candidates in every section: browsers read them in the tagged one, some native stacks elsewhere."""
    hashes: tuple[str, ...] = ("sha-256",)
    """Certificate hashes that the media plane can check, best first."""


REALTIME = AnswerPolicy(
    audio=(
        CodecRule("opus", 48_000, "minptime=10;useinbandfec=1"),
        CodecRule("PCMU", 8_000),
        CodecRule("PCMA", 8_000),
    ),
    video=(CodecRule("VP8", 90_000),),
    codec_order="ours",
    extensions=frozenset({MID_EXTENSION}),
    feedback=frozenset({"nack pli"}),
    role="active",
)
"""A conversation with the AI: small answers, because some devices read them into 2 KiB."""

CALLS = AnswerPolicy(
    audio=(CodecRule("opus", 48_000, None), CodecRule("PCMU", 8_000, None), CodecRule("PCMA", 8_000, None)),
    video=tuple(CodecRule(name, 90_000, None) for name in ("VP8", "VP9", "H264", "H265", "AV1")),
    codec_order="theirs",
    extensions=frozenset(
        {
            MID_EXTENSION,
            "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "urn:3gpp:video-orientation",
            "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        }
    ),
    feedback=frozenset({"nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"}),
    role="passive",
    retransmission=True,
    reduced_size=True,
    candidates_everywhere=True,
)
"""A session at the SFU: media is passed on as it comes, so what the browser chose is kept."""

CALLS_LIMITS = SdpLimits(text_bytes=1024 * 1024, lines=32_768)
"""A browser repeats some 5 KiB for each video section in every offer, and a session may have dozens."""
