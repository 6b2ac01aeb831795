"""Server events: one struct per event of the Realtime API, in GA shape. Data only.

Field names and their order are the wire's. Two traps are built in: `response.content_part.*` says `audio` and `text`
where items say `output_audio` and `output_text`, and `status_details`, `usage` and `transcript` are always present,
null or not, because clients read the key. Extra keys named `parley…` ride on existing events; no event is invented.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from parley.protocol.realtime.generation import TextSpan
from parley.protocol.realtime.items import Item
from parley.protocol.realtime.session_config import AudioFormat, SessionObject

__all__ = [
    "AudioPart",
    "CachedTokens",
    "Conversation",
    "ConversationCreated",
    "ConversationItemAdded",
    "ConversationItemDeleted",
    "ConversationItemDone",
    "ConversationItemRetrieved",
    "ConversationItemTruncated",
    "DurationUsage",
    "ErrorBody",
    "ErrorEvent",
    "FunctionCallArgumentsDelta",
    "FunctionCallArgumentsDone",
    "InputAudioBufferCleared",
    "InputAudioBufferCommitted",
    "InputTokenDetails",
    "OutputAudioBufferCleared",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "OutputAudioDelta",
    "OutputAudioDone",
    "OutputAudioTranscriptDelta",
    "OutputAudioTranscriptDone",
    "OutputItemAdded",
    "OutputItemDone",
    "OutputTextDelta",
    "OutputTextDone",
    "OutputTokenDetails",
    "Part",
    "RateLimit",
    "RateLimitsUpdated",
    "Response",
    "ResponseAudio",
    "ResponseAudioOutput",
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseCreated",
    "ResponseDone",
    "ResponseError",
    "ResponseTimeline",
    "ServerEvent",
    "SessionCreated",
    "SessionUpdated",
    "SpeechStarted",
    "SpeechStopped",
    "StatusDetails",
    "TextPart",
    "TimeoutTriggered",
    "TranscriptionCompleted",
    "TranscriptionDelta",
    "TranscriptionError",
    "TranscriptionFailed",
    "Usage",
]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    event_id: str


# --- errors -----------------------------------------------------------------------------------------------------------


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """`event_id` is the client's id of the event at fault, or null."""

    type: str
    code: str | None
    message: str
    param: str | None = None
    event_id: str | None = None


class ErrorEvent(_Event, frozen=True, kw_only=True, tag="error"):
    """A client's mistake. The session goes on unless a close follows."""

    error: ErrorBody


# --- session and conversation -----------------------------------------------------------------------------------------


class SessionCreated(_Event, frozen=True, kw_only=True, tag="session.created"):
    """The first event of every connection."""

    session: SessionObject


class SessionUpdated(_Event, frozen=True, kw_only=True, tag="session.updated"):
    """One per accepted `session.update`, with the whole effective session."""

    session: SessionObject


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation resource."""

    id: str
    object: Literal["realtime.conversation"] = "realtime.conversation"


class ConversationCreated(_Event, frozen=True, kw_only=True, tag="conversation.created"):
    """Follows `session.created`."""

    conversation: Conversation


class ConversationItemAdded(_Event, frozen=True, kw_only=True, tag="conversation.item.added"):
    """An item entered the conversation after `previous_item_id` (null: it is the first)."""

    previous_item_id: str | None
    item: Item


class ConversationItemDone(_Event, frozen=True, kw_only=True, tag="conversation.item.done"):
    """The item is complete (or will never be: `incomplete`)."""

    previous_item_id: str | None
    item: Item


class ConversationItemRetrieved(_Event, frozen=True, kw_only=True, tag="conversation.item.retrieved"):
    """The item, with its audio where that fits into a frame."""

    item: Item


class ConversationItemDeleted(_Event, frozen=True, kw_only=True, tag="conversation.item.deleted"):
    """The item is gone."""

    item_id: str


class ConversationItemTruncated(_Event, frozen=True, kw_only=True, tag="conversation.item.truncated"):
    """The item was cut to `audio_end_ms`; `item` is what is left of it."""

    item_id: str
    content_index: int
    audio_end_ms: int
    item: Item | UnsetType = UNSET


class DurationUsage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="duration"):
    """Transcription is counted in seconds of audio."""

    seconds: float


class TranscriptionDelta(_Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.delta"):
    """More of the user's words."""

    item_id: str
    content_index: int
    delta: str


