"""Audio that a client gave an item as a whole: kept as the item's sound and, if wanted, recognised.

Decoded and fed in slices with the loop free in between, since one item may hold many minutes. At most one adoption per
item; dropping it stops it without an answer. Neighbours: `appends` (formats), `recognitions` (the other way in).
"""

from __future__ import annotations

import asyncio

from parley.engines.base import EngineError, Recognition, RecognitionOptions, Recognizer
from parley.protocol.realtime.ids import ItemId
from parley.protocol.realtime.outputs import TranscribeItemAudio, TranscriptionOptions
from parley.runtime.appends import AppendDecoder
from parley.runtime.audio_store import AudioStore
from parley.runtime.containment import Containment
from parley.runtime.generations import Spawn
from parley.runtime.mailbox import Mailbox
from parley.runtime.recognitions import answer, final_reading

__all__ = ["Adoptions"]

_BYTES_PER_SECOND = 48_000


class Adoptions:
    """Every adoption under way in one session, by item."""

    def __init__(
        self,
        recognizer: Recognizer,
        store: AudioStore,
        mailbox: Mailbox,
        spawn: Spawn,
        *,
        slice_ms: int,
        limit_ms: int,
    ) -> None:
        self._recognizer = recognizer
        self._store = store
        self._mailbox = mailbox
        self._spawn = spawn
        self._slice_ms = slice_ms
        self._limit_ms = limit_ms
        self._open: dict[ItemId, asyncio.Task[None]] = {}

    def adopt(self, order: TranscribeItemAudio) -> None:
        """Begin; the transcript arrives through the mailbox."""
        self.drop(order.item_id)
        self._open[order.item_id] = self._spawn(self._adopt(order))

    def drop(self, item_id: ItemId) -> None:
        """Stop `item_id`'s adoption. Unknown ids are ignored."""
        task = self._open.pop(item_id, None)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """Stop everything."""
        for item_id in list(self._open):
            self.drop(item_id)

    async def _adopt(self, order: TranscribeItemAudio) -> None:
        failures: list[EngineError] = []
        recognition = self._opened(order.options, failures)
        size = 0
        try:
            self._store.drop(order.item_id)
            for pcm in AppendDecoder(slice_ms=self._slice_ms).slices(order.audio, order.format):
                self._store.extend(order.item_id, pcm)
                size += len(pcm)
                if recognition is not None:
                    with Containment("stt", failures.append):
                        recognition.feed(pcm)
                await asyncio.sleep(0)
            if order.options is not None:
                failure = failures[0] if failures else None
                reading = await final_reading(recognition, failure, limit_ms=self._limit_ms)
                self._mailbox.post(answer(order.item_id, reading, size / _BYTES_PER_SECOND))
        finally:
            if recognition is not None:
                with Containment("stt"):
                    recognition.cancel()
            if self._open.get(order.item_id) is asyncio.current_task():
                del self._open[order.item_id]

    def _opened(self, options: TranscriptionOptions | None, failures: list[EngineError]) -> Recognition | None:
        if options is None:
            return None
        with Containment("stt", failures.append):
            return self._recognizer.open(
                RecognitionOptions(language=options.language, prompt=options.prompt, model=options.model)
            )
        return None
