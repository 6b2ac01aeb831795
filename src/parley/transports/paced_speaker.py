"""A session's voice on the media plane: speech queued faster than real time, played in real time, reported exactly.

Fills the runtime's role `Playout` by shape. Items belong to responses; a response has drained when each of its items
that sounded has. What the plane does not take yet (120 s wait there, or the peer is not connected) waits here in
order, and `full` then holds the generation back.

Neighbours: `webrtc` (a call, which owns one), `parley.media` (paces), the session's machine (gets the reports).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from parley.media.commands import CloseSpeaker, EndSpeech, FlushSpeech, OpenSpeaker, PushSpeech, SpeakerId
from parley.media.errors import Busy
from parley.media.events import SpeakerProgress, SpeechDrained, SpeechFlushed, SpeechStarted
from parley.media.peer_spec import PublicationId
from parley.media.switchboard import SpeakerEvent, Switchboard
from parley.protocol.realtime.ids import ItemId, ResponseId
from parley.protocol.realtime.inputs import PlayoutDrained, PlayoutFlushed, PlayoutStarted
from parley.protocol.realtime.outputs import AudioOut

__all__ = ["PacedSpeaker", "PlayoutReport"]

PlayoutReport = PlayoutStarted | PlayoutDrained | PlayoutFlushed


class PacedSpeaker:
    """See the module. `report` may be set once the session exists: nothing is reported before it has spoken."""

    def __init__(self, board: Switchboard, speaker: SpeakerId) -> None:
        self.report: Callable[[PlayoutReport], None] = lambda report: None
        self._board = board
        self._speaker = speaker
        self._open = False
        self._backlog: deque[PushSpeech | EndSpeech] = deque()
        self._response_of: dict[ItemId, ResponseId] = {}
        """Items that have sounded or will, until they are drained or flushed."""

    def open(self, publication: PublicationId, shard: int) -> None:
        """Begin to play, as `publication`."""
        self._open = True
        self._board.on_speaker(self._speaker, self._take)
        self._board.submit(OpenSpeaker(self._speaker, publication, shard))
        self._push()

    def close(self) -> None:
        """Fall silent for good."""
        self._board.forget(self._speaker)
        self._backlog.clear()
        if self._open:
            self._board.submit(CloseSpeaker(self._speaker))
        self._open = False

    @property
    def full(self) -> bool:
        """Whether generations should wait."""
        return bool(self._backlog)

    def play(self, out: AudioOut) -> None:
        """Queue speech behind what is queued."""
        self._response_of[out.item_id] = out.response_id
        self._backlog.append(PushSpeech(self._speaker, out.item_id, out.pcm))
        self._push()

    def end(self, item_id: ItemId) -> None:
        """Take note that all of `item_id` is queued. An item that never sounded has no end."""
        if item_id in self._response_of:
            self._backlog.append(EndSpeech(self._speaker, item_id))
            self._push()

    def flush(self, item_id: ItemId) -> None:
        """Fall silent as far as `item_id` goes; the report says how much of it went out."""
        self._backlog = deque(waiting for waiting in self._backlog if waiting.item != item_id)
        if self._open:
            self._board.submit(FlushSpeech(self._speaker, item_id))
        else:
            self._flushed(item_id, 0)

    def _push(self) -> None:
        while self._open and self._backlog:
            try:
                self._board.submit(self._backlog[0])
            except Busy:
                return
            self._backlog.popleft()

    def _take(self, event: SpeakerEvent) -> None:
        match event:
            case SpeechStarted():
                response_id = self._response_of.get(ItemId(event.item))
                if response_id is not None:
                    self.report(PlayoutStarted(response_id))
            case SpeechDrained():
                self._drained(ItemId(event.item))
            case SpeechFlushed():
                self._flushed(ItemId(event.item), event.samples)
            case SpeakerProgress():
                pass
        self._push()

    def _drained(self, item_id: ItemId) -> None:
        response_id = self._response_of.pop(item_id, None)
        if response_id is not None and response_id not in self._response_of.values():
            self.report(PlayoutDrained(response_id))

    def _flushed(self, item_id: ItemId, samples: int) -> None:
        self._response_of.pop(item_id, None)
        self.report(PlayoutFlushed(item_id, samples))
