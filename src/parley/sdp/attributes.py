"""The values of single attributes, read strictly: from one line to typed data, or an error that blames the line.

What lives here: one function for each attribute that negotiation uses, and `Attributes`, the index of a section. What
does not: how attributes of a section belong together (`offered`) and what we make of them (`negotiate`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from parley.sdp.description import Line
from parley.sdp.negotiated import Candidate, Fingerprint
from parley.sdp.parse import whole_number

__all__ = [
    "Attributes",
    "ExtensionMap",
    "RtpMap",
    "read_candidate",
    "read_extmap",
    "read_fingerprint",
    "read_group",
    "read_ice_password",
    "read_ice_ufrag",
    "read_mid",
    "read_number",
    "read_payload_text",
    "read_rid",
    "read_rtpmap",
    "read_simulcast",
    "read_ssrc",
    "read_ssrc_group",
]

_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]{1,64}")  # RFC 8866 §9
_ICE_CHARACTERS = re.compile(r"[A-Za-z0-9+/=_\-]+")  # RFC 8839 §5.4; some stacks add = _ and -
_RID = re.compile(r"[A-Za-z0-9_\-]{1,64}")  # RFC 8851 §10, bounded
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+")
_HOST = re.compile(r"[A-Za-z0-9.:_\-%]{1,255}")
_ENCODING = re.compile(r"[A-Za-z0-9_.\-]{1,32}")
# RFC 8122 §5; md5 and md2 are not to be used.
_HASH_BYTES = {"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
_MAX_LAYERS = 8


class Attributes:
    """The attributes of one section, by name. Made in one pass, so that look-ups cost nothing."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._by_name: dict[str, list[Line]] = {}
        for line in lines:
            if line.kind == "a":
                self._by_name.setdefault(line.name, []).append(line)

    def all(self, name: str, at_most: int = 4_096) -> list[Line]:
        """Give every attribute of that name, in order; one more than `at_most` is an error."""
        found = self._by_name.get(name, [])
        if len(found) > at_most:
            raise found[at_most].error(f"more than {at_most} lines of this kind in one section")
        return found

    def one(self, name: str) -> Line | None:
        """Give the only attribute of that name; a second one that says something else is an error."""
        found = self.all(name)
        for later in found[1:]:
            if later.value != found[0].value:
                raise later.error(f"{name} occurs twice in this section, with different values")
        return found[0] if found else None

    def __contains__(self, name: str) -> bool:
        return name in self._by_name


@dataclass(frozen=True, slots=True)
class RtpMap:
    """RFC 8866 §6.6."""

    payload_type: int
    encoding: str
    clock_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class ExtensionMap:
    """RFC 8285 §5. `direction` is empty where the line names none."""

    extension_id: int
    direction: str
    uri: str


def read_number(line: Line, low: int, high: int) -> int:
    """Read an attribute whose value is one number."""
    value = whole_number(line.argument.strip(), low, high)
    if value is None:
        raise line.error(f"expected a number from {low} to {high}")
    return value


def read_mid(line: Line) -> str:
    """RFC 5888 §4: one token, here of at most 64 characters."""
    if not _TOKEN.fullmatch(line.argument):
        raise line.error("a mid is one token of at most 64 characters")
    return line.argument


def read_group(line: Line) -> tuple[str, tuple[str, ...]]:
    """RFC 5888 §5: semantics and mids, each mid once."""
    semantics, *mids = line.argument.split() or [""]
    if not semantics:
        raise line.error("a group needs its semantics, such as BUNDLE")
    return semantics, tuple(dict.fromkeys(mids))


def read_ice_ufrag(line: Line) -> str:
    """RFC 8839 §5.4: 4 to 256 ice-chars."""
    return _ice_text(line, 4)


def read_ice_password(line: Line) -> str:
    """RFC 8839 §5.4: 22 to 256 ice-chars."""
    return _ice_text(line, 22)


def _ice_text(line: Line, shortest: int) -> str:
    if not shortest <= len(line.argument) <= 256 or not _ICE_CHARACTERS.fullmatch(line.argument):
        raise line.error(f"expected {shortest} to 256 letters, digits, + and /")
    return line.argument


def read_fingerprint(line: Line) -> Fingerprint | None:
    """RFC 8122 §5. None for a hash that nobody here knows, which is no error: there may be another line."""
    fields = line.argument.split()
    if len(fields) != 2:
        raise line.error("expected a hash name and a fingerprint, such as sha-256 AB:CD:…")
    algorithm, value = fields[0].lower(), fields[1].upper()
    size = _HASH_BYTES.get(algorithm)
    if size is None:
        return None
    if not _HEX_PAIRS.fullmatch(value) or len(value) != size * 3 - 1:
        raise line.error(f"a {algorithm} fingerprint is {size} hex pairs between colons")
    return Fingerprint(algorithm, value)


