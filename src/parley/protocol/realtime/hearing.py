"""Listening: from what the lanes say to user items, their events and their recognition.

One owner of lanes and transcripts. It emits the five events of a spoken turn in their order and tells the session the
two things that cause anything else: `VoiceBegan` (which may interrupt) and `TurnTaken` (which may be answered).

`advance` and its like are generators: the session acts on each piece of news before the next is looked for, and always
takes them to the end. Neighbours: `lane` and `turns` (decisions), `transcripts` (recognition), `conversation` (items).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parley.protocol.realtime.conversation import Conversation, Entry, user_speech
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.ids import ItemId, LaneId, Ms
from parley.protocol.realtime.inputs import LaneAdvanced
from parley.protocol.realtime.lane import (
    MIN_COMMIT_SAMPLES,
    Lane,
    LaneNews,
    SpeechBegan,
    SpeechPaused,
    TurnDoubted,
    TurnOver,
)
from parley.protocol.realtime.outputs import ForgetLane, KeepItemAudio, ScoreTurn, TranscriptionOptions
from parley.protocol.realtime.server_events import (
    ConversationItemAdded,
    ConversationItemDone,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    SpeechStarted,
    SpeechStopped,
    TimeoutTriggered,
)
from parley.protocol.realtime.session_config import SessionConfig, Transcription
from parley.protocol.realtime.transcripts import Transcripts
from parley.protocol.realtime.turns import SAMPLES_PER_MS

__all__ = ["SCORE_WAIT_MS", "Hearing", "News", "TurnTaken", "VoiceBegan"]

SCORE_WAIT_MS = 500
"""How long a turn waits for the turn detector's opinion."""


@dataclass(frozen=True, slots=True)
class VoiceBegan:
    """Somebody began to speak."""

    item_id: ItemId


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """A turn became item `item_id`; `by_voice` where turn detection ended it."""

    item_id: ItemId
    by_voice: bool


News = VoiceBegan | TurnTaken


