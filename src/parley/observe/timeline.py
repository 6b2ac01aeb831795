"""Where the time of a turn goes: voice stopped → committed → transcript → first token → first audio → first delta sent.

Pure: fed with the state machine's inputs and outputs, it needs no clock and no hook inside the machine, and a recording
gives the same figures again. A response that turn detection started counts from the moment the voice stopped on the
lane (the silence window is part of what the user waits for); one that a client asked for counts from `response.create`.
Neighbours: `runtime.runner` (feeds it, puts the result on `response.done`), `metrics` (histograms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from parley.protocol.realtime.client_events import ResponseCreate
from parley.protocol.realtime.generation import AudioDelta, Chunk, TextDelta, ToolCallDelta
from parley.protocol.realtime.inputs import ClientEventReceived, EngineChunk, Input, LaneAdvanced, TranscriptFinal
from parley.protocol.realtime.outputs import AbandonTranscription, AudioOut, Output, Send, SettleTranscription
from parley.protocol.realtime.server_events import (
    InputAudioBufferCommitted,
    OutputTextDelta,
    ResponseCreated,
    ResponseTimeline,
    ServerEvent,
)

__all__ = ["Timeline"]

_SAMPLES_PER_MS = 24
_TURNS_REMEMBERED = 8


@dataclass(slots=True)
class _Turn:
    """A turn of the user. Absolute ms."""

    stopped_at: int
    committed_at: int
    transcript_at: int | None = None


@dataclass(slots=True)
class _Response:
    """A response and the turn it answers, if it answers one. Absolute ms."""

    base_at: int
    turn: _Turn | None
    first_token_at: int | None = None
    first_audio_at: int | None = None
    first_sent_at: int | None = None


class Timeline:
    """Follow one session. `observe` every step, then `take` a response's figures when its `response.done` goes out."""

    def __init__(self) -> None:
        self._lane_ends: dict[str, int] = {}
        self._silent_since: dict[str, int] = {}
        self._turns: dict[str, _Turn] = {}
        self._unanswered: _Turn | None = None
        self._responses: dict[str, _Response] = {}

    def observe(self, now: int, item: Input, outputs: Sequence[Output]) -> None:
        """Look at one step of the machine: `item` at `now`, and all it led to."""
        match item:
            case LaneAdvanced():
                self._lane_ends[item.lane] = item.start_sample + item.samples
            case TranscriptFinal():
                turn = self._turns.get(item.item_id)
                if turn is not None:
                    turn.transcript_at = now
            case EngineChunk():
                self._chunk(now, item.response_id, item.chunk)
            case _:
                pass
        asked = isinstance(item, ClientEventReceived) and isinstance(item.event, ResponseCreate)
        lane = item.lane if isinstance(item, LaneAdvanced) else None
        for output in outputs:
            match output:
                case SettleTranscription():
                    late = self._lane_ends.get(lane, output.end_sample) - output.end_sample if lane is not None else 0
                    self._silent_since[output.item_id] = now - max(0, late) // _SAMPLES_PER_MS
                case AbandonTranscription():
                    self._silent_since.pop(output.item_id, None)
                case AudioOut():
                    self._sent(now, output.response_id)
                case Send():
                    self._event(now, output.event, asked=asked)
                case _:
                    pass

    def take(self, response_id: str) -> ResponseTimeline | None:
        """Give the figures of `response_id` and forget it. None if it was never created here."""
        response = self._responses.pop(response_id, None)
        if response is None:
            return None
        turn = response.turn
        return ResponseTimeline(
            committed_ms=_since(response, turn.committed_at if turn else None),
            transcript_ms=_since(response, turn.transcript_at if turn else None),
            first_token_ms=_since(response, response.first_token_at),
            first_audio_ms=_since(response, response.first_audio_at),
            first_sent_ms=_since(response, response.first_sent_at),
        )

    def _chunk(self, now: int, response_id: str, chunk: Chunk) -> None:
        response = self._responses.get(response_id)
        if response is None:
            return
        if isinstance(chunk, TextDelta | ToolCallDelta) and response.first_token_at is None:
            response.first_token_at = now
        elif isinstance(chunk, AudioDelta) and response.first_audio_at is None:
            response.first_audio_at = now

    def _sent(self, now: int, response_id: str) -> None:
        response = self._responses.get(response_id)
        if response is not None and response.first_sent_at is None:
            response.first_sent_at = now

    def _event(self, now: int, event: ServerEvent, *, asked: bool) -> None:
        match event:
            case InputAudioBufferCommitted():
                turn = _Turn(self._silent_since.pop(event.item_id, now), now)
                self._unanswered = self._turns[event.item_id] = turn
                if len(self._turns) > _TURNS_REMEMBERED:
                    del self._turns[next(iter(self._turns))]
            case ResponseCreated():
                turn_answered = None
                if not asked and event.response.conversation_id is not None:
                    turn_answered, self._unanswered = self._unanswered, None
                base_at = turn_answered.stopped_at if turn_answered else now
                self._responses[event.response.id] = _Response(base_at, turn_answered)
            case OutputTextDelta():
                self._sent(now, event.response_id)
            case _:
                pass


def _since(response: _Response, at: int | None) -> int | UnsetType:
    return UNSET if at is None else at - response.base_at
