"""From the machine's neutral outputs to the events that connections get.

Here sound joins the wire: assistant speech in the response's output format, cut to deltas of a bounded size; what a
resampler holds back, before `response.output_audio.done`; the audio of a retrieved item. One projection per session:
the work is done once, however many connections listen. Neighbours: `dialects` (spelling), `runner` (calls).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET

from parley.audio import G711Encoder
from parley.protocol.realtime.ids import ItemId, ResponseId
from parley.protocol.realtime.items import ConversationItem, InputAudioPart, MessageItem, OutputAudioPart
from parley.protocol.realtime.outputs import AudioOut
from parley.protocol.realtime.server_events import (
    ConversationItemRetrieved,
    OutputAudioDelta,
    OutputAudioDone,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
)
from parley.protocol.realtime.session_config import (
    AudioFormat,
    PcmaFormat,
    PcmFormat,
    PcmuFormat,
    SessionAudio,
    SessionConfig,
)
from parley.runtime.audio_store import AudioStore

__all__ = ["Projection"]

_PCM_BYTES_PER_CODE = 6
"""Three 16-bit samples at 24 kHz for one G.711 byte at 8 kHz."""


@dataclass(slots=True)
class _Stream:
    """One response's way out: its format, and an encoder for each of its spoken parts if the format needs one."""

    format: AudioFormat
    encoders: dict[tuple[str, int], G711Encoder] = field(default_factory=dict)


class Projection:
    """See the module. Called by the owner task only."""

    def __init__(self, store: AudioStore, *, delta_bytes: int, retrieved_bytes: int) -> None:
        self._store = store
        self._delta_bytes = delta_bytes
        self._retrieved_bytes = retrieved_bytes
        self._streams: dict[ResponseId, _Stream] = {}

    def audio(self, out: AudioOut, fallback: AudioFormat) -> list[OutputAudioDelta]:
        """Encode speech into deltas. `fallback` is the session's output format, for a response never announced."""
        stream = self._streams.setdefault(out.response_id, _Stream(fallback))
        encoder = self._encoder(stream, out.item_id, out.content_index)
        data = encoder.push(out.pcm) if encoder else out.pcm
        first = OutputAudioDelta(
            event_id=out.event_id,
            response_id=out.response_id,
            item_id=out.item_id,
            output_index=out.output_index,
            content_index=out.content_index,
            delta=data,
            parley_spans=out.spans or UNSET,
        )
        return self._cut(first)

    def events(self, event: ServerEvent, config: SessionConfig) -> list[ServerEvent]:
        """Complete one event: usually just itself."""
        match event:
            case ResponseCreated():
                self._streams[ResponseId(event.response.id)] = _Stream(event.response.audio.output.format)
            case ResponseDone():
                self._streams.pop(ResponseId(event.response.id), None)
            case OutputAudioDone():
                return [*self._tail(event), event]
            case ConversationItemRetrieved():
                return [msgspec.structs.replace(event, item=self._with_audio(event.item, config.audio))]
            case _:
                pass
        return [event]

    def _encoder(self, stream: _Stream, item_id: str, content_index: int) -> G711Encoder | None:
        key = (item_id, content_index)
        encoder = stream.encoders.get(key)
        if encoder is None:
            encoder = _encoder_for(stream.format)
            if encoder is not None:
                stream.encoders[key] = encoder
        return encoder

    def _tail(self, event: OutputAudioDone) -> list[OutputAudioDelta]:
        """Give what the encoder of a finished part still holds back."""
        stream = self._streams.get(ResponseId(event.response_id))
        encoder = stream.encoders.pop((event.item_id, event.content_index), None) if stream else None
        rest = encoder.flush() if encoder else b""
        if not rest:
            return []
        return [
            OutputAudioDelta(
                event_id=f"{event.event_id}_0",
                response_id=event.response_id,
                item_id=event.item_id,
                output_index=event.output_index,
                content_index=event.content_index,
                delta=rest,
            )
        ]

    def _cut(self, first: OutputAudioDelta) -> list[OutputAudioDelta]:
        """Cut a delta to the size bound. The first piece keeps the event id and the spans."""
        data = first.delta
        if len(data) <= self._delta_bytes:
            return [first] if data or first.parley_spans else []
        deltas = [msgspec.structs.replace(first, delta=data[: self._delta_bytes])]
        for number, start in enumerate(range(self._delta_bytes, len(data), self._delta_bytes), 1):
            deltas.append(
                msgspec.structs.replace(
                    first,
                    event_id=f"{first.event_id}_{number}",
                    delta=data[start : start + self._delta_bytes],
                    parley_spans=UNSET,
                )
            )
        return deltas

    def _with_audio(self, item: ConversationItem, audio: SessionAudio) -> ConversationItem:
        """Give the item's spoken part its sound, if it is held and fits into a frame."""
        if not isinstance(item, MessageItem):
            return item
        audio_format = audio.output.format if item.role == "assistant" else audio.input.format
        share = 1 if isinstance(audio_format, PcmFormat) else _PCM_BYTES_PER_CODE
        size = self._store.item_bytes(ItemId(item.id)) // share
        spoken = [
            index for index, part in enumerate(item.content) if isinstance(part, InputAudioPart | OutputAudioPart)
        ]
        if not spoken or not 0 < size <= self._retrieved_bytes:
            return item
        pcm = self._store.item_audio(ItemId(item.id)) or b""
        encoder = _encoder_for(audio_format)
        sound = encoder.push(pcm) + encoder.flush() if encoder else pcm
        content = tuple(
            msgspec.structs.replace(part, audio=sound) if index == spoken[0] else part
            for index, part in enumerate(item.content)
        )
        return msgspec.structs.replace(item, content=content)


def _encoder_for(audio_format: AudioFormat) -> G711Encoder | None:
    match audio_format:
        case PcmFormat():
            return None
        case PcmuFormat():
            return G711Encoder("ulaw")
        case PcmaFormat():
            return G711Encoder("alaw")
