"""The session object: its effective values, the patches that change it, and how it is echoed.

`SessionConfig` always holds effective values, defaults included, because clients decide by the echo (agents-js and
agents-py read `interrupt_response` from it). `SessionPatch` is a parsed `session.update`; `merged` applies one by the
API's rules: objects `audio`, `audio.input` and `audio.output` merge deeply, everything else is replaced as a whole,
`null` clears, absent keeps. Parsing of raw JSON lives in `requests`. Wire shapes: Realtime API, "Session object".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.tools import FunctionTool, McpTool, Tool, ToolChoice

__all__ = [
    "AudioFormat",
    "AudioInput",
    "AudioInputPatch",
    "AudioOutput",
    "AudioOutputPatch",
    "AudioPatch",
    "NoiseReduction",
    "NoiseReductionPatch",
    "PcmFormat",
    "PcmaFormat",
    "PcmuFormat",
    "RealtimeSessionObject",
    "Reasoning",
    "RetentionRatio",
    "SemanticVad",
    "ServerVad",
    "SessionAudio",
    "SessionConfig",
    "SessionObject",
    "SessionPatch",
    "StoredPrompt",
    "Temperature",
    "TokenLimits",
    "Transcription",
    "TranscriptionSessionObject",
    "Truncation",
    "TurnDetection",
    "VoiceName",
    "merged",
    "session_object",
]

DEFAULT_INSTRUCTIONS = (
    "You are a helpful, friendly voice assistant. Answer briefly, in spoken language: no lists, no markup. "
    "Use a tool whenever one fits, and tell the user what came of it."
)


class PcmFormat(msgspec.Struct, frozen=True, tag_field="type", tag="audio/pcm"):
    """PCM16 little-endian mono. `rate` is 24000, whatever a client asked for."""

    rate: int = 24_000


class PcmuFormat(msgspec.Struct, frozen=True, tag_field="type", tag="audio/pcmu"):
    """G.711 µ-law, 8 kHz."""


class PcmaFormat(msgspec.Struct, frozen=True, tag_field="type", tag="audio/pcma"):
    """G.711 A-law, 8 kHz."""


AudioFormat = PcmFormat | PcmuFormat | PcmaFormat


class NoiseReduction(msgspec.Struct, frozen=True):
    """Noise reduction ahead of voice activity and model. `strength` in 0..1."""

    type: Literal["near_field", "far_field"] = "near_field"
    strength: float = 1.0


_Amount = Literal["minimal", "low", "medium", "high", "xhigh"]


class Reasoning(msgspec.Struct, frozen=True):
    """How hard a reasoning model thinks. Echoed and otherwise without effect: the model server decides."""

    effort: _Amount | None = None


_STREAMING_MODELS = ("gpt-realtime-whisper", "gpt-live-transcribe")


class Transcription(msgspec.Struct, frozen=True, omit_defaults=False):
    """Ask for `conversation.item.input_audio_transcription.*` events. `model` is an alias.

    Of newer models' fields the first of `languages` and the `keywords` are used, as `language` and `prompt`; `delay` is
    echoed alone. They are there where a client set them.
    """

    model: str | None = None
    language: str | None = None
    prompt: str | None = None
    languages: tuple[str, ...] | UnsetType = UNSET
    keywords: tuple[str, ...] | UnsetType = UNSET
    delay: _Amount | UnsetType = UNSET

    @property
    def streams(self) -> bool:
        """The client expects deltas while its audio arrives, before it commits (Realtime API, "Transcription")."""
        return self.model is not None and self.model.startswith(_STREAMING_MODELS)


class ServerVad(msgspec.Struct, frozen=True, tag_field="type", tag="server_vad"):
    """A turn ends after `silence_duration_ms` of silence. All `*_ms` count samples of the lane."""

    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Meta(ge=0, le=10_000)] = 300
    silence_duration_ms: Annotated[int, Meta(ge=0, le=60_000)] = 500
    idle_timeout_ms: Annotated[int, Meta(ge=1_000, le=3_600_000)] | None = None
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(msgspec.Struct, frozen=True, tag_field="type", tag="semantic_vad"):
    """A turn ends when what was said sounds finished, at the latest 2, 4 or 8 s after the voice."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection = ServerVad | SemanticVad


class AudioInput(msgspec.Struct, frozen=True):
    """How the user's audio comes in."""

    format: AudioFormat = PcmFormat()
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = ServerVad()


class AudioOutput(msgspec.Struct, frozen=True):
    """How the assistant's audio goes out. `speed` in 0.25..1.5."""

    format: AudioFormat = PcmFormat()
    voice: str = "alloy"
    speed: float = 1.0


class SessionAudio(msgspec.Struct, frozen=True):
    """Both directions."""

    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class TokenLimits(msgspec.Struct, frozen=True):
    """How long a conversation may get, in tokens beyond instructions and tools."""

    post_instructions: Annotated[int, Meta(ge=1)]


