"""One response's life on the wire: from `response.created` to `response.done`, exactly one of each.

`LiveResponse` turns chunks into items (`response_items`, `response_tools`) and keeps their order. A message stays open
until its generation ends; its text and its audio share one character and time axis with the chunks' spans. Where the
server runs tools for the response, it is generated on afterwards, and each generation has a message of its own. Calls
are items of their own. Outputs are numbered in the order they begin.

Order of the closing events of a spoken message: audio done, transcript done, part done, item done in the conversation,
item done in the response. They are all sent on interruption as well, with what there was; the item is then
`incomplete`, and so is a call that was cut short, which is never `completed` anywhere.

What does not live here: when a response may begin and why it ends (`responses`), what it is generated from (`context`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

from msgspec import UNSET

from parley.protocol.realtime.conversation import Conversation
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.generation import AudioDelta, EngineUsage, TextDelta, ToolCallDelta, ToolCallDone
from parley.protocol.realtime.ids import ConversationId, ItemId, Ms, ResponseId
from parley.protocol.realtime.items import Item, McpError, MessageItem, OutputAudioPart, OutputTextPart
from parley.protocol.realtime.mcp import McpServers
from parley.protocol.realtime.playback import Playback
from parley.protocol.realtime.response_items import CallInProgress, MessageInProgress, Place
from parley.protocol.realtime.response_tools import ApprovalAsked, HostedRun, McpRun, ToolRun, readable
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
from parley.protocol.realtime.toolbox import HostedTarget, McpTarget, Toolbox

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
    cut: bool = False
    """By us, in the middle of what the engine was saying."""

    @property
    def by_itself(self) -> bool:
        """The engine came to an end; everything it generated will be sent."""
        return self.status in {"completed", "incomplete"} and not self.cut


class LiveResponse:
    """A response between `created` and `done`."""

    def __init__(
        self,
        response_id: ResponseId,
        shape: ResponseShape,
        toolbox: Toolbox,
        *,
        effects: Effects,
        conversation: Conversation,
        conversation_id: ConversationId,
        playback: Playback,
        mcp: McpServers,
    ) -> None:
        self.response_id = response_id
        self.shape = shape
        self._toolbox = toolbox
        self._effects = effects
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._playback = playback
        self._mcp = mcp
        self._outputs: list[MessageInProgress | CallInProgress | McpRun | ApprovalAsked] = []
        """By output index."""
        self._parts: list[MessageInProgress | CallInProgress | ToolRun] = []
        """Everything the model said and did, in order."""
        self._message: MessageInProgress | None = None
        self._calls: dict[str, CallInProgress | ToolRun] = {}
        self._usage = EngineUsage()
        self._usage_before = EngineUsage()

    @property
    def engine_usage(self) -> EngineUsage:
        """What the engine counted, over all generations."""
        return _added(self._usage_before, self._usage)

    @property
    def sent_samples(self) -> int:
        """Samples of speech sent so far."""
        return sum(part.spoken.sent_samples for part in self._messages() if part.spoken is not None)

    @property
    def output_chars(self) -> int:
        """Characters generated: text and arguments."""
        return sum(
            len(part.text) if isinstance(part, MessageInProgress) else len(part.arguments) for part in self._parts
        )

    @property
    def output_ms(self) -> int:
        """Audio generated."""
        return sum(part.spoken.sent_ms for part in self._messages() if part.spoken is not None)

    @property
    def running_tools(self) -> bool:
        """The server runs a tool for it."""
        return any(run.running for run in self._runs())

    @property
    def goes_on(self) -> bool:
        """There is something new to tell the model, and no call that waits for the client."""
        waits = any(isinstance(part, CallInProgress) for part in self._parts)
        return not waits and any(run.continues and run.done and not run.told_before for run in self._runs())

    def spoken_items(self) -> list[ItemId]:
        """Give the ids of its spoken messages."""
        return [part.entry.id for part in self._messages() if part.spoken is not None]

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
            case ToolCallDelta() | ToolCallDone():
                self._take_call(chunk)
            case EngineUsage():
                self._usage = chunk
            case _:
                assert_never(chunk)

    def returned(self, item_id: ItemId, result: str | McpError) -> bool:
        """Take what a tool gave that the server ran. False if it is not one of this response's."""
        for run in self._runs():
            if run.entry.id == item_id and run.running:
                run.returned(result)
                return True
        return False

    def go_on(self) -> tuple[Item, ...]:
        """Close the message of the generation that ended. Gives what the model is to be told of this response."""
        self._close_message("completed", finished=True)
        self._usage_before, self._usage = self.engine_usage, EngineUsage()
        told: list[Item] = []
        for part in self._parts:
            if isinstance(part, MessageInProgress):
                told.append(_as_said(part))
            elif not isinstance(part, CallInProgress):
                part.told_before = True
                told += part.told()
        return tuple(told)

    def end(self, ending: Ending, usage: Usage) -> None:
        """Close everything that is open and say `response.done`."""
        status: Literal["completed", "incomplete"] = "completed" if ending.status == "completed" else "incomplete"
        for part in self._parts:
            if isinstance(part, MessageInProgress):
                if part is self._message:
                    self._close_message(status, finished=ending.by_itself)
            elif isinstance(part, CallInProgress):
                if not part.done:
                    part.close("incomplete")  # it was cut short, however the response ended
            else:
                part.close()
        resource = self._resource(ending.status, ending.details, usage)
        self._effects.send(ResponseDone(event_id=self._effects.event_id(), response=resource))

    def _messages(self) -> Iterator[MessageInProgress]:
        return (part for part in self._parts if isinstance(part, MessageInProgress))

    def _runs(self) -> Iterator[ToolRun]:
        return (part for part in self._parts if isinstance(part, HostedRun | McpRun))

    def _open_message(self) -> MessageInProgress:
        if self._message is None:
            self._message = MessageInProgress(self._next_place(), speaks=self.shape.spoken)
            self._outputs.append(self._message)
            self._parts.append(self._message)
        return self._message

    def _close_message(self, status: Literal["completed", "incomplete"], *, finished: bool) -> None:
        message, self._message = self._message, None
        if message is not None:
            if message.spoken is not None and finished:
                message.spoken.finished = True
            message.close(status)

    def _take_call(self, chunk: ToolCallDelta | ToolCallDone) -> None:
        target = self._toolbox.targets.get(chunk.name)
        if isinstance(target, McpTarget) and target.asks_first:
            if isinstance(chunk, ToolCallDone):
                self._ask_approval(target, readable(chunk.arguments))
            return
        call = self._calls.get(chunk.call_id) or self._open_call(chunk.call_id, chunk.name, target)
        if call.done or (not isinstance(call, CallInProgress) and call.running):
            return
        if isinstance(chunk, ToolCallDelta):
            call.argue(chunk.arguments)
        else:
            call.complete(chunk.arguments)

    def _ask_approval(self, target: McpTarget, arguments: str) -> None:
        asked = ApprovalAsked(self._next_place(), target, arguments)
        self._outputs.append(asked)
        self._mcp.await_approval(asked.entry.id, target, arguments)

    def _open_call(self, given_id: str, name: str, target: HostedTarget | McpTarget | None) -> CallInProgress | ToolRun:
        call_id = given_id or self._effects.call_id()
        call: CallInProgress | ToolRun
        match target:
            case None:
                call = CallInProgress(self._next_place(), call_id, name)
                self._outputs.append(call)
            case McpTarget():
                call = McpRun(self._next_place(), target, call_id, name)
                self._outputs.append(call)
            case HostedTarget():
                call = HostedRun(self._next_place(), call_id, name)
            case _:
                assert_never(target)
        self._calls[given_id] = call
        self._parts.append(call)
        return call

    def _next_place(self) -> Place:
        return Place(
            response_id=self.response_id,
            output_index=len(self._outputs),
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
            output=() if status == "in_progress" else tuple(output.entry.item for output in self._outputs),
            conversation_id=None if shape.out_of_band else self._conversation_id,
            output_modalities=shape.output_modalities,
            max_output_tokens=shape.max_output_tokens,
            temperature=UNSET if shape.temperature is None else shape.temperature,
            audio=ResponseAudio(output=ResponseAudioOutput(format=shape.format, voice=shape.voice)),
            usage=usage,
            metadata=shape.metadata,
        )


def _as_said(message: MessageInProgress) -> Item:
    """Give a message as its own response sees it: with everything that was generated, for it will be heard."""
    part = OutputTextPart(message.text) if message.spoken is None else OutputAudioPart(message.text)
    return MessageItem(id=message.entry.id, role="assistant", content=(part,))


def _added(one: EngineUsage, other: EngineUsage) -> EngineUsage:
    return EngineUsage(
        one.input_text_tokens + other.input_text_tokens,
        one.cached_text_tokens + other.cached_text_tokens,
        one.output_text_tokens + other.output_text_tokens,
        one.estimated or other.estimated,
    )