def read_rtpmap(line: Line) -> RtpMap:
    """RFC 8866 §6.6: `111 opus/48000/2`."""
    fields = line.argument.split()
    parts = fields[1].split("/") if len(fields) == 2 else []
    if len(parts) not in {2, 3} or not _ENCODING.fullmatch(parts[0]):
        raise line.error("expected a payload type and name/clock rate/channels, such as 111 opus/48000/2")
    payload_type = whole_number(fields[0], 0, 127)
    clock_rate_hz = whole_number(parts[1], 1, 10_000_000)
    channels = whole_number(parts[2], 1, 255) if len(parts) == 3 else 1
    if payload_type is None:
        raise line.error("a payload type is 0 to 127")
    if clock_rate_hz is None or channels is None:
        raise line.error("the clock rate and the channels are numbers above 0")
    return RtpMap(payload_type, parts[0], clock_rate_hz, channels)


def read_payload_text(line: Line) -> tuple[int | None, str]:
    """Read `fmtp` or `rtcp-fb`: a payload type and its text; None stands for `*`, all of them."""
    number, _, text = line.argument.strip().partition(" ")
    if number == "*":
        return None, text.strip()
    payload_type = whole_number(number, 0, 127)
    if payload_type is None:
        raise line.error("a payload type is 0 to 127")
    return payload_type, text.strip()


def read_extmap(line: Line) -> ExtensionMap:
    """RFC 8285 §5: `4/sendonly urn:… attributes`; identifiers 1 to 255, and 4096 to 4351 for those to be mapped."""
    fields = line.argument.split()
    if len(fields) < 2:
        raise line.error("expected an identifier and a URI")
    number, _, direction = fields[0].partition("/")
    extension_id = whole_number(number, 1, 4_351)
    if extension_id is None:
        raise line.error("an extension identifier is 1 to 14")
    if direction not in {"", "sendrecv", "sendonly", "recvonly", "inactive"}:
        raise line.error("a direction is sendrecv, sendonly, recvonly or inactive")
    return ExtensionMap(extension_id, direction, fields[1])


def read_ssrc(line: Line) -> int:
    """RFC 5576 §4.1: the SSRC alone; what is said of it is of no use here."""
    ssrc = whole_number(line.argument.partition(" ")[0], 1, 2**32 - 1)
    if ssrc is None:
        raise line.error("an SSRC is a number from 1 to 4294967295")
    return ssrc


def read_ssrc_group(line: Line) -> tuple[str, tuple[int, ...]]:
    """RFC 5576 §4.2: semantics and SSRCs."""
    semantics, *numbers = line.argument.split() or [""]
    ssrcs = [whole_number(number, 1, 2**32 - 1) for number in numbers]
    known = tuple(ssrc for ssrc in ssrcs if ssrc is not None)
    if not semantics or not ssrcs or len(known) != len(ssrcs):
        raise line.error("expected semantics and SSRCs, such as FID 1111 2222")
    return semantics, known


def read_rid(line: Line) -> tuple[str, str]:
    """RFC 8851 §4: the id and `send` or `recv`; restrictions are left to the sender."""
    fields = line.argument.split(" ", 2)
    if len(fields) < 2 or not _RID.fullmatch(fields[0]) or fields[1] not in {"send", "recv"}:
        raise line.error("expected an id of letters and digits and a direction, such as f send")
    return fields[0], fields[1]


def read_simulcast(line: Line) -> tuple[str, ...]:
    """RFC 8853 §5.1: the rids that are sent, the first alternative of each; those paused at first (`~`) included."""
    fields = line.argument.split()
    if len(fields) not in {2, 4} or any(field not in {"send", "recv"} for field in fields[::2]):
        raise line.error("expected a direction and rids, such as send f;h;q")
    lists = dict(zip(fields[::2], fields[1::2], strict=True))
    if len(lists) * 2 != len(fields):
        raise line.error("each direction is named once")
    if "send" not in lists:
        return ()
    rids = tuple(entry.partition(",")[0].removeprefix("~") for entry in lists["send"].split(";"))
    if len(rids) > _MAX_LAYERS or len(set(rids)) != len(rids) or not all(_RID.fullmatch(rid) for rid in rids):
        raise line.error(f"expected at most {_MAX_LAYERS} rids, each once, between semicolons")
    return rids


def read_candidate(line: Line) -> Candidate | None:
    """RFC 8839 §5.1. None for what is of no use: another component, or a transport other than UDP and TCP."""
    fields = line.argument.split()
    if len(fields) < 8 or fields[6] != "typ":
        raise line.error("expected foundation component transport priority address port typ kind")
    component = whole_number(fields[1], 1, 256)
    priority = whole_number(fields[3], 0, 2**32 - 1)
    port = whole_number(fields[5], 0, 65_535)
    if component is None or priority is None or port is None or not _HOST.fullmatch(fields[4]):
        raise line.error("the component, priority, address or port of a candidate is not one")
    protocol = fields[2].lower()
    extra = dict(zip(fields[8::2], fields[9::2], strict=False))
    if component != 1:
        return None
    if protocol == "udp":
        return Candidate(fields[4], port, "udp", priority, fields[7])
    if protocol == "tcp":
        return Candidate(fields[4], port, "tcp", priority, fields[7], extra.get("tcptype", "active"))
    return None
