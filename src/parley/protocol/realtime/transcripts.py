"""What recognisers read: one `Reading` per user item with speech, and the transcription events it causes.

The recogniser runs whenever somebody needs its words: the model (a cascade answers text) or the client (transcription
is configured). Events go out only in the second case. Deltas carry stable growth only, and their concatenation is a
prefix of `completed`'s transcript unless the final reading differs, in which case `completed` alone is the truth.

`completed` and `failed` follow the item's own events; deltas may precede them, for `speech_started` has already named
the item. Neighbours: `hearing` (starts and ends readings), `context` (uses the words).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET, UnsetType

from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.generation import TokenLogProb
from parley.protocol.realtime.ids import ItemId, LaneId
from parley.protocol.realtime.outputs import (
    AbandonTranscription,
    FinishTranscription,
    SettleTranscription,
    StartTranscription,
    TranscriptionOptions,
)
from parley.protocol.realtime.server_events import (
    DurationUsage,
    LogProb,
    TranscriptionCompleted,
    TranscriptionDelta,
    TranscriptionError,
    TranscriptionFailed,
)

__all__ = ["Reading", "Transcripts"]


@dataclass(slots=True, eq=False)
class Reading:
    """One item's recognition, from the first sample to the last word."""

    item_id: ItemId
    on_wire: bool
    """The client asked for transcription events."""
    with_logprobs: bool = False
    """And for log probabilities in them, where the recogniser has any."""
    state: Literal["open", "final", "failed"] = "open"
    text: str = ""
    partial: str = ""
    seconds: float = 0.0
    logprobs: tuple[LogProb, ...] | UnsetType = UNSET
    code: str = ""
    message: str = ""
    finished: bool = False
    """The recogniser was told that the turn is over."""
    in_conversation: bool = False
    streamed: str = ""

    @property
    def settled(self) -> bool:
        """Nothing more is expected."""
        return self.state != "open"


class Transcripts:
    """The readings of a session's user items."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._readings: dict[str, Reading] = {}

    def get(self, item_id: str) -> Reading | None:
        """Find a reading by its item's id."""
        return self._readings.get(item_id)

    def start(
        self, item_id: ItemId, lane: LaneId, start_sample: int, options: TranscriptionOptions, *, on_wire: bool
    ) -> Reading:
        """Begin to recognise `lane` from `start_sample` on."""
        self._effects.add(StartTranscription(item_id, lane, start_sample, options))
        reading = self.expect(item_id, on_wire=on_wire)
        reading.with_logprobs = options.logprobs
        return reading

    def expect(self, item_id: ItemId, *, on_wire: bool) -> Reading:
        """Keep a reading of an item whose recognition was asked for in another way."""
        reading = Reading(item_id, on_wire)
        self._readings[item_id] = reading
        return reading

    def settle(self, item_id: ItemId, voice_end_sample: int) -> None:
        """Tell the recogniser that the voice paused."""
        if (reading := self._readings.get(item_id)) is not None and not reading.settled:
            self._effects.add(SettleTranscription(item_id, voice_end_sample))

    def finish(self, item_id: ItemId, end_sample: int, voice_end_sample: int) -> None:
        """Ask for the final reading: the turn is over."""
        reading = self._readings.get(item_id)
        if reading is None:
            return
        reading.finished = True
        if not reading.settled:
            self._effects.add(FinishTranscription(item_id, end_sample, voice_end_sample))

    def drop(self, item_id: str) -> None:
        """Drop the reading of an item whose words nobody wants any more."""
        reading = self._readings.pop(item_id, None)
        if reading is not None and not reading.settled:
            self._effects.add(AbandonTranscription(reading.item_id))

    def drop_all(self) -> None:
        """Drop every reading: the session ends."""
        for item_id in tuple(self._readings):
            self.drop(item_id)

    def joined(self, item_id: str) -> None:
        """Say what was held back until the item's own events were out."""
        reading = self._readings.get(item_id)
        if reading is not None and not reading.in_conversation:
            reading.in_conversation = True
            self._report(reading)

    def partial(self, item_id: str, text: str, stable_chars: int) -> None:
        """Take a better reading of an unfinished turn."""
        reading = self._readings.get(item_id)
        if reading is None or reading.settled:
            return
        reading.partial = text
        # DEVIATION: the vendor's deltas follow the commit. Ours may begin while the user is still speaking.
        stable = text[: max(0, stable_chars)]
        if reading.on_wire and len(stable) > len(reading.streamed) and stable.startswith(reading.streamed):
            self._stream(reading, stable)

    def final(self, item_id: str, text: str, seconds: float, logprobs: tuple[TokenLogProb, ...] = ()) -> Reading | None:
        """Take the recogniser's last word. None if nobody waits for it."""
        reading = self._readings.get(item_id)
        if reading is None or reading.settled:
            return None
        reading.state = "final"
        reading.text = text.strip()
        reading.seconds = seconds
        if reading.with_logprobs and logprobs:
            reading.logprobs = tuple(
                LogProb(token=one.token, logprob=one.logprob, bytes=tuple(one.token.encode())) for one in logprobs
            )
        if reading.in_conversation:
            self._report(reading)
        return reading

    def failed(self, item_id: str, code: str, message: str) -> Reading | None:
        """Take the recogniser's failure. None if nobody waits for it."""
        reading = self._readings.get(item_id)
        if reading is None or reading.settled:
            return None
        reading.state = "failed"
        reading.code = code
        reading.message = message
        if reading.in_conversation:
            self._report(reading)
        return reading

    def _report(self, reading: Reading) -> None:
        if not reading.on_wire or reading.state == "open":
            return
        event_id = self._effects.event_id
        if reading.state == "failed":
            error = TranscriptionError(type="server_error", code=reading.code, message=reading.message)
            self._effects.send(
                TranscriptionFailed(event_id=event_id(), item_id=reading.item_id, content_index=0, error=error)
            )
            return
        if len(reading.text) > len(reading.streamed) and reading.text.startswith(reading.streamed):
            self._stream(reading, reading.text)
        self._effects.send(
            TranscriptionCompleted(
                event_id=event_id(),
                item_id=reading.item_id,
                content_index=0,
                transcript=reading.text,
                usage=DurationUsage(seconds=reading.seconds),
                logprobs=reading.logprobs,
            )
        )

    def _stream(self, reading: Reading, text: str) -> None:
        delta = text[len(reading.streamed) :]
        reading.streamed = text
        self._effects.send(
            TranscriptionDelta(event_id=self._effects.event_id(), item_id=reading.item_id, content_index=0, delta=delta)
        )