class TranscriptionCompleted(
    _Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.completed"
):
    """All of the user's words. `usage` is required by agents-py."""

    item_id: str
    content_index: int
    transcript: str
    usage: DurationUsage


class TranscriptionError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a transcription failed. Strings, never null: agents-js reads them so."""

    type: str
    code: str
    message: str
    param: str | UnsetType = UNSET


class TranscriptionFailed(_Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.failed"):
    """The user's words could not be recognised."""

    item_id: str
    content_index: int
    error: TranscriptionError


# --- input and output buffers -----------------------------------------------------------------------------------------


class InputAudioBufferCommitted(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.committed"):
    """The buffer became item `item_id`."""

    item_id: str
    previous_item_id: str | None


class InputAudioBufferCleared(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"):
    """The buffer is empty."""


class SpeechStarted(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"):
    """Voice began; `audio_start_ms` counts all audio ever appended, shifted back by the prefix padding."""

    audio_start_ms: int
    item_id: str


class SpeechStopped(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"):
    """The turn ended; `audio_end_ms` includes the silence that ended it."""

    audio_end_ms: int
    item_id: str


class TimeoutTriggered(_Event, frozen=True, kw_only=True, tag="input_audio_buffer.timeout_triggered"):
    """Nobody spoke for `idle_timeout_ms`."""

    audio_start_ms: int
    audio_end_ms: int
    item_id: str


class OutputAudioBufferStarted(_Event, frozen=True, kw_only=True, tag="output_audio_buffer.started"):
    """Server-paced playback sent its first packet of the response."""

    response_id: str


class OutputAudioBufferStopped(_Event, frozen=True, kw_only=True, tag="output_audio_buffer.stopped"):
    """Server-paced playback sent everything."""

    response_id: str


class OutputAudioBufferCleared(_Event, frozen=True, kw_only=True, tag="output_audio_buffer.cleared"):
    """Server-paced playback was cut."""

    response_id: str


# --- responses --------------------------------------------------------------------------------------------------------


class ResponseError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response failed."""

    type: str
    code: str
    message: str


class StatusDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`reason` is a closed set: agents-py cannot read a `response.done` with any other."""

    type: Literal["cancelled", "incomplete", "failed"]
    reason: Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"] | UnsetType = UNSET
    error: ResponseError | UnsetType = UNSET


class CachedTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The cached share of the input, by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


class InputTokenDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The input, by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    cached_tokens_details: CachedTokens = CachedTokens()


class OutputTokenDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The output, by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a response cost. Every member is an integer, 0 where nothing is known."""

    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: InputTokenDetails = InputTokenDetails()
    output_token_details: OutputTokenDetails = OutputTokenDetails()


class ResponseAudioOutput(msgspec.Struct, frozen=True, kw_only=True):
    """`voice` is a plain string; agents-js drops the event for an object."""

    format: AudioFormat
    voice: str


class ResponseAudio(msgspec.Struct, frozen=True, kw_only=True):
    """Audio settings of a response."""

    output: ResponseAudioOutput


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The response resource."""

    id: str
    status: Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
    status_details: StatusDetails | None = None
    output: tuple[Item, ...] = ()
    conversation_id: str | None = None
    output_modalities: tuple[str, ...] = ("audio",)
    max_output_tokens: int | Literal["inf"] = "inf"
    audio: ResponseAudio
    usage: Usage | None = None
    metadata: dict[str, str] | None = None
    object: Literal["realtime.response"] = "realtime.response"


class ResponseTimeline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the time of a turn went, in ms after the voice stopped (or after `response.create`)."""

    committed_ms: int | UnsetType = UNSET
    transcript_ms: int | UnsetType = UNSET
    first_token_ms: int | UnsetType = UNSET
    first_audio_ms: int | UnsetType = UNSET
    first_sent_ms: int | UnsetType = UNSET


class ResponseCreated(_Event, frozen=True, kw_only=True, tag="response.created"):
    """The first event of a response."""

    response: Response


class ResponseDone(_Event, frozen=True, kw_only=True, tag="response.done"):
    """The last event of a response, exactly one per `response.created`."""

    response: Response
    parley_timeline: ResponseTimeline | UnsetType = UNSET


class _ResponseEvent(_Event, frozen=True, kw_only=True):
    response_id: str
    output_index: int


class OutputItemAdded(_ResponseEvent, frozen=True, kw_only=True, tag="response.output_item.added"):
    """The response began an item."""

    item: Item


class OutputItemDone(_ResponseEvent, frozen=True, kw_only=True, tag="response.output_item.done"):
    """The response finished an item."""

    item: Item


class _ItemEvent(_ResponseEvent, frozen=True, kw_only=True):
    item_id: str


class _PartEvent(_ItemEvent, frozen=True, kw_only=True):
    content_index: int


class AudioPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="audio"):
    """A spoken part, as `response.content_part.*` spells it."""

    transcript: str = ""


class TextPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """A written part, as `response.content_part.*` spells it."""

    text: str = ""


Part = AudioPart | TextPart


class ResponseContentPartAdded(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.added"):
    """The item began a part."""

    part: Part


class ResponseContentPartDone(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.done"):
    """The item finished a part."""

    part: Part


class OutputTextDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """More text."""

    delta: str


class OutputTextDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.done"):
    """All the text."""

    text: str


class OutputAudioTranscriptDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.delta"):
    """More of what is said."""

    delta: str


class OutputAudioTranscriptDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.done"):
    """All that is said."""

    transcript: str


class OutputAudioDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.delta"):
    """More audio in the output format, base64 on the wire.

    `parley_spans`: `[char_start, char_end, start_ms, end_ms, exact]` rows, where in the item's audio its text sounds.
    """

    delta: bytes
    parley_spans: tuple[TextSpan, ...] | UnsetType = UNSET


class OutputAudioDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.done"):
    """No more audio of this part."""


class FunctionCallArgumentsDelta(_ItemEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"):
    """More of a call's JSON arguments."""

    call_id: str
    delta: str


class FunctionCallArgumentsDone(_ItemEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.done"):
    """All of a call's JSON arguments; `name` is required by agents-py and small devices."""

    call_id: str
    name: str
    arguments: str


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One quota. Numbers, never null."""

    name: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_seconds: float


class RateLimitsUpdated(_Event, frozen=True, kw_only=True, tag="rate_limits.updated"):
    """Quotas after a response."""

    rate_limits: tuple[RateLimit, ...]


ServerEvent = (
    ErrorEvent
    | SessionCreated
    | SessionUpdated
    | ConversationCreated
    | ConversationItemAdded
    | ConversationItemDone
    | ConversationItemRetrieved
    | ConversationItemDeleted
    | ConversationItemTruncated
    | TranscriptionDelta
    | TranscriptionCompleted
    | TranscriptionFailed
    | InputAudioBufferCommitted
    | InputAudioBufferCleared
    | SpeechStarted
    | SpeechStopped
    | TimeoutTriggered
    | OutputAudioBufferStarted
    | OutputAudioBufferStopped
    | OutputAudioBufferCleared
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | ResponseContentPartAdded
    | ResponseContentPartDone
    | OutputTextDelta
    | OutputTextDone
    | OutputAudioTranscriptDelta
    | OutputAudioTranscriptDone
    | OutputAudioDelta
    | OutputAudioDone
    | FunctionCallArgumentsDelta
    | FunctionCallArgumentsDone
    | RateLimitsUpdated
)
