"""A session description as it is written: lines in order, m-lines apart, nothing judged and nothing lost.

What lives here: the plain data that `parse` makes and `print` writes. What does not: what a line means for a peer
connection (`offered`), and answers (`negotiate`). Line numbers are kept for errors and do not count in comparisons.
Source: RFC 8866 §5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from parley.sdp.errors import SdpError, excerpt

__all__ = ["Line", "MediaDescription", "SessionDescription"]


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """One line: its letter and everything after the equals sign. `number` counts from 1; 0 if it was never read.

    Its representation is an excerpt, so that a description in a log or a traceback shows no credentials.
    """

    kind: str
    value: str
    number: int = field(default=0, compare=False)

    def __repr__(self) -> str:
        return f"Line({self.number}: {excerpt(f'{self.kind}={self.value}')})"

    @property
    def name(self) -> str:
        """Give an attribute's name, or an empty string for any other line."""
        return self.value.partition(":")[0] if self.kind == "a" else ""

    @property
    def argument(self) -> str:
        """Give what follows an attribute's name and colon."""
        return self.value.partition(":")[2]

    def error(self, reason: str) -> SdpError:
        """Make the error that blames this line."""
        return SdpError(self.number, excerpt(f"{self.kind}={self.value}"), reason)


def _first(lines: tuple[Line, ...], name: str) -> Line | None:
    return next((line for line in lines if line.name == name), None)


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """An m-line and what belongs to it (RFC 8866 §5.14). `lines` holds the rest of the section in order."""

    kind: str
    """`audio`, `video`, `application` or any other token."""
    port: int
    protocol: str
    formats: tuple[str, ...]
    """Payload types, or `webrtc-datachannel`."""
    lines: tuple[Line, ...] = ()
    port_count: int = 1
    number: int = field(default=0, compare=False)

    @property
    def m_line(self) -> Line:
        """Write the m-line itself."""
        port = f"{self.port}/{self.port_count}" if self.port_count > 1 else str(self.port)
        return Line("m", " ".join((self.kind, port, self.protocol, *self.formats)), self.number)

    def attribute(self, name: str) -> Line | None:
        """Find the first attribute of that name in this section."""
        return _first(self.lines, name)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description. `lines` is the session part, from `v=` on; `media` the sections, in order."""

    lines: tuple[Line, ...]
    media: tuple[MediaDescription, ...] = ()

    def attribute(self, name: str) -> Line | None:
        """Find the first session-level attribute of that name."""
        return _first(self.lines, name)

    def __iter__(self) -> Iterator[Line]:
        """Go through every line in order."""
        yield from self.lines
        for section in self.media:
            yield section.m_line
            yield from section.lines
