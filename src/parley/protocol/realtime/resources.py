"""What server events are made of: responses, their parts and usage, errors, quotas. Data only, in GA shape.

Field names and their order are the wire's. Keys that clients read are always present, null or not; where a client's
validator refuses null, the field is absent instead. Neighbours: `server_events` (carries these), `items`.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from parley.protocol.realtime.items import ConversationItem
from parley.protocol.realtime.session_config import AudioFormat

__all__ = [
    "AudioPart",
    "CachedTokens",
    "Conversation",
    "Cost",
    "DurationUsage",
    "ErrorBody",
    "InputTokenDetails",
    "LogProb",
    "OutputTokenDetails",
    "Part",
    "RateLimit",
    "Response",
    "ResponseAudio",
    "ResponseAudioOutput",
    "ResponseError",
    "ResponseTimeline",
    "StatusDetails",
    "TextPart",
    "TranscriptionError",
    "Usage",
]


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """`event_id` is the client's id of the event at fault, or null."""

    type: str
    code: str | None
    message: str
    param: str | None = None
    event_id: str | None = None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation resource."""

    id: str
    object: Literal["realtime.conversation"] = "realtime.conversation"


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What usage comes to at the engines' prices. `currency` is an ISO-4217 code."""

    amount: float
    currency: str


class DurationUsage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="duration"):
    """Transcription is counted in seconds of audio."""

    seconds: float
    parley_cost: Cost | UnsetType = UNSET


class TranscriptionError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a transcription failed. Strings, never null: agents-js reads them so."""

    type: str
    code: str
    message: str
    param: str | UnsetType = UNSET


class LogProb(msgspec.Struct, frozen=True, kw_only=True):
    """How sure a recogniser is of one token; `bytes` are its UTF-8."""

    token: str
    logprob: float
    bytes: tuple[int, ...]


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
    parley_cost: Cost | UnsetType = UNSET
    """Only where the engines have prices."""


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
    output: tuple[ConversationItem, ...] = ()
    conversation_id: str | None = None
    output_modalities: tuple[str, ...] = ("audio",)
    max_output_tokens: int | Literal["inf"] = "inf"
    temperature: float | UnsetType = UNSET
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


class AudioPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="audio"):
    """A spoken part, as `response.content_part.*` spells it."""

    transcript: str = ""


class TextPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """A written part, as `response.content_part.*` spells it."""

    text: str = ""


Part = AudioPart | TextPart


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One quota. Numbers, never null."""

    name: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_seconds: float