class RetentionRatio(msgspec.Struct, frozen=True, tag_field="type", tag="retention_ratio", omit_defaults=True):
    """When a conversation gets too long, keep the newest `retention_ratio` of the limit, 0 to 1."""

    retention_ratio: Annotated[float, Meta(ge=0, le=1)]
    token_limits: TokenLimits | None = None


Truncation = Literal["auto", "disabled"] | RetentionRatio

VoiceName = Annotated[str, Meta(max_length=256)]

Temperature = Annotated[float, Meta(ge=0, le=2)]
"""Beta's own bounds were 0.6 to 1.2; other models are used with more."""


class SessionConfig(msgspec.Struct, frozen=True):
    """The effective configuration of a session. `max_output_tokens` is 1..4096 or `"inf"`."""

    type: Literal["realtime", "transcription"] = "realtime"
    model: str = "parley-demo"
    output_modalities: tuple[Literal["audio", "text"], ...] = ("audio",)
    instructions: str = DEFAULT_INSTRUCTIONS
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: int | Literal["inf"] = "inf"
    temperature: float | None = None
    truncation: Truncation = "auto"
    prompt: PromptReference | None = None
    tracing: Any = None
    include: tuple[str, ...] | None = None
    audio: SessionAudio = SessionAudio()
    hosted_tools: tuple[FunctionTool, ...] = ()
    """Functions that the server runs itself, beside `tools`. Clients can neither set nor see them."""
    language: str | None = None
    """ISO-639-1: what is spoken here unless `transcription` says otherwise. Set by the server only."""

    @property
    def speaks(self) -> bool:
        """Whether responses are spoken unless a response says otherwise."""
        return self.output_modalities != ("text",)


class NoiseReductionPatch(msgspec.Struct, frozen=True):
    """`strength` left out keeps the previous value."""

    type: Literal["near_field", "far_field"] | UnsetType = UNSET
    strength: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET


class AudioInputPatch(msgspec.Struct, frozen=True):
    """The changed fields of `audio.input`."""

    format: AudioFormat | UnsetType = UNSET
    transcription: Transcription | UnsetType | None = UNSET
    noise_reduction: NoiseReductionPatch | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET


class AudioOutputPatch(msgspec.Struct, frozen=True):
    """The changed fields of `audio.output`."""

    format: AudioFormat | UnsetType = UNSET
    voice: VoiceName | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | UnsetType = UNSET


class AudioPatch(msgspec.Struct, frozen=True):
    """The changed halves of `audio`."""

    input: AudioInputPatch | UnsetType = UNSET
    output: AudioOutputPatch | UnsetType = UNSET


class SessionPatch(msgspec.Struct, frozen=True):
    """A parsed and validated `session.update`: only what the client sent."""

    type: Literal["realtime", "transcription"] | UnsetType = UNSET
    model: str | UnsetType = UNSET
    output_modalities: tuple[Literal["audio", "text"], ...] | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    tools: tuple[Tool, ...] | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType | None = UNSET
    reasoning: Reasoning | UnsetType | None = UNSET
    max_output_tokens: int | Literal["inf"] | UnsetType = UNSET
    temperature: Temperature | UnsetType | None = UNSET
    truncation: Truncation | UnsetType = UNSET
    prompt: PromptReference | UnsetType | None = UNSET
    tracing: Any | UnsetType = UNSET
    include: tuple[str, ...] | UnsetType | None = UNSET
    audio: AudioPatch | UnsetType = UNSET


class StoredPrompt(msgspec.Struct, frozen=True):
    """What a `PromptReference` was found to stand for: settings, with the variables filled in.

    They apply below whatever the same event sets by itself. Of a response's prompt only instructions, tools and tool
    choice are used.
    """

    settings: SessionPatch


def merged(config: SessionConfig, patch: SessionPatch) -> SessionConfig:
    """Apply `patch` to `config`. A different `type` is the caller's to refuse; a different `model` is ignored.

    Tracing, once on, is immutable except for `null`.
    """
    changes = _given(patch)
    changes.pop("type", None)
    changes.pop("model", None)
    if config.tracing is not None and changes.get("tracing", None) is not None:
        changes.pop("tracing")
    if not isinstance(patch.audio, UnsetType):
        changes["audio"] = _merged_audio(config.audio, patch.audio, transcribes_only=config.type == "transcription")
    return msgspec.structs.replace(config, **changes)


