"""Server-paced playback on the wire: `output_audio_buffer.*`, and the round trip that stops speech.

Stopping takes a round trip: `FlushPlayout` goes out, and `PlayoutFlushed` says how many samples were heard. A `Cut` is
one such stop, of everything that was sounding or queued. It is complete when every item has answered, or after
`FLUSH_WAIT_MS`, when the missing answers are estimated. Each response whose audio was sent gets exactly one terminal
event: `stopped`, after its `response.done`, or `cleared`.

On client-paced sessions nothing here ever happens. Neighbours: `playback` (ledgers and clocks), `responses`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from parley.protocol.realtime.conversation import Conversation
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.ids import ItemId, Ms, ResponseId
from parley.protocol.realtime.outputs import FlushPlayout, TruncateItemAudio
from parley.protocol.realtime.playback import Playback, Spoken
from parley.protocol.realtime.server_events import (
    ConversationItemTruncated,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
)
from parley.protocol.realtime.turns import SAMPLES_PER_MS

__all__ = ["FLUSH_WAIT_MS", "Cut", "Playout"]

FLUSH_WAIT_MS = 100
"""How long a flush may take before its result is estimated."""


@dataclass(slots=True)
class Cut:
    """One stop of playback: the items it silences, and how much of each was heard as far as that is known."""

    until: Ms
    items: list[Spoken]
    estimates_ms: dict[ItemId, int]
    heard_ms: dict[ItemId, int] = field(default_factory=dict[ItemId, int])

    @property
    def complete(self) -> bool:
        """Every item has answered."""
        return all(spoken.item_id in self.heard_ms for spoken in self.items)


class Playout:
    """What a server-paced playback has been told and has said."""

    def __init__(self, effects: Effects, conversation: Conversation, playback: Playback) -> None:
        self._effects = effects
        self._conversation = conversation
        self._playback = playback
        self._cuts: list[Cut] = []
        self._drained_at: dict[ResponseId, int] = {}
        """Responses that ran dry before they were done, and how many samples had been sent."""

    @property
    def deadline(self) -> Ms | None:
        """When a flush is given up."""
        return min((cut.until for cut in self._cuts), default=None)

    def flush(self, now: Ms) -> bool:
        """Stop everything that is sounding or queued. False if nothing is."""
        flushing = {id(spoken) for cut in self._cuts for spoken in cut.items}
        items = [spoken for spoken in self._playback.unfinished(now) if id(spoken) not in flushing]
        for spoken in items:
            spoken.freeze(now)
            spoken.muted = True
            self._effects.add(FlushPlayout(spoken.item_id))
        if items:
            estimates = {spoken.item_id: spoken.played_ms(now) for spoken in items}
            self._cuts.append(Cut(Ms(now + FLUSH_WAIT_MS), items, estimates))
        return bool(self._cuts)

    def flushed(self, item_id: ItemId, samples: int) -> list[Cut]:
        """Take a flush's answer. Gives the cuts that it completes."""
        for cut in self._cuts:
            if item_id in cut.estimates_ms:
                cut.heard_ms[item_id] = max(0, samples) // SAMPLES_PER_MS
        return self._take([cut for cut in self._cuts if cut.complete])

    def overdue(self, now: Ms) -> list[Cut]:
        """Give the cuts that have waited long enough."""
        return self._take([cut for cut in self._cuts if now >= cut.until])

    def abandon(self) -> list[Cut]:
        """Give all cuts: nobody will answer any more."""
        return self._take(list(self._cuts))

    def report(self, cut: Cut) -> None:
        """Say what was cleared and what was heard of it."""
        cleared: list[ResponseId] = []
        for spoken in cut.items:
            self._drained_at.pop(spoken.response_id, None)
            if self._playback.flushed(spoken):
                cleared.append(spoken.response_id)
        self._cleared(cleared)
        for spoken in cut.items:
            self._truncate(spoken, cut.heard_ms.get(spoken.item_id, cut.estimates_ms[spoken.item_id]))

    def started(self, response_id: ResponseId, now: Ms) -> None:
        """Say that the first frame of a response went out."""
        if self._playback.pacing == "server" and self._playback.started(response_id, now):
            self._effects.send(OutputAudioBufferStarted(event_id=self._effects.event_id(), response_id=response_id))

    def drained(self, response_id: ResponseId, *, unfinished_samples: int | None) -> None:
        """Say that the last frame of a response went out. `unfinished_samples`: sent so far, if it is not done."""
        if unfinished_samples is not None:
            self._drained_at[response_id] = unfinished_samples
        elif self._playback.pacing == "server" and self._playback.drained(response_id):
            self._effects.send(OutputAudioBufferStopped(event_id=self._effects.event_id(), response_id=response_id))

    def response_done(self, response_id: ResponseId, sent_samples: int) -> None:
        """Say now what had to wait for a response's end: that it was heard to its end before."""
        if self._drained_at.pop(response_id, None) == sent_samples:
            self.drained(response_id, unfinished_samples=None)

    def end(self) -> None:
        """Say of everything that sounds that it does no longer: the session ends."""
        if self._playback.pacing == "server":
            self._cleared(self._playback.end())

    def _cleared(self, responses: Iterable[ResponseId]) -> None:
        for response_id in responses:
            self._effects.send(OutputAudioBufferCleared(event_id=self._effects.event_id(), response_id=response_id))

    def _truncate(self, spoken: Spoken, heard_ms: int) -> None:
        entry = self._conversation.get(spoken.item_id)
        if entry is None or entry.spoken is not spoken:
            spoken.cut(heard_ms)
            return
        effective = entry.cut(heard_ms)
        self._effects.add(TruncateItemAudio(spoken.item_id, effective))
        self._effects.send(
            ConversationItemTruncated(
                event_id=self._effects.event_id(),
                item_id=spoken.item_id,
                content_index=0,
                audio_end_ms=effective,
                item=entry.item,
            )
        )

    def _take(self, cuts: list[Cut]) -> list[Cut]:
        self._cuts = [cut for cut in self._cuts if cut not in cuts]
        return cuts
