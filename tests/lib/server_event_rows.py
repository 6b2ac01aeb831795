"""One server event of every kind and shape, for tests that send each through something."""

from __future__ import annotations

from typing import Any

import msgspec

from parley.protocol.realtime import server_events as ev
from parley.protocol.realtime.generation import TextSpan
from parley.protocol.realtime.items import (
    ConversationItem,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudioPart,
    InputTextPart,
    Item,
    McpApprovalRequestItem,
    McpApprovalResponseItem,
    McpCallItem,
    McpError,
    McpListToolsItem,
    McpToolInfo,
    MessageItem,
    OutputAudioPart,
    OutputTextPart,
)
from parley.protocol.realtime.session_config import (
    NoiseReduction,
    PcmaFormat,
    PcmFormat,
    SemanticVad,
    SessionConfig,
    Transcription,
    session_object,
)
from parley.protocol.realtime.tools import FunctionTool, McpTool, NamedToolChoice

PLAIN = SessionConfig()
FULL = SessionConfig(
    tools=(
        FunctionTool(name="f", description="d", parameters={"type": "object"}),
        McpTool(server_label="s", server_url="http://localhost:1", authorization="secret", headers={"x": "secret"}),
    ),
    tool_choice=NamedToolChoice(type="function", name="f"),
    max_output_tokens=100,
    tracing="auto",
    include=("item.input_audio_transcription.logprobs",),
)
FULL = msgspec.structs.replace(
    FULL,
    audio=msgspec.structs.replace(
        FULL.audio,
        input=msgspec.structs.replace(
            FULL.audio.input,
            format=PcmaFormat(),
            transcription=Transcription(model="whisper-1"),
            noise_reduction=NoiseReduction(),
            turn_detection=SemanticVad(),
        ),
    ),
)
USER = MessageItem(id="i1", role="user", content=(InputAudioPart(),))
ASSISTANT = MessageItem(id="i2", role="assistant", content=(OutputAudioPart(transcript="hello"),), status="incomplete")
WRITTEN = MessageItem(id="i3", role="assistant", content=(OutputTextPart(text="hello"),))
SYSTEM = MessageItem(id="i4", role="system", content=(InputTextPart(text="hello"),))
CALL = FunctionCallItem(id="i5", call_id="c", name="f", arguments="{}", status="in_progress")
OUTPUT = FunctionCallOutputItem(id="i6", call_id="c", output="")
LISTED = McpListToolsItem(
    id="i7",
    server_label="s",
    tools=(
        McpToolInfo(name="f", input_schema={"type": "object"}),
        McpToolInfo(name="g", input_schema={"type": "object"}, description="d", annotations={"readOnlyHint": True}),
    ),
)
MCP_CALL = McpCallItem(id="i8", server_label="s", name="f", arguments="{}")
MCP_DONE = msgspec.structs.replace(MCP_CALL, output="fine", approval_request_id="i10")
MCP_FAILED = msgspec.structs.replace(MCP_CALL, error=McpError(type="http_error", code=503, message="m"))
ASKED = McpApprovalRequestItem(id="i10", server_label="s", name="f", arguments="{}")
ANSWERED = McpApprovalResponseItem(id="i11", approval_request_id="i10", approve=True)
PLAIN_ITEMS: tuple[Item, ...] = (USER, ASSISTANT, WRITTEN, SYSTEM, CALL, OUTPUT)
ITEMS: tuple[ConversationItem, ...] = (*PLAIN_ITEMS, LISTED, MCP_CALL, MCP_DONE, MCP_FAILED, ASKED, ANSWERED)
AUDIO = ev.ResponseAudio(output=ev.ResponseAudioOutput(format=PcmFormat(), voice="alloy"))


def response(**changes: Any) -> ev.Response:
    return msgspec.structs.replace(ev.Response(id="r", status="in_progress", audio=AUDIO), **changes)


