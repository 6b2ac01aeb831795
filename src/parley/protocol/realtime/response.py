"""One response's life on the wire: from `response.created` to `response.done`, exactly one of each.

`LiveResponse` turns chunks into events and items. A response has at most one message, which stays open until the end
(its text and its audio share one character and time axis with the chunks' spans), and any number of function calls,
each its own item. Items are numbered in the order they begin.

Order of the closing events of a spoken message: audio done, transcript done, part done, item done in the conversation,
item done in the response. They are all sent on interruption as well, with what there was; the item is then
`incomplete`, and so is a call that was cut short, which is never `completed` anywhere.

What does not live here: when a response may begin and why it ends (`responses`), what it is generated from (`context`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from parley.protocol.realtime.conversation import Conversation, Entry
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.generation import AudioDelta, EngineUsage, TextDelta, ToolCallDelta, ToolCallDone
from parley.protocol.realtime.ids import ConversationId, ItemId, Ms, ResponseId
from parley.protocol.realtime.items import (
    FunctionCallItem,
    ItemStatus,
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)
from parley.protocol.realtime.outputs import AudioOut
from parley.protocol.realtime.playback import Playback, Spoken
from parley.protocol.realtime.server_events import (
    AudioPart,
    ConversationItemAdded,
    ConversationItemDone,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    OutputAudioDone,
    OutputAudioTranscriptDelta,
    OutputAudioTranscriptDone,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    Part,
    Response,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseCreated,
    ResponseDone,
    StatusDetails,
    TextPart,
    Usage,
)
from parley.protocol.realtime.session_config import AudioFormat

__all__ = ["Ending", "LiveResponse", "ResponseShape"]

BYTES_PER_SAMPLE = 2


@dataclass(frozen=True, slots=True)
class ResponseShape:
    """What a response's resource says about itself. `spoken`: text with speech, else text only."""

    spoken: bool
    output_modalities: tuple[str, ...]
    max_output_tokens: int | Literal["inf"]
    format: AudioFormat
    voice: str
    metadata: dict[str, str] | None
    out_of_band: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """How a response ends. `clean`: its items are complete."""

    status: Literal["completed", "cancelled", "incomplete", "failed"]
    details: StatusDetails | None = None

    @property
    def clean(self) -> bool:
        """Whether what was generated is all that was meant."""
        return self.status == "completed"


@dataclass(slots=True)
class _Message:
    entry: Entry
    output_index: int
    text: str = ""


