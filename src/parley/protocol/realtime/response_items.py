"""The items a response makes itself: messages, spoken or written, and function calls; each from `added` to `done`.

An item's numbers on the wire are fixed when it begins. Its closing events are sent on interruption as well, with what
there was: `incomplete` then, also in the conversation. Parts are called `audio` and `text` in `response.content_part.*`
and `output_audio` and `output_text` in items; clients tell the two apart.
Neighbours: `response` (owns these), `response_tools` (what the server runs), `playback` (what is heard).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from parley.protocol.realtime.conversation import Conversation, Entry
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.generation import TextSpan
from parley.protocol.realtime.ids import Ms, ResponseId
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
    ResponseContentPartAdded,
    ResponseContentPartDone,
    TextPart,
)

__all__ = ["CallInProgress", "MessageInProgress", "Place"]

BYTES_PER_SAMPLE = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a response's item belongs. `in_conversation` is False for a response out of band."""

    response_id: ResponseId
    output_index: int
    in_conversation: bool
    effects: Effects
    conversation: Conversation

    def begin(self, entry: Entry) -> None:
        """Announce the item, empty."""
        send, event_id = self.effects.send, self.effects.event_id
        send(
            OutputItemAdded(
                event_id=event_id(),
                response_id=self.response_id,
                output_index=self.output_index,
                item=entry.item,
            )
        )
        if self.in_conversation:
            previous = self.conversation.add(entry)
            send(ConversationItemAdded(event_id=event_id(), previous_item_id=previous, item=entry.item))

    def finish(self, entry: Entry) -> None:
        """Announce the item as it stays; in the conversation only if it is still there."""
        send, event_id = self.effects.send, self.effects.event_id
        if self.conversation.holds(entry):
            previous = self.conversation.previous_id(entry)
            send(ConversationItemDone(event_id=event_id(), previous_item_id=previous, item=entry.item))
        send(
            OutputItemDone(
                event_id=event_id(),
                response_id=self.response_id,
                output_index=self.output_index,
                item=entry.item,
            )
        )


class MessageInProgress:
    """What the assistant says or writes. Its text and its audio share the character and time axes of their spans."""

    def __init__(self, place: Place, *, speaks: bool) -> None:
        item_id = place.effects.item_id()
        self.place = place
        self.spoken = Spoken(item_id, place.response_id) if speaks else None
        self.entry = Entry(
            MessageItem(id=item_id, role="assistant", content=(), status="in_progress"), spoken=self.spoken
        )
        self.text = ""
        self.done = False
        place.begin(self.entry)
        place.effects.send(
            ResponseContentPartAdded(
                event_id=place.effects.event_id(),
                response_id=place.response_id,
                item_id=item_id,
                output_index=place.output_index,
                content_index=0,
                part=AudioPart() if speaks else TextPart(),
            )
        )

    def say(self, text: str) -> None:
        """Send more text: of the transcript, if it is spoken."""
        self.text += text
        if self.spoken is not None:
            self.spoken.say(text)
        delta = OutputTextDelta if self.spoken is None else OutputAudioTranscriptDelta
        self.place.effects.send(
            delta(
                event_id=self.place.effects.event_id(),
                response_id=self.place.response_id,
                item_id=self.entry.id,
                output_index=self.place.output_index,
                content_index=0,
                delta=text,
            )
        )

    def sound(self, pcm: bytes, spans: tuple[TextSpan, ...], playback: Playback, now: Ms) -> None:
        """Send more audio, unless nobody is to hear it any more."""
        if self.spoken is None or self.spoken.muted:
            return
        playback.sent(self.spoken, len(pcm) // BYTES_PER_SAMPLE, spans, now)
        self.place.effects.add(
            AudioOut(
                event_id=self.place.effects.event_id(),
                response_id=self.place.response_id,
                item_id=self.entry.id,
                output_index=self.place.output_index,
                content_index=0,
                pcm=pcm,
                spans=spans,
            )
        )

    def close(self, status: ItemStatus) -> None:
        """Send its closing events."""
        self.done = True
        part: Part
        content: OutputAudioPart | OutputTextPart
        if self.spoken is not None:
            self._close_speech()
            part = AudioPart(transcript=self.text)
            content = OutputAudioPart(transcript=self.spoken.kept_text())
        else:
            self._close_text()
            part = TextPart(text=self.text)
            content = OutputTextPart(text=self.text)
        self.place.effects.send(
            ResponseContentPartDone(
                event_id=self.place.effects.event_id(),
                response_id=self.place.response_id,
                item_id=self.entry.id,
                output_index=self.place.output_index,
                content_index=0,
                part=part,
            )
        )
        if isinstance(self.entry.item, MessageItem):
            self.entry.item = msgspec.structs.replace(self.entry.item, content=(content,), status=status)
        self.place.finish(self.entry)

    def _close_speech(self) -> None:
        send, event_id = self.place.effects.send, self.place.effects.event_id
        send(
            OutputAudioDone(
                event_id=event_id(),
                response_id=self.place.response_id,
                item_id=self.entry.id,
                output_index=self.place.output_index,
                content_index=0,
            )
        )
        send(
            OutputAudioTranscriptDone(
                event_id=event_id(),
                response_id=self.place.response_id,
                item_id=self.entry.id,
                output_index=self.place.output_index,
                content_index=0,
                transcript=self.text,
            )
        )

    def _close_text(self) -> None:
        self.place.effects.send(
            OutputTextDone(
                event_id=self.place.effects.event_id(),
                response_id=self.place.response_id,
                item_id=self.entry.id,
                output_index=self.place.output_index,
                content_index=0,
                text=self.text,
            )
        )


class CallInProgress:
    """A function call whose arguments are being generated."""

    def __init__(self, place: Place, call_id: str, name: str) -> None:
        self.place = place
        self.call_id = call_id
        self.name = name
        self.arguments = ""
        self.done = False
        self.entry = Entry(
            FunctionCallItem(id=place.effects.item_id(), call_id=call_id, name=name, arguments="", status="in_progress")
        )
        place.begin(self.entry)

    def argue(self, arguments: str) -> None:
        """Send more of the arguments."""
        if not arguments:
            return
        self.arguments += arguments
        self.place.effects.send(
            FunctionCallArgumentsDelta(
                event_id=self.place.effects.event_id(),
                response_id=self.place.response_id,
                item_id=self.entry.id,
                output_index=self.place.output_index,
                call_id=self.call_id,
                delta=arguments,
            )
        )

    def complete(self, arguments: str) -> None:
        """Send what is missing of `arguments`, and close. An engine that contradicts itself is believed last."""
        if arguments.startswith(self.arguments):
            self.argue(arguments[len(self.arguments) :])
        self.arguments = arguments
        self.close("completed")

    def close(self, status: ItemStatus) -> None:
        """Send its closing events."""
        self.done = True
        if isinstance(self.entry.item, FunctionCallItem):
            self.entry.item = msgspec.structs.replace(self.entry.item, arguments=self.arguments, status=status)
        self.place.effects.send(
            FunctionCallArgumentsDone(
                event_id=self.place.effects.event_id(),
                response_id=self.place.response_id,
                item_id=self.entry.id,
                output_index=self.place.output_index,
                call_id=self.call_id,
                name=self.name,
                arguments=self.arguments,
            )
        )
        self.place.finish(self.entry)
