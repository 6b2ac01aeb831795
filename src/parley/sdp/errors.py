"""What goes wrong with a session description: `SdpError`, and how a line is quoted without its secrets.

What lives here: the one error of this package and the excerpt of the line at fault. What does not: the rules that are
broken, which stand where they are checked. Neighbours: everything in this package raises it.
"""

from __future__ import annotations

__all__ = ["SdpError", "excerpt"]

_SHOWN_CHARACTERS = 48

# Attributes whose value may be quoted: negotiation only. Passwords, keys, addresses and unknown names are not.
_QUOTABLE = frozenset(
    {
        "extmap", "extmap-allow-mixed", "fingerprint", "fmtp", "group", "ice-lite", "inactive", "max-message-size",
        "maxptime", "mid", "ptime", "recvonly", "rid", "rtcp-fb", "rtcp-mux", "rtpmap", "sctp-port", "sendonly",
        "sendrecv", "setup", "simulcast", "ssrc-group",
    }
)  # fmt: skip
_NAMEABLE = _QUOTABLE | {
    "candidate", "crypto", "end-of-candidates", "ice-options", "ice-pwd", "ice-ufrag", "identity", "msid", "rtcp",
    "ssrc",
}  # fmt: skip


class SdpError(ValueError):
    """A session description that cannot be read or answered: the sender's fault, told so that the sender can fix it.

    `line_number` counts from 1 and is 0 where the description as a whole is at fault. `line_excerpt` quotes that line
    without credentials, addresses and anything this package does not know. `reason` says what is wrong and, where it
    is not plain, what to send instead.
    """

    def __init__(self, line_number: int, line_excerpt: str, reason: str) -> None:
        self.line_number = line_number
        self.line_excerpt = line_excerpt
        self.reason = reason
        if line_number:
            super().__init__(f"line {line_number} of the session description ({line_excerpt}): {reason}")
        else:
            super().__init__(f"the session description: {reason}")


def excerpt(line: str) -> str:
    """Quote one line of SDP for an error: negotiation is shown, secrets and free text are not."""
    kind, equals, value = line.partition("=")
    if not equals or len(kind) != 1 or not ("a" <= kind <= "z"):
        return "no line of the form letter=value"
    if kind == "a":
        name, colon, argument = value.partition(":")
        if name not in _NAMEABLE:
            return "a=…"
        if name not in _QUOTABLE:
            return f"a={name}:…" if colon else f"a={name}"
        return _shorten(f"a={name}:{argument}" if colon else f"a={name}")
    return _shorten(line) if kind in "mvtb" else f"{kind}=…"


def _shorten(text: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in text[:_SHOWN_CHARACTERS])
    return shown + ("…" if len(text) > _SHOWN_CHARACTERS else "")
