"""The written form of a session: a list of `(now, input) → outputs` that can be run again. A pure codec.

One JSON object per line. The first line holds what `RealtimeSession` was made of; each further line one step: when, the
input, the outputs it led to, and the ids drawn meanwhile. `ids` null in the header means `counting_ids`, which golden
transcripts use; otherwise a replay hands out the recorded ids, so that it is byte-identical. A step whose machine broke
has `raised` with the exception's name and no outputs: a replay raises it again until it is mended.
Neighbours: `session` (what is replayed), `observe.recorder` (writes files), `parley replay` (reads them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeVar

import msgspec

from parley.protocol.realtime.ids import IdKind, IdSource, LaneId, Ms, SessionId, counting_ids
from parley.protocol.realtime.inputs import Input
from parley.protocol.realtime.outputs import Output
from parley.protocol.realtime.session import RealtimeSession
from parley.protocol.realtime.session_config import SessionConfig

__all__ = [
    "DrawnIds",
    "Header",
    "RecordedStep",
    "Recording",
    "RecordingError",
    "decode",
    "encode_crash",
    "encode_header",
    "encode_step",
    "new_session",
    "replay",
]

_T = TypeVar("_T")

_FORMAT = 1
_SHOWN_CHARS = 400
_DIFFERENCES = 20


class RecordingError(Exception):
    """A file is no recording, or not one of this version. The message names the line."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine was made of. `ids` are those it drew while being made, or None for `counting_ids`."""

    parley_recording: int = _FORMAT
    session_id: str
    config: SessionConfig
    now: int
    created_unix: int
    max_session_ms: int
    needs_transcript: bool = True
    sees: bool = True
    camera: bool = False
    pacing: Literal["client", "server"] = "client"
    lanes: tuple[str, ...] = ("0",)
    ids: tuple[str, ...] | None = None


class RecordedStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step. Outputs stay JSON: they are compared, not run."""

    now: int
    input: Input
    outputs: tuple[msgspec.Raw, ...] = ()
    ids: tuple[str, ...] = ()
    raised: str = ""


class _Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    now: int
    input: Input
    outputs: Sequence[Output]
    ids: Sequence[str] = ()
    raised: str = ""


class Recording(msgspec.Struct, frozen=True):
    """A whole session as it was written down."""

    header: Header
    steps: tuple[RecordedStep, ...]


class DrawnIds:
    """An `IdSource` that remembers what it gave, for the recorder."""

    def __init__(self, source: IdSource) -> None:
        self._source = source
        self._drawn: list[str] = []

    def __call__(self, kind: IdKind) -> str:
        """Give a fresh id."""
        drawn = self._source(kind)
        self._drawn.append(drawn)
        return drawn

    def take(self) -> tuple[str, ...]:
        """Everything given since the last `take`, in order."""
        drawn, self._drawn = tuple(self._drawn), []
        return drawn


def encode_header(header: Header) -> bytes:
    """Write the first line, newline included."""
    return msgspec.json.encode(header) + b"\n"


def encode_step(now: int, item: Input, outputs: Sequence[Output], ids: Sequence[str] = ()) -> bytes:
    """Write one step, newline included. `ids` are those drawn in it; leave them out with `counting_ids`."""
    return msgspec.json.encode(_Step(now=now, input=item, outputs=outputs, ids=ids)) + b"\n"


def encode_crash(now: int, item: Input, raised: str) -> bytes:
    """Write the step that broke the machine; `raised` is the exception's type."""
    return msgspec.json.encode(_Step(now=now, input=item, outputs=(), raised=raised)) + b"\n"


def decode(lines: Iterable[bytes | str]) -> Recording:
    """Read a recording. Raises `RecordingError`."""
    numbered = enumerate((line for line in lines if line.strip()), 1)
    _, first = next(numbered, (0, None))
    if first is None:
        raise RecordingError("The file is empty: a recording begins with a header line.")
    header = _decoded(first, Header, 1)
    if header.parley_recording != _FORMAT:
        raise RecordingError(f"Line 1: format {header.parley_recording}; this version reads format {_FORMAT}.")
    return Recording(header, tuple(_decoded(line, RecordedStep, number) for number, line in numbered))


def new_session(header: Header) -> tuple[RealtimeSession, _ReplayedIds | None]:
    """Make the machine of a header again, with its ids."""
    replayed = None if header.ids is None else _ReplayedIds(header.ids)
    session = RealtimeSession(
        session_id=SessionId(header.session_id),
        config=header.config,
        ids=replayed or counting_ids(),
        now=Ms(header.now),
        created_unix=header.created_unix,
        max_session_ms=header.max_session_ms,
        needs_transcript=header.needs_transcript,
        sees=header.sees,
        camera=header.camera,
        pacing=header.pacing,
        lanes=tuple(LaneId(lane) for lane in header.lanes),
    )
    return session, replayed


def replay(lines: Iterable[bytes | str]) -> list[str]:
    """Run a recording again; say where it differs, nothing if it does not. At most 20 differences.

    Raises `RecordingError` on a file that is no recording, and whatever the machine raises.
    """
    recording = decode(lines)
    session, ids = new_session(recording.header)
    differences: list[str] = []
    for number, step in enumerate(recording.steps, 2):
        if ids is not None:
            ids.give(step.ids)
        outputs = session.handle(step.input, Ms(step.now))
        if step.raised:
            differences.append(f"line {number}: recorded {step.raised}, now {len(outputs)} outputs")
        else:
            differences.extend(f"line {number}: {found}" for found in _compared(step.outputs, outputs))
        if ids is not None and ids.left:
            differences.append(f"line {number}: {ids.left} ids fewer were drawn than recorded")
        if len(differences) >= _DIFFERENCES:
            return [*differences[:_DIFFERENCES], "… and possibly more"]
    return differences


class _ReplayedIds:
    """Hands out recorded ids; makes up marked ones where the machine now draws more."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = list(reversed(ids))
        self._extra = 0

    @property
    def left(self) -> int:
        """How many were not drawn."""
        return len(self._ids)

    def give(self, ids: Sequence[str]) -> None:
        """Prepare the ids of the next step."""
        self._ids = list(reversed(ids))

    def __call__(self, kind: IdKind) -> str:
        if self._ids:
            return self._ids.pop()
        self._extra += 1
        return f"{kind}_extra{self._extra}"


def _decoded(line: bytes | str, shape: type[_T], number: int) -> _T:
    try:
        return msgspec.json.decode(line, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingError(f"Line {number} is not a line of a recording: {error}") from None


def _compared(recorded: Sequence[msgspec.Raw], outputs: Sequence[Output]) -> Iterator[str]:
    for index in range(max(len(recorded), len(outputs))):
        was = bytes(recorded[index]) if index < len(recorded) else b"nothing"
        now = msgspec.json.encode(outputs[index]) if index < len(outputs) else b"nothing"
        if was != now:
            yield f"output {index + 1}: recorded {_shown(was)}, now {_shown(now)}"


def _shown(json: bytes) -> str:
    text = json.decode(errors="replace")
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
