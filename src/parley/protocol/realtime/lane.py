"""One speaker's input: its time line, its buffer, and the turns that are found in it.

A lane knows ranges of samples, never audio. It says what happened (`LaneNews`) and leaves events, items and recognisers
to `hearing`. Two modes, by the session's turn detection:

* off: everything received since the last commit or clear is the buffer, until the client commits or clears it;
* on:  only speech is buffered; what lies before an onset, beyond the prefix padding, is forgotten.

While a question to the turn detector is open, received windows wait in a backlog (see `turns`, "Holding"); the audio
itself has arrived and is not held back from anybody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from parley.protocol.realtime.ids import ItemId, LaneId
from parley.protocol.realtime.inputs import LaneAdvanced
from parley.protocol.realtime.session_config import TurnDetection
from parley.protocol.realtime.turns import SAMPLES_PER_MS, WINDOW_SAMPLES, Ask, End, News, Onset, Pause, TurnTracker

__all__ = ["MIN_COMMIT_SAMPLES", "Lane", "LaneNews", "SpeechBegan", "SpeechPaused", "TurnDoubted", "TurnOver"]

MIN_COMMIT_SAMPLES = 100 * SAMPLES_PER_MS
"""The least audio a client may commit (Realtime API, input_audio_buffer.commit)."""

LONGEST_SILENCE_WINDOWS = 30_000 // 16
"""Silence beyond this many windows is skipped: whatever turn was going on has ended within them."""

FORGET_STEP_SAMPLES = 1000 * SAMPLES_PER_MS
"""Silence is forgotten a second at a time."""


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """A turn began; `item_id` is the item it will become."""

    item_id: ItemId
    start_sample: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The voice of the turn stopped at `voice_end_sample`, perhaps only for breath."""

    item_id: ItemId
    voice_end_sample: int


@dataclass(frozen=True, slots=True)
class TurnDoubted:
    """Somebody should judge whether `[start_sample, end_sample)` is a finished turn; the lane holds until then."""

    item_id: ItemId
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class TurnOver:
    """`[start_sample, end_sample)` is user item `item_id` from now on.

    `by_voice` where turn detection ended it, `spoken` where a recogniser is listening to it since its onset.
    """

    item_id: ItemId
    start_sample: int
    end_sample: int
    voice_end_sample: int
    by_voice: bool
    spoken: bool


LaneNews = SpeechBegan | SpeechPaused | TurnDoubted | TurnOver


