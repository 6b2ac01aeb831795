"""From text to a session description: the grammar of lines, and bounds on what a stranger may send.

What lives here: line ends, line letters and their order, the fields of `v o t c m`, and size limits. What does not: the
meaning of attributes, which `offered` reads. Unknown attributes are kept; unknown line letters are refused, as the
RFC demands. Anything at all may be given; the outcome is a description or `SdpError`, in time linear in the text.
Source: RFC 8866 §5 and §9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from parley.sdp.description import Line, MediaDescription, SessionDescription
from parley.sdp.errors import SdpError, excerpt

__all__ = ["DEFAULT_LIMITS", "SdpLimits", "parse_sdp", "whole_number"]


@dataclass(frozen=True, slots=True)
class SdpLimits:
    """How much a description may hold. A browser's first offer has 1 to 10 KiB, some 5 KiB for each video m-line."""

    text_bytes: int = 64 * 1024
    line_bytes: int = 4 * 1024
    lines: int = 4_096
    media: int = 128


_FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]+")  # RFC 8866 §9, token
_PROTOCOL = re.compile(r"[!#-'*+\-.0-9A-Z^-~]+(/[!#-'*+\-.0-9A-Z^-~]+)*")
_SESSION_LETTERS = frozenset("vosiuepcbtrzka")
_MEDIA_LETTERS = frozenset("icbka")
_OPENING = ("v", "o", "s")
DEFAULT_LIMITS = SdpLimits()


def parse_sdp(text: str, limits: SdpLimits = DEFAULT_LIMITS) -> SessionDescription:
    """Read a session description; lines may end in CR LF or LF. Raises nothing but `SdpError`."""
    session: list[Line] = []
    media: list[MediaDescription] = []
    section: MediaDescription | None = None
    section_lines: list[Line] = []
    for line in _lines(text, limits):
        if line.kind == "m":
            if section is not None:
                media.append(_closed(section, section_lines))
            section, section_lines = _media(line), []
            if len(media) >= limits.media:
                raise line.error(f"more than {limits.media} m-lines")
        elif section is not None:
            if line.kind not in _MEDIA_LETTERS:
                raise line.error(f"a line of type {line.kind}= cannot stand below an m-line")
            section_lines.append(line)
        else:
            session.append(line)
        _check_fields(line)
    if section is not None:
        media.append(_closed(section, section_lines))
    _check_session_part(session)
    return SessionDescription(tuple(session), tuple(media))


def whole_number(text: str, low: int, high: int) -> int | None:
    """Read a plain decimal number within bounds; None for anything else, Unicode digits and signs included."""
    if not (0 < len(text) <= 20 and text.isascii() and text.isdigit()):
        return None
    value = int(text)
    return value if low <= value <= high else None


def _lines(text: str, limits: SdpLimits) -> list[Line]:
    # The character count comes first: it is free, and bounds the cost of encoding.
    if len(text) > limits.text_bytes or len(text.encode("utf-8", "surrogatepass")) > limits.text_bytes:
        raise SdpError(0, "", f"larger than {limits.text_bytes} bytes")
    rows = text.split("\n")
    while rows and rows[-1] in {"", "\r"}:
        rows.pop()
    if not rows:
        raise SdpError(0, "", "empty: send the text of an offer, beginning with v=0")
    if len(rows) > limits.lines:
        raise SdpError(limits.lines + 1, "…", f"more than {limits.lines} lines")
    return [_line(row.removesuffix("\r"), number, limits) for number, row in enumerate(rows, 1)]


def _line(row: str, number: int, limits: SdpLimits) -> Line:
    def fault(reason: str) -> SdpError:
        return SdpError(number, excerpt(row), reason)

    if len(row) > limits.line_bytes or len(row.encode("utf-8", "surrogatepass")) > limits.line_bytes:
        raise fault(f"longer than {limits.line_bytes} bytes")
    if _FORBIDDEN.search(row):
        raise fault("a control character")
    if not row:
        raise fault("an empty line")
    if len(row) < 2 or row[1] != "=" or not "a" <= row[0] <= "z":
        raise fault("expected a letter and an equals sign; is this SDP, sent as it is and not as JSON?")
    if number <= len(_OPENING) and row[0] != _OPENING[number - 1]:
        raise fault(f"a description begins with v=, o= and s=; expected {_OPENING[number - 1]}= here")
    if row[0] != "m" and row[0] not in _SESSION_LETTERS:
        raise fault(f"no line type {row[0]}= is known")
    return Line(row[0], row[2:], number)


def _check_fields(line: Line) -> None:
    match line.kind:
        case "v" if line.number == 1:
            if line.value != "0":
                raise line.error("the only version is 0")
        case "o" if line.number == 2:
            _check_origin(line)
        case "s" if line.number == 3:
            pass
        case "v" | "o" | "s":
            raise line.error(f"{line.kind}= stands only at the beginning")
        case "t":
            fields = line.value.split()
            if len(fields) != 2 or any(whole_number(field, 0, 10**20) is None for field in fields):
                raise line.error("expected t= and two numbers, usually t=0 0")
        case "c":
            if len(line.value.split()) != 3:
                raise line.error("expected c=, IN, IP4 or IP6, and an address")
        case "a":
            if not _TOKEN.fullmatch(line.name):
                raise line.error("an attribute needs a name")
        case _:
            pass


def _check_origin(line: Line) -> None:
    fields = line.value.split()
    if len(fields) != 6 or fields[3] != "IN" or fields[4] not in {"IP4", "IP6"}:
        raise line.error("expected o=name id version IN IP4 address")
    if any(whole_number(field, 0, 10**20) is None for field in fields[1:3]):
        raise line.error("the session id and its version are numbers")


def _check_session_part(session: list[Line]) -> None:
    if len(session) < len(_OPENING):
        raise SdpError(0, "", "it ends before s=")
    if not any(line.kind == "t" for line in session):
        raise SdpError(0, "", "t= is missing before the first m-line; send t=0 0")


def _media(line: Line) -> MediaDescription:
    fields = line.value.split()
    if len(fields) < 4:
        raise line.error("expected m=, a kind, a port, a protocol and at least one format")
    kind, port_field, protocol, *formats = fields
    port_text, slash, count_text = port_field.partition("/")
    port = whole_number(port_text, 0, 65_535)
    count = whole_number(count_text, 1, 65_535) if slash else 1
    if port is None or count is None:
        raise line.error("a port is a number from 0 to 65535")
    if not _TOKEN.fullmatch(kind) or not _PROTOCOL.fullmatch(protocol):
        raise line.error("the kind and the protocol are plain tokens")
    if not all(_TOKEN.fullmatch(entry) for entry in formats):
        raise line.error("formats are plain tokens")
    if len(set(formats)) != len(formats):
        raise line.error("a format occurs twice")
    return MediaDescription(kind, port, protocol, tuple(formats), (), count, line.number)


def _closed(section: MediaDescription, lines: list[Line]) -> MediaDescription:
    return MediaDescription(
        section.kind,
        section.port,
        section.protocol,
        section.formats,
        tuple(lines),
        section.port_count,
        section.number,
    )
