"""One response's life on the wire: from `response.created` to `response.done`, exactly one of each.

`LiveResponse` turns chunks into items (`response_items`) and keeps their order. A response has at most one message,
which stays open until the end (its text and its audio share one character and time axis with the chunks' spans), and
any number of function calls, each its own item. Items are numbered in the order they begin.

Order of the closing events of a spoken message: audio done, transcript done, part done, item done in the conversation,
item done in the response. They are all sent on interruption as well, with what there was; the item is then
`incomplete`, and so is a call that was cut short, which is never `completed` anywhere.

What does not live here: when a response may begin and why it ends (`responses`), what it is generated from (`context`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET

from parley.protocol.realtime.conversation import Conversation
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.generation import AudioDelta, EngineUsage, TextDelta, ToolCallDelta, ToolCallDone
from parley.protocol.realtime.ids import ConversationId, Ms, ResponseId
from parley.protocol.realtime.playback import Playback, Spoken
from parley.protocol.realtime.response_items import CallInProgress, MessageInProgress, Place, close_all
from parley.protocol.realtime.server_events import (
    Response,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseCreated,
    ResponseDone,
    StatusDetails,
    Usage,
)
from parley.protocol.realtime.session_config import AudioFormat

__all__ = ["Ending", "LiveResponse", "ResponseShape"]


@dataclass(frozen=True, slots=True)
class ResponseShape:
    """What a response's resource says about itself. `spoken`: text with speech, else text only."""

    spoken: bool
    output_modalities: tuple[str, ...]
    max_output_tokens: int | Literal["inf"]
    format: AudioFormat
    voice: str
    temperature: float | None
    metadata: dict[str, str] | None
    out_of_band: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """How a response ends."""

    status: Literal["completed", "cancelled", "incomplete", "failed"]
    details: StatusDetails | None = None

    @property
    def by_itself(self) -> bool:
        """The engine came to an end; everything it generated will be sent."""
        return self.status in {"completed", "incomplete"}


class LiveResponse:
    """A response between `created` and `done`."""

    def __init__(
        self,
        response_id: ResponseId,
        shape: ResponseShape,
        *,
        effects: Effects,
        conversation: Conversation,
        conversation_id: ConversationId,
        playback: Playback,
    ) -> None:
        self.response_id = response_id
        self.shape = shape
        self.engine_usage: EngineUsage | None = None
        self._effects = effects
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._playback = playback
        self._items: list[MessageInProgress | CallInProgress] = []
        """By output index."""
        self._message: MessageInProgress | None = None
        self._calls: dict[str, CallInProgress] = {}

    @property
    def spoken(self) -> Spoken | None:
        """The ledger of its message, if it speaks."""
        return self._message.spoken if self._message is not None else None

    @property
    def output_chars(self) -> int:
        """Characters generated: text and arguments."""
        text = len(self._message.text) if self._message is not None else 0
        return text + sum(len(call.arguments) for call in self._calls.values())

    @property
    def output_ms(self) -> int:
        """Audio generated."""
        return self.spoken.sent_ms if self.spoken is not None else 0

    def create(self) -> None:
        """Announce it."""
        self._effects.send(ResponseCreated(event_id=self._effects.event_id(), response=self._resource("in_progress")))

    def take(self, chunk: TextDelta | AudioDelta | ToolCallDelta | ToolCallDone | EngineUsage, now: Ms) -> None:
        """Send what the next chunk brings."""
        match chunk:
            case TextDelta():
                if chunk.text:
                    self._open_message().say(chunk.text)
            case AudioDelta():
                if chunk.pcm and self.shape.spoken:
                    self._open_message().sound(chunk.pcm, chunk.spans, self._playback, now)
            case ToolCallDelta():
                call = self._open_call(chunk.call_id, chunk.name)
                if not call.done:
                    call.argue(chunk.arguments)
            case ToolCallDone():
                call = self._open_call(chunk.call_id, chunk.name)
                if not call.done:
                    call.complete(chunk.arguments)
            case EngineUsage():
                self.engine_usage = chunk

    def end(self, ending: Ending, usage: Usage) -> None:
        """Close everything that is open and say `response.done`."""
        if self.spoken is not None and ending.by_itself:
            self.spoken.finished = True
        close_all(self._items, "completed" if ending.status == "completed" else "incomplete")
        resource = self._resource(ending.status, ending.details, usage)
        self._effects.send(ResponseDone(event_id=self._effects.event_id(), response=resource))

    def _open_message(self) -> MessageInProgress:
        if self._message is None:
            self._message = MessageInProgress(self._next_place(), speaks=self.shape.spoken)
            self._items.append(self._message)
        return self._message

    def _open_call(self, call_id: str, name: str) -> CallInProgress:
        call = self._calls.get(call_id)
        if call is None:
            call = CallInProgress(self._next_place(), call_id or self._effects.call_id(), name)
            self._calls[call_id] = call
            self._items.append(call)
        return call

    def _next_place(self) -> Place:
        return Place(
            response_id=self.response_id,
            output_index=len(self._items),
            in_conversation=not self.shape.out_of_band,
            effects=self._effects,
            conversation=self._conversation,
        )

    def _resource(
        self,
        status: Literal["in_progress", "completed", "cancelled", "incomplete", "failed"],
        details: StatusDetails | None = None,
        usage: Usage | None = None,
    ) -> Response:
        shape = self.shape
        return Response(
            id=self.response_id,
            status=status,
            status_details=details,
            output=() if status == "in_progress" else tuple(item.entry.item for item in self._items),
            conversation_id=None if shape.out_of_band else self._conversation_id,
            output_modalities=shape.output_modalities,
            max_output_tokens=shape.max_output_tokens,
            temperature=UNSET if shape.temperature is None else shape.temperature,
            audio=ResponseAudio(output=ResponseAudioOutput(format=shape.format, voice=shape.voice)),
            usage=usage,
            metadata=shape.metadata,
        )