def _merged_audio(audio: SessionAudio, patch: AudioPatch, *, transcribes_only: bool) -> SessionAudio:
    changes: dict[str, Any] = {}
    if not isinstance(patch.input, UnsetType):
        inputs = _given(patch.input)
        reduction = patch.input.noise_reduction
        if isinstance(reduction, NoiseReductionPatch):
            inputs["noise_reduction"] = msgspec.structs.replace(
                audio.input.noise_reduction or NoiseReduction(), **_given(reduction)
            )
        wanted = patch.input.transcription
        if transcribes_only and isinstance(wanted, Transcription) and wanted.streams:
            inputs.setdefault("turn_detection", None)  # who streams commits by hand
        changes["input"] = msgspec.structs.replace(audio.input, **inputs)
    if not isinstance(patch.output, UnsetType):
        changes["output"] = msgspec.structs.replace(audio.output, **_given(patch.output))
    return msgspec.structs.replace(audio, **changes)


def _given(patch: msgspec.Struct) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not UNSET}


class RealtimeSessionObject(msgspec.Struct, frozen=True, tag_field="type", tag="realtime"):
    """A conversation session as it is echoed."""

    id: str
    model: str
    output_modalities: tuple[str, ...]
    instructions: str
    tools: tuple[Tool, ...]
    tool_choice: ToolChoice
    max_output_tokens: int | Literal["inf"]
    tracing: Any
    prompt: PromptReference | None
    truncation: Truncation
    expires_at: int
    audio: SessionAudio
    include: tuple[str, ...] | None
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: Reasoning | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    """These three are echoed where a client set them; of a temperature only beta knows."""
    object: Literal["realtime.session"] = "realtime.session"
    parley_locked: tuple[str, ...] | UnsetType = UNSET
    """Fields that this connection cannot change; only where there are any."""


class _TranscriptionTurns(msgspec.Struct, frozen=True, omit_defaults=True):
    """A transcription session's turn detection: it has no responses to create or interrupt."""

    type: Literal["server_vad", "semantic_vad"]
    threshold: float | UnsetType = UNSET
    prefix_padding_ms: int | UnsetType = UNSET
    silence_duration_ms: int | UnsetType = UNSET
    eagerness: str | UnsetType = UNSET


class _TranscriptionInput(msgspec.Struct, frozen=True):
    format: AudioFormat
    transcription: Transcription | None
    noise_reduction: NoiseReduction | None
    turn_detection: _TranscriptionTurns | None


class _TranscriptionAudio(msgspec.Struct, frozen=True):
    input: _TranscriptionInput


class TranscriptionSessionObject(msgspec.Struct, frozen=True, tag_field="type", tag="transcription"):
    """A session of transcription only, as it is echoed."""

    id: str
    expires_at: int
    audio: _TranscriptionAudio
    include: tuple[str, ...] | None
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"


SessionObject = RealtimeSessionObject | TranscriptionSessionObject


def session_object(config: SessionConfig, *, session_id: str, expires_at: int) -> SessionObject:
    """Make the echo of `config`. `expires_at` in Unix seconds, 0 in client-secret replies. Credentials are redacted."""
    if config.type == "transcription":
        return TranscriptionSessionObject(
            id=session_id,
            expires_at=expires_at,
            audio=_TranscriptionAudio(
                input=_TranscriptionInput(
                    format=config.audio.input.format,
                    transcription=config.audio.input.transcription,
                    noise_reduction=config.audio.input.noise_reduction,
                    turn_detection=_transcription_turns(config.audio.input.turn_detection),
                )
            ),
            include=config.include,
        )
    return RealtimeSessionObject(
        id=session_id,
        model=config.model,
        output_modalities=config.output_modalities,
        instructions=config.instructions,
        tools=tuple(_redacted(tool) for tool in config.tools),
        tool_choice=config.tool_choice,
        max_output_tokens=config.max_output_tokens,
        tracing=config.tracing,
        prompt=config.prompt,
        truncation=config.truncation,
        expires_at=expires_at,
        audio=config.audio,
        include=config.include,
        parallel_tool_calls=UNSET if config.parallel_tool_calls is None else config.parallel_tool_calls,
        reasoning=UNSET if config.reasoning is None else config.reasoning,
        temperature=UNSET if config.temperature is None else config.temperature,
    )


def _transcription_turns(detection: TurnDetection | None) -> _TranscriptionTurns | None:
    match detection:
        case None:
            return None
        case ServerVad():
            return _TranscriptionTurns(
                type="server_vad",
                threshold=detection.threshold,
                prefix_padding_ms=detection.prefix_padding_ms,
                silence_duration_ms=detection.silence_duration_ms,
            )
        case SemanticVad():
            return _TranscriptionTurns(type="semantic_vad", eagerness=detection.eagerness)


def _redacted(tool: Tool) -> Tool:
    if not isinstance(tool, McpTool):
        return tool
    secret: dict[str, Any] = {}
    if isinstance(tool.authorization, str):
        secret["authorization"] = "[redacted]"
    if isinstance(tool.headers, dict):
        secret["headers"] = dict.fromkeys(tool.headers, "[redacted]")
    return msgspec.structs.replace(tool, **secret)