PART: dict[str, Any] = {"event_id": "e", "response_id": "r", "output_index": 0, "item_id": "i2", "content_index": 0}
EVENTS: list[ev.ServerEvent] = [
    ev.ErrorEvent(event_id="e", error=ev.ErrorBody(type="invalid_request_error", code="invalid_value", message="m")),
    *(
        made(event_id="e", session=session_object(config, session_id="sess_1", expires_at=1))
        for made in (ev.SessionCreated, ev.SessionUpdated)
        for config in (PLAIN, FULL, msgspec.structs.replace(FULL, type="transcription"))
    ),
    ev.ConversationCreated(event_id="e", conversation=ev.Conversation(id="conv_1")),
    *(
        made(event_id="e", previous_item_id=previous, item=item)
        for made in (ev.ConversationItemAdded, ev.ConversationItemDone)
        for previous, item in zip((None, *(item.id for item in ITEMS)), ITEMS, strict=False)
    ),
    ev.ConversationItemRetrieved(
        event_id="e", item=MessageItem(id="i", role="user", content=(InputAudioPart(transcript="a", audio=b"ab"),))
    ),
    ev.ConversationItemDeleted(event_id="e", item_id="i"),
    ev.ConversationItemTruncated(event_id="e", item_id="i", content_index=0, audio_end_ms=10, item=ASSISTANT),
    ev.TranscriptionDelta(event_id="e", item_id="i", content_index=0, delta="a"),
    ev.TranscriptionCompleted(
        event_id="e", item_id="i", content_index=0, transcript="a", usage=ev.DurationUsage(seconds=1.5)
    ),
    ev.TranscriptionDelta(
        event_id="e",
        item_id="i",
        content_index=0,
        delta="a",
        logprobs=(ev.LogProb(token="a", logprob=-0.5, bytes=(97,)),),
    ),
    ev.TranscriptionCompleted(
        event_id="e",
        item_id="i",
        content_index=0,
        transcript="a",
        usage=ev.DurationUsage(seconds=0.0),
        logprobs=(),
    ),
    ev.TranscriptionFailed(
        event_id="e",
        item_id="i",
        content_index=0,
        error=ev.TranscriptionError(type="server_error", code="engine_error", message="m"),
    ),
    ev.InputAudioBufferCommitted(event_id="e", item_id="i", previous_item_id=None),
    ev.InputAudioBufferCleared(event_id="e"),
    ev.SpeechStarted(event_id="e", audio_start_ms=1, item_id="i"),
    ev.SpeechStopped(event_id="e", audio_end_ms=1, item_id="i"),
    ev.TimeoutTriggered(event_id="e", audio_start_ms=0, audio_end_ms=1, item_id="i"),
    ev.OutputAudioBufferStarted(event_id="e", response_id="r"),
    ev.OutputAudioBufferStopped(event_id="e", response_id="r"),
    ev.OutputAudioBufferCleared(event_id="e", response_id="r"),
    ev.ResponseCreated(event_id="e", response=response(metadata={"a": "b"}, conversation_id="conv_1")),
    *(
        ev.ResponseDone(
            event_id="e",
            response=response(status=status, status_details=details, output=(ASSISTANT, CALL), usage=ev.Usage()),
            parley_timeline=ev.ResponseTimeline(first_audio_ms=3),
        )
        for status, details in (
            ("completed", None),
            ("cancelled", ev.StatusDetails(type="cancelled", reason="turn_detected")),
            ("cancelled", ev.StatusDetails(type="cancelled", reason="client_cancelled")),
            ("incomplete", ev.StatusDetails(type="incomplete", reason="max_output_tokens")),
            (
                "failed",
                ev.StatusDetails(
                    type="failed", error=ev.ResponseError(type="server_error", code="engine_error", message="m")
                ),
            ),
        )
    ),
    ev.OutputItemAdded(event_id="e", response_id="r", output_index=0, item=ASSISTANT),
    ev.OutputItemDone(event_id="e", response_id="r", output_index=0, item=CALL),
    ev.ResponseContentPartAdded(**PART, part=ev.AudioPart()),
    ev.ResponseContentPartAdded(**PART, part=ev.TextPart()),
    ev.ResponseContentPartDone(**PART, part=ev.AudioPart(transcript="a")),
    ev.OutputTextDelta(**PART, delta="a"),
    ev.OutputTextDone(**PART, text="a"),
    ev.OutputAudioTranscriptDelta(**PART, delta="a"),
    ev.OutputAudioTranscriptDone(**PART, transcript="a"),
    ev.OutputAudioDelta(**PART, delta=b"ab", parley_spans=(TextSpan(0, 1, 0, 10),)),
    ev.OutputAudioDone(**PART),
    ev.FunctionCallArgumentsDelta(event_id="e", response_id="r", output_index=0, item_id="i", call_id="c", delta="{"),
    ev.FunctionCallArgumentsDone(
        event_id="e", response_id="r", output_index=0, item_id="i", call_id="c", name="f", arguments="{}"
    ),
    ev.RateLimitsUpdated(
        event_id="e", rate_limits=(ev.RateLimit(name="tokens", limit=1, remaining=1, reset_seconds=0),)
    ),
    *(
        made(event_id="e", item_id="i7")
        for made in (ev.McpListToolsInProgress, ev.McpListToolsCompleted, ev.McpListToolsFailed)
    ),
    ev.McpCallArgumentsDelta(event_id="e", response_id="r", item_id="i8", output_index=0, delta="{"),
    ev.McpCallArgumentsDone(event_id="e", response_id="r", item_id="i8", output_index=0, arguments="{}"),
    *(
        made(event_id="e", item_id="i8", output_index=0)
        for made in (ev.McpCallInProgress, ev.McpCallCompleted, ev.McpCallFailed)
    ),
]