@dataclass(slots=True)
class _Call:
    entry: Entry
    output_index: int
    call_id: str
    name: str
    arguments: str = ""
    done: bool = False


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
        self._entries: list[Entry] = []
        """The items this response made, by output index."""
        self._message: _Message | None = None
        self._calls: dict[str, _Call] = {}

    @property
    def spoken(self) -> Spoken | None:
        """The ledger of its message, if it speaks."""
        return self._message.entry.spoken if self._message is not None else None

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
                    self._say(chunk.text)
            case AudioDelta():
                if chunk.pcm and self.shape.spoken:
                    self._sound(chunk, now)
            case ToolCallDelta():
                call = self._call(chunk.call_id, chunk.name)
                if not call.done:
                    self._argue(call, chunk.arguments)
            case ToolCallDone():
                call = self._call(chunk.call_id, chunk.name)
                if not call.done:
                    if chunk.arguments.startswith(call.arguments):
                        self._argue(call, chunk.arguments[len(call.arguments) :])
                    call.arguments = chunk.arguments
                    self._close_call(call, "completed")
            case EngineUsage():
                self.engine_usage = chunk

    def end(self, ending: Ending, usage: Usage) -> None:
        """Close everything that is open and say `response.done`."""
        status: ItemStatus = "completed" if ending.clean else "incomplete"
        message = self._message
        if message is not None and message.entry.spoken is not None and ending.status in ("completed", "incomplete"):
            message.entry.spoken.finished = True
        still_open = [call for call in self._calls.values() if not call.done]
        if message is not None and (not still_open or message.output_index < still_open[0].output_index):
            self._close_message(message, status)
            message = None
        for call in still_open:
            self._close_call(call, "incomplete")
        if message is not None:
            self._close_message(message, status)
        resource = self._resource(ending.status, ending.details, usage)
        self._effects.send(ResponseDone(event_id=self._effects.event_id(), response=resource))

    # --- the message ---------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        message = self._open_message()
        message.text += text
        event_id = self._effects.event_id()
        if message.entry.spoken is not None:
            message.entry.spoken.say(text)
            self._effects.send(
                OutputAudioTranscriptDelta(
                    event_id=event_id,
                    response_id=self.response_id,
                    item_id=message.entry.id,
                    output_index=message.output_index,
                    content_index=0,
                    delta=text,
                )
            )
        else:
            self._effects.send(
                OutputTextDelta(
                    event_id=event_id,
                    response_id=self.response_id,
                    item_id=message.entry.id,
                    output_index=message.output_index,
                    content_index=0,
                    delta=text,
                )
            )

    def _sound(self, chunk: AudioDelta, now: Ms) -> None:
        message = self._open_message()
        spoken = message.entry.spoken
        if spoken is None or spoken.muted:
            return
        self._playback.sent(spoken, len(chunk.pcm) // BYTES_PER_SAMPLE, chunk.spans, now)
        self._effects.add(
            AudioOut(
                event_id=self._effects.event_id(),
                response_id=self.response_id,
                item_id=message.entry.id,
                output_index=message.output_index,
                content_index=0,
                pcm=chunk.pcm,
                spans=chunk.spans,
            )
        )

    def _open_message(self) -> _Message:
        if self._message is None:
            item_id = self._effects.item_id()
            spoken = Spoken(item_id, self.response_id) if self.shape.spoken else None
            item = MessageItem(id=item_id, role="assistant", content=(), status="in_progress")
            entry = Entry(item, spoken=spoken)
            self._message = _Message(entry, self._begin_item(entry))
            self._effects.send(
                ResponseContentPartAdded(
                    event_id=self._effects.event_id(),
                    response_id=self.response_id,
                    item_id=item_id,
                    output_index=self._message.output_index,
                    content_index=0,
                    part=AudioPart() if spoken is not None else TextPart(),
                )
            )
        return self._message

    def _close_message(self, message: _Message, status: ItemStatus) -> None:
        entry = message.entry
        if not isinstance(entry.item, MessageItem):
            return
        spoken = entry.spoken
        part: Part
        if spoken is not None:
            self._say_speech_done(message)
            part = AudioPart(transcript=message.text)
            content: OutputAudioPart | OutputTextPart = OutputAudioPart(transcript=spoken.kept_text())
        else:
            self._effects.send(
                OutputTextDone(
                    event_id=self._effects.event_id(),
                    response_id=self.response_id,
                    item_id=entry.id,
                    output_index=message.output_index,
                    content_index=0,
                    text=message.text,
                )
            )
            part = TextPart(text=message.text)
            content = OutputTextPart(text=message.text)
        self._effects.send(
            ResponseContentPartDone(
                event_id=self._effects.event_id(),
                response_id=self.response_id,
                item_id=entry.id,
                output_index=message.output_index,
                content_index=0,
                part=part,
            )
        )
        entry.item = msgspec.structs.replace(entry.item, content=(content,), status=status)
        self._finish_item(entry, message.output_index)

    def _say_speech_done(self, message: _Message) -> None:
        self._effects.send(
            OutputAudioDone(
                event_id=self._effects.event_id(),
                response_id=self.response_id,
                item_id=message.entry.id,
                output_index=message.output_index,
                content_index=0,
            )
        )
        self._effects.send(
            OutputAudioTranscriptDone(
                event_id=self._effects.event_id(),
                response_id=self.response_id,
                item_id=message.entry.id,
                output_index=message.output_index,
                content_index=0,
                transcript=message.text,
            )
        )

    # --- function calls ------------------------------------------------------------------------------------------

    def _call(self, call_id: str, name: str) -> _Call:
        call = self._calls.get(call_id)
        if call is None:
            item_id = ItemId(self._effects.item_id())
            wire_id = call_id or self._effects.call_id()
            item = FunctionCallItem(id=item_id, call_id=wire_id, name=name, arguments="", status="in_progress")
            entry = Entry(item)
            call = self._calls[call_id] = _Call(entry, self._begin_item(entry), wire_id, name)
        return call

    def _argue(self, call: _Call, arguments: str) -> None:
        if not arguments:
            return
        call.arguments += arguments
        self._effects.send(
            FunctionCallArgumentsDelta(
                event_id=self._effects.event_id(),
                response_id=self.response_id,
                item_id=call.entry.id,
                output_index=call.output_index,
                call_id=call.call_id,
                delta=arguments,
            )
        )

    def _close_call(self, call: _Call, status: ItemStatus) -> None:
        call.done = True
        entry = call.entry
        if isinstance(entry.item, FunctionCallItem):
            entry.item = msgspec.structs.replace(entry.item, arguments=call.arguments, status=status)
        self._effects.send(
            FunctionCallArgumentsDone(
                event_id=self._effects.event_id(),
                response_id=self.response_id,
                item_id=entry.id,
                output_index=call.output_index,
                call_id=call.call_id,
                name=call.name,
                arguments=call.arguments,
            )
        )
        self._finish_item(entry, call.output_index)

    # --- items and the resource ----------------------------------------------------------------------------------

    def _begin_item(self, entry: Entry) -> int:
        output_index = len(self._entries)
        self._entries.append(entry)
        self._effects.send(
            OutputItemAdded(
                event_id=self._effects.event_id(),
                response_id=self.response_id,
                output_index=output_index,
                item=entry.item,
            )
        )
        if not self.shape.out_of_band:
            previous = self._conversation.add(entry)
            self._effects.send(
                ConversationItemAdded(event_id=self._effects.event_id(), previous_item_id=previous, item=entry.item)
            )
        return output_index

    def _finish_item(self, entry: Entry, output_index: int) -> None:
        if self._conversation.holds(entry):
            self._effects.send(
                ConversationItemDone(
                    event_id=self._effects.event_id(),
                    previous_item_id=self._conversation.previous_id(entry),
                    item=entry.item,
                )
            )
        self._effects.send(
            OutputItemDone(
                event_id=self._effects.event_id(),
                response_id=self.response_id,
                output_index=output_index,
                item=entry.item,
            )
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
            output=() if status == "in_progress" else tuple(entry.item for entry in self._entries),
            conversation_id=None if shape.out_of_band else self._conversation_id,
            output_modalities=shape.output_modalities,
            max_output_tokens=shape.max_output_tokens,
            audio=ResponseAudio(output=ResponseAudioOutput(format=shape.format, voice=shape.voice)),
            usage=usage,
            metadata=shape.metadata,
        )