class Hearing:
    """The session's ears."""

    def __init__(
        self,
        effects: Effects,
        conversation: Conversation,
        transcripts: Transcripts,
        *,
        lanes: Iterable[str],
        config: SessionConfig,
        needs_transcript: bool,
    ) -> None:
        self._effects = effects
        self._conversation = conversation
        self._transcripts = transcripts
        self._needs_transcript = needs_transcript
        self._config = config.audio.input
        self._language = config.language
        self._logprobs = _wants_logprobs(config)
        self._streams = _wants_stream(config)
        self._lanes: dict[LaneId, Lane] = {}
        self._asked: dict[LaneId, tuple[ItemId, Ms]] = {}
        """The open question to the turn detector and when it is given up."""
        for lane in lanes:
            self._lane(LaneId(lane))

    @property
    def deadline(self) -> Ms | None:
        """When an unanswered question is given up."""
        return min((until for _, until in self._asked.values()), default=None)

    @property
    def interrupting(self) -> bool:
        """Somebody is speaking whose voice interrupts."""
        detection = self._config.turn_detection
        return detection is not None and detection.interrupt_response and any(self._speaking())

    def promised(self, item_id: str) -> bool:
        """Whether `item_id` was announced for a turn that is going on."""
        return any(lane.promised_item == item_id for lane in self._lanes.values())

    def configure(self, config: SessionConfig) -> None:
        """Take new settings; turn detection changes at once."""
        changed = config.audio.input.turn_detection != self._config.turn_detection
        self._config = config.audio.input
        self._language = config.language
        self._logprobs = _wants_logprobs(config)
        self._streams = _wants_stream(config)
        if changed:
            self._asked.clear()
            for lane in self._lanes.values():
                if (item_id := lane.configure(self._config.turn_detection)) is not None:
                    self._transcripts.drop(item_id)

    def advance(self, block: LaneAdvanced, now: Ms) -> Iterator[News]:
        """Take a block of a lane's time line."""
        lane = self._lane(block.lane)
        yield from self._follow(lane, lane.advance(block), now)
        if self._streams and (began := lane.stream()) is not None:
            self._listen(began.item_id, lane.lane, began.start_sample)
        self._forget(lane)

    def scored(self, item_id: str, probability: float | None, now: Ms) -> Iterator[News]:
        """Take the turn detector's answer about `item_id`."""
        for lane_id, (asked, _) in tuple(self._asked.items()):
            if asked == item_id:
                del self._asked[lane_id]
                lane = self._lanes[lane_id]
                yield from self._follow(lane, lane.scored(probability), now)
                self._forget(lane)

    def tick(self, now: Ms) -> Iterator[News]:
        """Give up questions that were not answered in time."""
        for _, (item_id, until) in tuple(self._asked.items()):
            if now >= until:
                yield from self.scored(item_id, None, now)

    def commit(self, now: Ms) -> Iterator[News | ClientFault]:
        """Commit the client's buffer; a fault if it is too small."""
        lane = self._first()
        yield from self._release(lane, now)
        buffered = lane.buffered_samples
        if buffered < MIN_COMMIT_SAMPLES:
            yield self._too_small(buffered / SAMPLES_PER_MS)
            return
        yield self._take(lane, lane.commit())
        self._forget(lane)

    def clear(self, now: Ms) -> Iterator[News]:
        """Drop the client's buffer."""
        lane = self._first()
        yield from self._release(lane, now)
        if (dropped := lane.clear()) is not None:
            self._transcripts.drop(dropped)
        self._effects.send(InputAudioBufferCleared(event_id=self._effects.event_id()))
        self._forget(lane)

    def take_silence(self, since_sample: int) -> ItemId:
        """Make an item of the audio since `since_sample`: nobody spoke, and that is to be answered."""
        lane = self._first()
        item_id = self._effects.item_id()
        start, end = min(since_sample, lane.received_samples), lane.received_samples
        self._effects.add(KeepItemAudio(item_id, lane.lane, start, end))
        self._effects.send(
            TimeoutTriggered(
                event_id=self._effects.event_id(),
                audio_start_ms=start // SAMPLES_PER_MS,
                audio_end_ms=end // SAMPLES_PER_MS,
                item_id=item_id,
            )
        )
        self._join(item_id, speech_ms=(end - start) // SAMPLES_PER_MS)
        return item_id

    def received_samples(self) -> int:
        """How far the client's lane has come."""
        return self._first().received_samples

    def options(self) -> TranscriptionOptions:
        """How the client wants its speech recognised."""
        wanted = self._config.transcription or Transcription()
        language = wanted.language or self._language
        return TranscriptionOptions(wanted.model or "", language, wanted.prompt, logprobs=self._logprobs)

    def _lane(self, lane_id: LaneId) -> Lane:
        lane = self._lanes.get(lane_id)
        if lane is None:
            lane = self._lanes[lane_id] = Lane(lane_id, self._config.turn_detection, self._effects.item_id)
        return lane

    def _first(self) -> Lane:
        for lane in self._lanes.values():
            return lane
        return self._lane(LaneId("0"))

    def _speaking(self) -> Iterator[bool]:
        return (lane.speaking for lane in self._lanes.values())

    def _release(self, lane: Lane, now: Ms) -> Iterator[News]:
        self._asked.pop(lane.lane, None)
        while lane.holding:
            yield from self._follow(lane, lane.scored(None), now)
        self._asked.pop(lane.lane, None)

    def _follow(self, lane: Lane, all_news: Iterator[LaneNews], now: Ms) -> Iterator[News]:
        for news in all_news:
            match news:
                case SpeechBegan():
                    yield self._begin(lane, news)
                case SpeechPaused():
                    self._transcripts.settle(news.item_id, news.voice_end_sample)
                case TurnDoubted():
                    self._asked[lane.lane] = (news.item_id, Ms(now + SCORE_WAIT_MS))
                    reading = self._transcripts.get(news.item_id)
                    text = reading.partial if reading is not None else ""
                    self._effects.add(ScoreTurn(news.item_id, lane.lane, news.start_sample, news.end_sample, text))
                case TurnOver():
                    yield self._take(lane, news)

    def _begin(self, lane: Lane, began: SpeechBegan) -> VoiceBegan:
        self._effects.send(
            SpeechStarted(
                event_id=self._effects.event_id(),
                audio_start_ms=began.start_sample // SAMPLES_PER_MS,
                item_id=began.item_id,
            )
        )
        self._listen(began.item_id, lane.lane, began.start_sample)
        return VoiceBegan(began.item_id)

    def _listen(self, item_id: ItemId, lane: LaneId, start_sample: int) -> None:
        on_wire = self._config.transcription is not None
        if on_wire or self._needs_transcript:
            self._transcripts.start(item_id, lane, start_sample, self.options(), on_wire=on_wire)

    def _take(self, lane: Lane, turn: TurnOver) -> TurnTaken:
        """Make the item of a turn: events 2 to 4 of a spoken turn."""
        self._effects.add(KeepItemAudio(turn.item_id, lane.lane, turn.start_sample, turn.end_sample))
        if not turn.spoken:
            self._listen(turn.item_id, lane.lane, turn.start_sample)
        self._transcripts.finish(turn.item_id, turn.end_sample, turn.voice_end_sample)
        if turn.by_voice:
            self._effects.send(
                SpeechStopped(
                    event_id=self._effects.event_id(),
                    audio_end_ms=turn.end_sample // SAMPLES_PER_MS,
                    item_id=turn.item_id,
                )
            )
        self._join(turn.item_id, speech_ms=(turn.end_sample - turn.start_sample) // SAMPLES_PER_MS)
        return TurnTaken(turn.item_id, turn.by_voice)

    def _join(self, item_id: ItemId, speech_ms: int) -> None:
        event_id = self._effects.event_id
        reading = self._transcripts.get(item_id)
        entry = Entry(user_speech(item_id), reading=reading, speech_ms=speech_ms)
        previous = self._conversation.add(entry)
        self._effects.send(InputAudioBufferCommitted(event_id=event_id(), item_id=item_id, previous_item_id=previous))
        self._effects.send(ConversationItemAdded(event_id=event_id(), previous_item_id=previous, item=entry.item))
        self._effects.send(ConversationItemDone(event_id=event_id(), previous_item_id=previous, item=entry.item))
        self._transcripts.joined(item_id)

    def _forget(self, lane: Lane) -> None:
        if (before := lane.forgettable()) is not None:
            self._effects.add(ForgetLane(lane.lane, before))

    def _too_small(self, buffered_ms: float) -> ClientFault:
        hint = (
            " With turn detection on, only speech is buffered: set turn_detection to null to commit by hand."
            if self._config.turn_detection is not None
            else " Append more audio before the commit."
        )
        return ClientFault(
            code="input_audio_buffer_commit_empty",
            message=(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {buffered_ms:.2f}ms of audio." + hint
            ),
        )


def _wants_logprobs(config: SessionConfig) -> bool:
    return "item.input_audio_transcription.logprobs" in (config.include or ())


def _wants_stream(config: SessionConfig) -> bool:
    wanted = config.audio.input.transcription
    return config.type == "transcription" and wanted is not None and wanted.streams
