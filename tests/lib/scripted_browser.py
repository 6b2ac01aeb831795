"""A browser's half of offer and answer, written without the product's own code: m-lines in, text out.

It keeps m-lines in order, numbers as Chromium does, recycles places that are closed, and refuses what a browser
refuses: mids that move, identifiers with a new meaning, m-lines that vanish. No media flows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["ScriptedBrowser"]

_EXTENSIONS = {
    "audio": {1: "urn:ietf:params:rtp-hdrext:ssrc-audio-level", 4: "urn:ietf:params:rtp-hdrext:sdes:mid"},
    "video": {13: "urn:3gpp:video-orientation", 4: "urn:ietf:params:rtp-hdrext:sdes:mid"},
}
_CODECS = {
    "audio": [("111", "opus/48000/2"), ("0", "PCMU/8000"), ("8", "PCMA/8000")],
    "video": [("96", "VP8/90000"), ("97", "rtx/90000")],
}
_TURNED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass
class Section:
    mid: str
    kind: str
    direction: str
    ssrc: int
    stopped: bool = False
    rids: tuple[str, ...] = ()


@dataclass
class ScriptedBrowser:
    """One PeerConnection."""

    name: str = "a"
    sections: list[Section] = field(default_factory=list)
    tag: str = ""
    remote: str = ""
    _next_mid: int = 0
    _meanings: dict[str, str] = field(default_factory=dict)
    version: int = 1

    @property
    def ufrag(self) -> str:
        return f"{self.name}frag"

    def add(self, kind: str, direction: str = "sendonly", rids: tuple[str, ...] = ()) -> str:
        """Add a transceiver; give its mid."""
        while any(section.mid == str(self._next_mid) for section in self.sections):
            self._next_mid += 1
        section = Section(str(self._next_mid), kind, direction, self._ssrc(), rids=rids)
        self._next_mid += 1
        free = next((n for n, old in enumerate(self.sections) if old.stopped), None)
        if free is None:
            self.sections.append(section)
        else:
            self.sections[free] = section
        return section.mid

    def stop(self, mid: str) -> None:
        """Stop a transceiver."""
        next(section for section in self.sections if section.mid == mid).stopped = True

    def offer(self) -> str:
        """Describe every m-line."""
        return self._text({section.mid: "actpass" for section in self.sections})

    def accept(self, answer: str) -> None:
        """Check an answer against what was offered."""
        described = self._read(answer)
        assert [kind for kind, _ in described] == [section.kind for section in self.sections], "m-lines changed"
        for (_, lines), section in zip(described, self.sections, strict=True):
            assert _one(lines, "mid") == section.mid
            if not section.stopped:
                assert _one(lines, "setup") in {"active", "passive"}
        live = [section.mid for section in self.sections if not section.stopped]
        group = re.search(r"a=group:BUNDLE ?([^\r\n]*)", answer)
        assert group is not None
        assert group[1].split() == live, "the BUNDLE group is the offer's, less what is closed"
        self.remote = answer

    def answer(self, offer: str) -> str:
        """Take the server's offer."""
        described = self._read(offer)
        assert len(described) >= len(self.sections), "m-lines vanished"
        for index, (kind, lines) in enumerate(described):
            mid, direction = _one(lines, "mid"), _direction(lines)
            if index < len(self.sections) and not self.sections[index].stopped:
                section = self.sections[index]
                assert (section.mid, section.kind) == (mid, kind), "an m-line in use changed its mid or kind"
                section.stopped = lines[0].split()[1] == "0"
                if kind != "application":
                    wanted = _TURNED[direction]
                    sends = section.direction in {"sendonly", "sendrecv"} and wanted in {"sendonly", "sendrecv"}
                    receives = wanted in {"recvonly", "sendrecv"}
                    section.direction = _name(sends=sends, receives=receives)
                continue
            closed = lines[0].split()[1] == "0"
            section = Section(mid, kind, _TURNED[direction], self._ssrc(), stopped=closed)
            if index < len(self.sections):
                self.sections[index] = section
            else:
                self.sections.append(section)
        self.remote = offer
        return self._text({section.mid: "active" for section in self.sections})

    def receives(self, mid: str) -> bool:
        """Whether this browser receives on a mid, by both descriptions."""
        return next(section for section in self.sections if section.mid == mid).direction in {"recvonly", "sendrecv"}

    # Inside.

    def _ssrc(self) -> int:
        return sum(self.name.encode()) * 1_000_000 + len(self.sections) * 10 + self._next_mid * 1_000 + 1

    def _read(self, text: str) -> list[tuple[str, list[str]]]:
        head, *rest = re.split(r"\r\n(?=m=)", text)
        assert head.startswith("v=0")
        described = []
        for part in rest:
            lines = part.split("\r\n")
            kind = lines[0].split()[0].removeprefix("m=")
            if lines[0].split()[1] != "0":
                self._learn(lines)
            described.append((kind, lines))
        return described

    def _learn(self, lines: list[str]) -> None:
        for line in lines:
            for name in ("extmap", "rtpmap"):
                if line.startswith(f"a={name}:"):
                    number, meaning = line.removeprefix(f"a={name}:").split(" ", 1)
                    known = self._meanings.setdefault(f"{name} {number}", meaning)
                    assert known == meaning, f"{name} {number} meant {known} and now {meaning}"

    def _text(self, setups: dict[str, str]) -> str:
        self.version += 1
        live = [section.mid for section in self.sections if not section.stopped]
        rows = [
            "v=0",
            f"o=- 1 {self.version} IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            f"a=group:BUNDLE {' '.join(live)}".rstrip(),
        ]
        for section in self.sections:
            rows += self._section(section, setups[section.mid])
        return "\r\n".join(rows) + "\r\n"

    def _section(self, section: Section, setup: str) -> list[str]:
        port = 0 if section.stopped else 9
        transport = [
            "c=IN IP4 0.0.0.0",
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{'p' * 24}",
            "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
            f"a=setup:{setup}",
            f"a=mid:{section.mid}",
        ]
        if section.kind == "application":
            return [f"m=application {port} UDP/DTLS/SCTP webrtc-datachannel", *transport, "a=sctp-port:5000"]
        codecs = _CODECS[section.kind]
        rows = [f"m={section.kind} {port} UDP/TLS/RTP/SAVPF {' '.join(number for number, _ in codecs)}", *transport]
        rows += [f"a=extmap:{number} {uri}" for number, uri in _EXTENSIONS[section.kind].items()]
        rows += [f"a={section.direction}", "a=rtcp-mux"]
        rows += [f"a=rtpmap:{number} {name}" for number, name in codecs]
        if section.kind == "video":
            rows += ["a=fmtp:97 apt=96", "a=rtcp-fb:96 nack pli"]
        self._learn(rows)
        if section.rids:
            rows += [f"a=rid:{rid} send" for rid in section.rids] + [f"a=simulcast:send {';'.join(section.rids)}"]
        elif section.direction in {"sendonly", "sendrecv"} and not section.stopped:
            rows.append(f"a=ssrc:{section.ssrc} cname:{self.name}")
        return rows


def _one(lines: list[str], name: str) -> str:
    return next(line.partition(":")[2] for line in lines if line.startswith(f"a={name}:"))


def _direction(lines: list[str]) -> str:
    return next((line[2:] for line in lines if line[2:] in _TURNED), "sendrecv")


def _name(*, sends: bool, receives: bool) -> str:
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (sends, receives), "inactive"
    )
