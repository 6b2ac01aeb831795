"""Turns being heard: one recogniser each, fed from the audio store from the turn's pre-roll on.

The machine says when a turn starts, settles, finishes or is abandoned; here that becomes calls on a `Recognition` and
its answer becomes `TranscriptPartial`, `TranscriptFinal` or `TranscriptFailed`. A recogniser is fed *after* the machine
saw the same audio, so it never hears a sample beyond the turn's end. Every started turn that is finished gets exactly
one answer, whatever the engine does. Neighbours: `audio_store`, `mailbox`, `containment`, `runner`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from parley.engines.base import EngineError, Recognition, RecognitionOptions, Recognizer, Transcript
from parley.protocol.realtime.ids import ItemId, LaneId
from parley.protocol.realtime.inputs import TranscriptFailed, TranscriptFinal, TranscriptPartial
from parley.protocol.realtime.outputs import FinishTranscription, SettleTranscription, StartTranscription
from parley.runtime.audio_store import AudioStore
from parley.runtime.containment import Containment
from parley.runtime.generations import Spawn
from parley.runtime.mailbox import Mailbox

__all__ = ["Recognitions", "agreed_chars", "answer", "final_reading"]

_RATE_HZ = 24_000


@dataclass(slots=True)
class _Hearing:
    """One turn. `recognition` is None if none could be opened and once it is over."""

    lane: LaneId
    start_sample: int
    fed_to: int
    recognition: Recognition | None = None
    failure: EngineError | None = None
    finishing: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def failed(self, failure: EngineError) -> None:
        """Keep the first failure: it is what the turn is answered with if no transcript comes."""
        self.failure = self.failure or failure


class Recognitions:
    """Every open recognition of one session, by item."""

    def __init__(
        self, recognizer: Recognizer, store: AudioStore, mailbox: Mailbox, spawn: Spawn, *, limit_ms: int
    ) -> None:
        self._recognizer = recognizer
        self._store = store
        self._mailbox = mailbox
        self._spawn = spawn
        self._limit_ms = limit_ms
        self._open: dict[ItemId, _Hearing] = {}

    def __len__(self) -> int:
        """How many turns are being heard."""
        return len(self._open)

    def start(self, order: StartTranscription) -> None:
        """Open a recogniser and give it what the lane already holds of the turn."""
        self.abandon(order.item_id)
        hearing = _Hearing(order.lane, order.start_sample, order.start_sample)
        self._open[order.item_id] = hearing
        options = RecognitionOptions(
            language=order.options.language,
            prompt=order.options.prompt,
            model=order.options.model,
            logprobs=order.options.logprobs,
        )
        with Containment("stt", hearing.failed):
            hearing.recognition = self._recognizer.open(options)
            hearing.tasks.append(self._spawn(self._watch_partials(order.item_id, hearing)))
        self._feed(hearing, self._store.lane_end(order.lane))

    def lane_advanced(self, lane: LaneId) -> None:
        """Feed every unfinished turn of `lane` what is new."""
        end = self._store.lane_end(lane)
        for hearing in self._open.values():
            if hearing.lane == lane and not hearing.finishing:
                self._feed(hearing, end)

    def settle(self, order: SettleTranscription) -> None:
        """Let a final decode begin: silence began at `end_sample`."""
        hearing = self._open.get(order.item_id)
        if hearing is None or hearing.finishing or hearing.recognition is None:
            return
        self._feed(hearing, order.end_sample)
        with Containment("stt", hearing.failed):
            if hearing.recognition is not None:
                hearing.recognition.settle()

    def finish(self, order: FinishTranscription) -> None:
        """Ask for the final reading of everything up to `end_sample`."""
        hearing = self._open.get(order.item_id)
        if hearing is None or hearing.finishing:
            return
        self._feed(hearing, order.end_sample)
        hearing.finishing = True
        seconds = max(0, order.end_sample - hearing.start_sample) / _RATE_HZ
        hearing.tasks.append(self._spawn(self._finish(order.item_id, hearing, seconds)))

    def abandon(self, item_id: ItemId) -> None:
        """Cancel `item_id`; it will not be answered. Unknown ids are ignored."""
        hearing = self._open.pop(item_id, None)
        if hearing is None:
            return
        self._mailbox.drop_partial(item_id)
        for task in hearing.tasks:
            task.cancel()
        self._cancel(hearing)

    def close(self) -> None:
        """Cancel everything."""
        for item_id in list(self._open):
            self.abandon(item_id)

    def _feed(self, hearing: _Hearing, end: int) -> None:
        if hearing.recognition is None or end <= hearing.fed_to:
            return
        pcm = self._store.read(hearing.lane, hearing.fed_to, end)
        hearing.fed_to = end
        with Containment("stt", hearing.failed):
            hearing.recognition.feed(pcm)

    async def _watch_partials(self, item_id: ItemId, hearing: _Hearing) -> None:
        with Containment("stt", hearing.failed):
            if hearing.recognition is None:
                return
            before = ""
            async for partial in hearing.recognition.partials():
                if hearing.finishing:
                    return
                stable = agreed_chars(before, partial.text)
                self._mailbox.post_partial(TranscriptPartial(item_id, partial.text, stable))
                before = partial.text

    async def _finish(self, item_id: ItemId, hearing: _Hearing, seconds: float) -> None:
        reading = await final_reading(hearing.recognition, hearing.failure, limit_ms=self._limit_ms)
        if self._open.get(item_id) is not hearing:
            return
        del self._open[item_id]
        self._mailbox.drop_partial(item_id)
        self._mailbox.post(answer(item_id, reading, seconds))
        for task in hearing.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._cancel(hearing)

    def _cancel(self, hearing: _Hearing) -> None:
        recognition, hearing.recognition = hearing.recognition, None
        if recognition is not None:
            with Containment("stt"):
                recognition.cancel()


def agreed_chars(before: str, now: str) -> int:
    """Give how much of a reading the one before agrees with, in whole words: that much will hardly change any more."""
    agreed = 0
    for position, (one, other) in enumerate(zip(before, now, strict=False)):
        if one != other:
            return agreed
        if one.isspace():
            agreed = position
    shorter, longer = sorted((before, now), key=len)
    at_word_end = len(longer) == len(shorter) or longer[len(shorter)].isspace()
    return len(shorter) if at_word_end else agreed


async def final_reading(
    recognition: Recognition | None, failure: EngineError | None, *, limit_ms: int
) -> Transcript | EngineError:
    """Finish a recognition, or say why there is no transcript. `failure` is what went wrong before, if anything did."""
    if recognition is None:
        return failure or EngineError("The stt engine could not be opened.")
    border = Containment("stt")
    try:
        async with asyncio.timeout(limit_ms / 1000):
            with border:
                return await recognition.finish()
    except TimeoutError:
        return EngineError(
            f"The stt engine gave no transcript within {limit_ms // 1000} s. Is its model server alive?",
            code="engine_timeout",
            retryable=True,
        )
    return failure or border.failure or EngineError("The stt engine gave nothing.")


def answer(item_id: ItemId, reading: Transcript | EngineError, seconds: float) -> TranscriptFinal | TranscriptFailed:
    """Put a final reading of `seconds` of audio into the machine's alphabet."""
    if isinstance(reading, EngineError):
        return TranscriptFailed(item_id, reading.code, reading.message)
    return TranscriptFinal(item_id, reading.text, seconds, reading.language, reading.logprobs)
