"""Which codecs of an offered section are taken, and what is answered for each.

What lives here: the match of an offer's codecs with a policy's rules. What does not: payload types that already mean
something else in the connection, which `negotiate` leaves out.
"""

from __future__ import annotations

from dataclasses import replace

from parley.sdp.negotiated import Codec
from parley.sdp.offered import OfferedMedia
from parley.sdp.policy import AnswerPolicy, CodecRule

__all__ = ["choose_codecs", "meaning_of", "no_codec"]


def no_codec(rules: tuple[CodecRule, ...]) -> str:
    """Say why a section is declined that has none of these."""
    return f"no codec that Parley speaks: offer {', '.join(rule.name for rule in rules)}"


def choose_codecs(media: OfferedMedia, policy: AnswerPolicy) -> tuple[tuple[Codec, str], ...]:
    """Find the codecs that we take, each with our `fmtp`."""
    rules = policy.audio if media.description.kind == "audio" else policy.video
    feedback = policy.feedback if media.description.protocol.endswith("F") else frozenset()
    found: list[tuple[int, Codec, str]] = []
    for codec in media.codecs:
        # RFC 5761 §4: these cannot be told from RTCP on a shared port.
        rule = _rule(rules, codec) if not 64 <= codec.payload_type <= 95 else -1
        if rule < 0:
            continue
        kept = replace(
            codec,
            feedback=tuple(value for value in codec.feedback if value in feedback),
            rtx_payload_type=codec.rtx_payload_type if policy.retransmission else None,
        )
        answered = rules[rule].parameters
        found.append((rule, kept, codec.parameters if answered is None else answered))
    if policy.codec_order == "ours":
        firsts = {rule: (codec, text) for rule, codec, text in reversed(found)}
        return tuple(firsts[rule] for rule in sorted(firsts))
    return tuple((codec, text) for _, codec, text in found)


def _rule(rules: tuple[CodecRule, ...], codec: Codec) -> int:
    for number, rule in enumerate(rules):
        if rule.name.lower() == codec.name.lower() and rule.clock_rate_hz == codec.clock_rate_hz:
            return number
    return -1


def meaning_of(codec: Codec) -> tuple[str, str]:
    """Say what a payload type stands for, as far as both ends must agree on it for good."""
    return codec.name.lower(), f"{codec.clock_rate_hz}/{codec.channels}"
