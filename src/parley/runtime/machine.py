"""The state machine with its two onlookers: every step goes through `Machine.step`, is timed and, if wanted, recorded.

Keeps the rule that nothing happens to a `RealtimeSession` unseen: what the recorder writes is what the machine got, in
order, with the ids it drew. Neighbours: `runner` (the only caller), `observe.recorder`, `observe.timeline`.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence

import msgspec

from parley.observe.recorder import Recorder
from parley.observe.timeline import Timeline
from parley.protocol.realtime.ids import IdSource, LaneId, Ms, SessionId
from parley.protocol.realtime.inputs import ClientEventReceived, Input
from parley.protocol.realtime.outputs import Output, Send
from parley.protocol.realtime.recording import DrawnIds, Header, encode_crash, encode_header, encode_step
from parley.protocol.realtime.session import RealtimeSession
from parley.protocol.realtime.session_config import SessionConfig

__all__ = ["Machine"]

_STEPS_REMEMBERED = 32


class Machine:
    """One `RealtimeSession`, observed. Raises whatever the machine raises, after writing it down."""

    def __init__(self, header: Header, ids: IdSource, recorder: Recorder | None) -> None:
        self._drawn = DrawnIds(ids) if recorder else None
        self._recorder = recorder
        self.timeline = Timeline()
        self._steps: deque[tuple[Ms, str, list[str]]] = deque(maxlen=_STEPS_REMEMBERED)
        self._session = RealtimeSession(
            session_id=SessionId(header.session_id),
            config=header.config,
            ids=self._drawn or ids,
            now=Ms(header.now),
            created_unix=header.created_unix,
            max_session_ms=header.max_session_ms,
            needs_transcript=header.needs_transcript,
            sees=header.sees,
            camera=header.camera,
            pacing=header.pacing,
            lanes=tuple(LaneId(lane) for lane in header.lanes),
        )
        if recorder and self._drawn:
            recorder.put(encode_header(msgspec.structs.replace(header, ids=self._drawn.take())))

    @property
    def config(self) -> SessionConfig:
        """The effective configuration now."""
        return self._session.config

    @property
    def deadline(self) -> Ms | None:
        """When the machine wants a `Tick`."""
        return self._session.deadline

    @property
    def finished(self) -> bool:
        """Whether the session is over."""
        return self._session.finished

    def step(self, item: Input, now: Ms) -> Sequence[Output]:
        """Hand over one input; give everything that must be done about it."""
        kind = type(item.event if isinstance(item, ClientEventReceived) else item).__name__
        outputs: Sequence[Output] | None = None
        try:
            outputs = self._session.handle(item, now)
        finally:
            if outputs is None:
                self._broke(now, kind, item)
        self._steps.append((now, kind, [_kind(output) for output in outputs]))
        self.timeline.observe(now, item, outputs)
        if self._recorder and self._drawn:
            self._recorder.put(encode_step(now, item, outputs, self._drawn.take()))
        return outputs

    def last_steps(self) -> list[str]:
        """Name the kinds of the last inputs and outputs, for a report. No content."""
        return [f"{now} {kind} -> {', '.join(outputs) or 'nothing'}" for now, kind, outputs in self._steps]

    def _broke(self, now: Ms, kind: str, item: Input) -> None:
        """Write down the input that the machine is raising about."""
        raised = getattr(sys.exc_info()[0], "__name__", "")
        self._steps.append((now, kind, [raised]))
        if self._recorder:
            self._recorder.put(encode_crash(now, item, raised))


def _kind(output: Output) -> str:
    return type(output.event if isinstance(output, Send) else output).__name__