class Lane:
    """The input of one speaker."""

    def __init__(self, lane: LaneId, detection: TurnDetection | None, new_item_id: Callable[[], ItemId]) -> None:
        self.lane = lane
        self._new_item_id = new_item_id
        self._tracker = TurnTracker(detection, floor_sample=0) if detection else None
        self._backlog: deque[tuple[int, float]] = deque()
        self._received = 0
        self._last_window = 0
        self._start = 0
        """Where the buffer begins: the turn's start, or the last commit or clear."""
        self._item_id: ItemId | None = None
        """The promised id of the turn that is going on."""
        self._streaming = False
        """A recogniser listens to the buffer although turn detection is off."""
        self._forgotten = 0

    @property
    def received_samples(self) -> int:
        """Everything ever received, gaps included."""
        return self._received

    @property
    def promised_item(self) -> ItemId | None:
        """The id that the coming item was given when its speech began."""
        return self._item_id

    @property
    def speaking(self) -> bool:
        """Turn detection hears a turn going on."""
        return self._tracker is not None and self._tracker.speaking

    @property
    def holding(self) -> bool:
        """Windows wait for the turn detector's answer."""
        return self._tracker is not None and self._tracker.asking

    @property
    def buffered_samples(self) -> int:
        """What a commit would take."""
        if self._tracker is not None and not self._tracker.speaking:
            return 0
        return self._received - self._start

    def configure(self, detection: TurnDetection | None) -> ItemId | None:
        """Take new turn detection. Gives the item whose listening ends because detection is switched over."""
        if detection is None:
            if self._tracker is None:
                return None
            if not self._tracker.speaking:
                self._start = self._received
            stopped = self._item_id if self._tracker.speaking else None
            self._tracker = None
            self._backlog.clear()
            return stopped
        if self._tracker is None:
            self._tracker = TurnTracker(detection, floor_sample=self._start)
            self._last_window = self._received
            return self._stop_streaming()
        self._tracker.retune(detection)
        return None

    def advance(self, block: LaneAdvanced) -> Iterator[LaneNews]:
        """Take the next block. Blocks that were already received say nothing; missing ones count as silence."""
        end = block.start_sample + block.samples
        if end <= self._received:
            return
        missing_until = end if block.gap else max(self._received, block.start_sample)
        if self._tracker is not None:
            self._backlog.extend((at, 0.0) for at in self._silent_windows(missing_until))
            if not block.gap:
                self._backlog.extend(self._new_windows(block, end))
        self._received = end
        yield from self._pump()

    def stream(self) -> SpeechBegan | None:
        """Promise the buffer an id, if it has none: a recogniser is to listen although turn detection is off."""
        if self._tracker is not None or self._item_id is not None or self._received == self._start:
            return None
        self._item_id = self._new_item_id()
        self._streaming = True
        return SpeechBegan(self._item_id, self._start)

    def scored(self, probability: float | None) -> Iterator[LaneNews]:
        """Take the turn detector's answer (None: it gave none) and go on with what was held."""
        if self._tracker is None or not self._tracker.asking:
            return
        news = self._tracker.scored(probability)
        if news is not None:
            yield from self._tell(news)
        yield from self._pump()

    def commit(self) -> TurnOver:
        """Take the whole buffer as an item. Nothing may be held, and `buffered_samples` must suffice."""
        spoken = self.speaking or self._streaming
        voice_end = self._tracker.voice_end_sample if self._tracker is not None and self.speaking else self._received
        turn = TurnOver(
            item_id=self._item_id or self._new_item_id(),
            start_sample=self._start,
            end_sample=self._received,
            voice_end_sample=voice_end,
            by_voice=False,
            spoken=spoken,
        )
        self._empty(self._received)
        return turn

    def clear(self) -> ItemId | None:
        """Drop the buffer. Gives the item that was promised and will not come."""
        dropped = self._item_id
        self._empty(self._received)
        return dropped

    def forgettable(self) -> int | None:
        """Tell before which sample audio is no longer wanted, where that is worth telling again."""
        if self._tracker is None or self._tracker.speaking:
            wanted = self._start
        else:
            wanted = max(self._start, self._last_window - self._tracker.prefix_samples)
        if wanted < self._forgotten + FORGET_STEP_SAMPLES:
            return None
        self._forgotten = wanted
        return wanted

    def _stop_streaming(self) -> ItemId | None:
        stopped = self._item_id if self._streaming else None
        if self._streaming:
            self._item_id = None
            self._streaming = False
        return stopped

    def _empty(self, at_sample: int) -> None:
        self._item_id = None
        self._streaming = False
        self._start = at_sample
        self._backlog.clear()
        self._last_window = max(self._last_window, at_sample)
        if self._tracker is not None:
            self._tracker.reset(at_sample)

    def _silent_windows(self, until: int) -> Iterator[int]:
        first = max(self._last_window, self._received)
        count = max(0, (until - first) // WINDOW_SAMPLES)
        self._last_window = first + count * WINDOW_SAMPLES
        for number in range(1, min(count, LONGEST_SILENCE_WINDOWS) + 1):
            yield first + number * WINDOW_SAMPLES

    def _new_windows(self, block: LaneAdvanced, end: int) -> Iterator[tuple[int, float]]:
        for number, probability in enumerate(block.speech, start=1):
            at = block.speech_start_sample + number * WINDOW_SAMPLES
            if self._last_window < at <= end:
                self._last_window = at
                yield at, probability

    def _pump(self) -> Iterator[LaneNews]:
        while self._backlog and self._tracker is not None and not self._tracker.asking:
            news = self._tracker.window(*self._backlog.popleft())
            if news is not None:
                yield from self._tell(news)

    def _tell(self, news: News) -> Iterator[LaneNews]:
        match news:
            case Onset():
                self._item_id = self._new_item_id()
                self._start = max(news.start_sample, self._forgotten)
                yield SpeechBegan(self._item_id, self._start)
            case Pause() if self._item_id is not None:
                yield SpeechPaused(self._item_id, news.voice_end_sample)
            case Ask() if self._item_id is not None:
                yield TurnDoubted(self._item_id, self._start, news.at_sample)
            case End() if self._item_id is not None:
                over = TurnOver(
                    item_id=self._item_id,
                    start_sample=self._start,
                    end_sample=news.end_sample,
                    voice_end_sample=news.voice_end_sample,
                    by_voice=True,
                    spoken=True,
                )
                self._item_id = None
                self._start = news.end_sample
                yield over
            case _:
                return
