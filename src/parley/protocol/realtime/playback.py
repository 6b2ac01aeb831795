"""What the user has heard: the ledger of one spoken item, and the clock that plays it.

Heard ≤ sent ≤ generated
------------------------
An assistant's spoken item is generated as text and audio, *sent* as audio, and *heard* as time passes. `Spoken` is the
ledger of one such item: its text, which characters sound when (`TextSpan`), how many samples were sent, and when each
of them plays. It holds no audio.

Two clocks
----------
* client-paced (WebSocket): the client plays. Its clock is estimated: audio starts to play when it is sent, or when
  what was sent before has been played, whichever is later; a late chunk is a silence in between.
  `conversation.item.truncate` tells the truth, at any time, and then holds.
* server-paced (WebRTC): our playout plays. It says when a response's first frame went out, and after a flush exactly
  how many samples did; between the two the same estimate is used.

What an item counts as, when the model is told about it (`heard_text`)
----------------------------------------------------------------------
1. cut by truncation or by a flush: the words that ended before the cut;
2. else frozen by barge-in: the words that ended before the voice interrupted, by the estimate;
3. else finished by itself: all of it, for it will be played;
4. else (cancelled by the client, or failed): what the estimate says by now.

Words
-----
A word counts once it has been heard to its end. Exact spans are single words. Within an inexact span the characters are
shared out in proportion to time and the cut moves back to the end of a word; scripts without spaces count by character.

What does not live here: items and events (`conversation`, `response`), pacing itself (the runner or the media core).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from parley.protocol.realtime.generation import TextSpan
from parley.protocol.realtime.ids import ItemId, Ms, ResponseId
from parley.protocol.realtime.turns import SAMPLES_PER_MS

__all__ = ["Pacing", "Playback", "Spoken"]

Pacing = Literal["client", "server"]

_FIRST_SPACELESS = 0x2E80
"""From here on (CJK and its neighbours) scripts are written without spaces between words."""


class Spoken:
    """The ledger of one spoken item."""

    def __init__(self, item_id: ItemId, response_id: ResponseId) -> None:
        self.item_id = item_id
        self.response_id = response_id
        self.finished = False
        """Its generation ended by itself, so that everything will be sent."""
        self.muted = False
        """Playback was cleared while it was being generated: further audio is not sent."""
        self._text = ""
        self._spans: list[TextSpan] = []
        self._guessed = False
        """The last span was made here, for audio that came without spans."""
        self._timed = False
        """The engine times its words: audio without spans only means that no word ended in it."""
        self._sent = 0
        self._plays: list[tuple[int, int]] = []
        """When it sounds: `(from_ms, samples)`, in order, not overlapping."""
        self._played_out = False
        self._queued = 0
        """Samples of a server-paced item that wait for its first frame to go out."""
        self._cut_ms: int | None = None
        self._frozen_ms: int | None = None

    @property
    def text(self) -> str:
        """Everything generated."""
        return self._text

    @property
    def sent_samples(self) -> int:
        """Samples sent so far."""
        return self._sent

    @property
    def sent_ms(self) -> int:
        """Audio sent so far."""
        return self._sent // SAMPLES_PER_MS

    def say(self, text: str) -> None:
        """Add text that was generated."""
        self._text += text

    def send(self, samples: int, spans: Iterable[TextSpan]) -> None:
        """Add audio that was sent. From an engine without spans, the text not yet accounted for shares this audio."""
        self._sent += samples
        self._played_out = False
        given = False
        for span in spans:
            given = True
            self._add(span)
        if not given and samples and not self._timed:
            self._guess()

    def play_from(self, at: Ms, samples: int) -> None:
        """Let `samples` more play from `at` on, or after what plays before."""
        if self._plays:
            start, count = self._plays[-1]
            if at <= start + -(-count // SAMPLES_PER_MS):
                self._plays[-1] = (start, count + samples)
                return
        self._plays.append((at, samples))

    def queue(self, samples: int) -> None:
        """Let `samples` more wait for the item's first frame."""
        self._queued += samples

    def start(self, at: Ms) -> None:
        """Let what waits play: the first frame went out at `at`."""
        if self._queued:
            self.play_from(at, self._queued)
            self._queued = 0

    def played_ms(self, now: Ms) -> int:
        """Estimate how much of it has been played."""
        if self._played_out:
            return self.sent_ms
        played = sum(max(0, min(count, (now - start) * SAMPLES_PER_MS)) for start, count in self._plays)
        return min(played, self._sent) // SAMPLES_PER_MS

    def play_out(self) -> None:
        """Take note that everything sent so far has been played."""
        self._played_out = True

    def playing_until(self) -> Ms | None:
        """Tell when what was sent will have been played, if it plays at all."""
        if not self._plays:
            return None
        start, count = self._plays[-1]
        return Ms(start + -(-count // SAMPLES_PER_MS))

    def freeze(self, now: Ms) -> None:
        """Stop counting as heard: a voice interrupted at `now`."""
        if self._frozen_ms is None:
            self._frozen_ms = self.played_ms(now)

    def cut(self, end_ms: int) -> int:
        """Truncate to `end_ms`, clamped to what was sent and to earlier cuts. Gives the effective cut."""
        limit = self.sent_ms if self._cut_ms is None else self._cut_ms
        self._cut_ms = max(0, min(end_ms, limit))
        return self._cut_ms

    def kept_text(self) -> str:
        """Give the item's transcript on the wire: everything, or what a truncation left."""
        return self._text if self._cut_ms is None else self.text_until(self._cut_ms)

    def heard_ms(self, now: Ms) -> int:
        """Tell how much of it the user has heard or will hear."""
        if self._cut_ms is not None:
            return self._cut_ms
        if self._frozen_ms is not None:
            return self._frozen_ms
        return self.sent_ms if self.finished else self.played_ms(now)

    def heard_text(self, now: Ms) -> str:
        """Give what the user has heard or will hear of it."""
        if self.finished and self._cut_ms is None and self._frozen_ms is None:
            return self._text
        return self.text_until(self.heard_ms(now))

    def text_until(self, end_ms: int) -> str:
        """Give the words that have ended by `end_ms` of the item's audio."""
        if self.finished and end_ms >= self.sent_ms:
            return self._text
        heard = 0
        for span in self._spans:
            if span.end_ms <= end_ms:
                heard = span.char_end
                continue
            if span.start_ms < end_ms and not span.exact:
                heard = self._share(span, end_ms)
            break
        return self._text[:heard].rstrip()

    def _share(self, span: TextSpan, end_ms: int) -> int:
        share = (span.char_end - span.char_start) * (end_ms - span.start_ms) // (span.end_ms - span.start_ms)
        at = span.char_start + share
        while at > span.char_start and not self._word_ends(at):
            at -= 1
        return at

    def _word_ends(self, at: int) -> bool:
        if at >= len(self._text) or self._text[at].isspace():
            return True
        return ord(self._text[at - 1]) >= _FIRST_SPACELESS

    def _add(self, span: TextSpan) -> None:
        """Keep the spans monotone and inside the text, whatever an engine says. A real one replaces the last guess."""
        if self._guessed:
            self._spans.pop()
        self._guessed = False
        self._timed = True
        last = self._spans[-1] if self._spans else None
        char_start = max(span.char_start, last.char_end if last else 0)
        char_end = min(span.char_end, len(self._text))
        start_ms = max(span.start_ms, last.end_ms if last else 0)
        if char_end <= char_start:
            return
        self._spans.append(
            msgspec.structs.replace(
                span, char_start=char_start, char_end=char_end, start_ms=start_ms, end_ms=max(span.end_ms, start_ms)
            )
        )

    def _guess(self) -> None:
        last = self._spans[-1] if self._spans else None
        covered = last.char_end if last else 0
        if len(self._text) > covered:
            from_ms = last.end_ms if last else 0
            self._spans.append(TextSpan(covered, len(self._text), from_ms, max(self.sent_ms, from_ms)))
            self._guessed = True
        elif last is not None and self._guessed:
            self._spans[-1] = msgspec.structs.replace(last, end_ms=max(self.sent_ms, last.end_ms))


class Playback:
    """The session's one playback: which spoken items sound, in which order, by which clock."""

    def __init__(self, pacing: Pacing) -> None:
        self.pacing = pacing
        self._queue: list[Spoken] = []
        """Items with audio that may not have been played to the end, oldest first."""
        self._free_at = Ms(0)
        self._started: set[ResponseId] = set()

    def sent(self, spoken: Spoken, samples: int, spans: Iterable[TextSpan], now: Ms) -> None:
        """Take note that `samples` more of `spoken` were sent."""
        self._queue = [other for other in self._queue if other is spoken or not self._over(other, now)]
        if spoken not in self._queue:
            self._queue.append(spoken)
        spoken.send(samples, spans)
        if self.pacing == "server" and spoken.response_id not in self._started:
            spoken.queue(samples)
            return
        spoken.play_from(max(now, self._free_at), samples)
        self._free_at = spoken.playing_until() or now

    def started(self, response_id: ResponseId, now: Ms) -> bool:
        """Server-paced: the first frame of `response_id` went out. False if that is no news."""
        queued = [spoken for spoken in self._queue if spoken.response_id == response_id]
        if not queued or response_id in self._started:
            return False
        self._started.add(response_id)
        at = now
        for spoken in queued:
            spoken.start(at)
            at = spoken.playing_until() or at
        self._free_at = at
        return True

    def drained(self, response_id: ResponseId) -> bool:
        """Server-paced: the last frame of `response_id` went out. False if it was not playing."""
        if response_id not in self._started:
            return False
        for spoken in self._queue:
            if spoken.response_id == response_id:
                spoken.play_out()
        self._queue = [spoken for spoken in self._queue if spoken.response_id != response_id]
        self._started.discard(response_id)
        return True

    def unfinished(self, now: Ms) -> list[Spoken]:
        """Give the items that are sounding or waiting to, oldest first."""
        return [spoken for spoken in self._queue if not self._over(spoken, now)]

    def freeze(self, now: Ms) -> None:
        """Client-paced: a voice interrupted; the client falls silent now."""
        for spoken in self.unfinished(now):
            spoken.freeze(now)
        self.silence(now)

    def stopped(self, spoken: Spoken, now: Ms) -> None:
        """Client-paced: the client says that it stopped playing `spoken`."""
        if spoken in self._queue:
            self._queue.remove(spoken)
            if not self._queue:
                self._free_at = now

    def silence(self, now: Ms) -> None:
        """Forget everything that was playing."""
        self._queue.clear()
        self._started.clear()
        self._free_at = now

    def end(self) -> list[ResponseId]:
        """Server-paced: nothing sounds from now on. Gives the responses that were heard to start."""
        ended = list(dict.fromkeys(one.response_id for one in self._queue if one.response_id in self._started))
        self._queue.clear()
        self._started.clear()
        return ended

    def flushed(self, spoken: Spoken) -> bool:
        """Server-paced: `spoken` was flushed. True if its response was heard to start."""
        self._queue = [other for other in self._queue if other is not spoken]
        started = spoken.response_id in self._started
        if not any(other.response_id == spoken.response_id for other in self._queue):
            self._started.discard(spoken.response_id)
        return started

    def remaining_ms(self, now: Ms) -> int:
        """Estimate how long what was sent will go on sounding."""
        return max(0, self._free_at - now)

    def _over(self, spoken: Spoken, now: Ms) -> bool:
        """Whether it has been played, as far as anybody can tell. Server-paced items end with `drained` or a flush."""
        if self.pacing == "server":
            return False
        until = spoken.playing_until()
        return until is not None and until <= now
