"""The shape of every server event, in GA and in the retired beta, with what strict clients cannot read ruled out.

Written from the API's documents and from what the official clients' validators refuse, not from this server's types.
Data only. Neighbours: `shapes` (the language), `suite` (judges).
"""

from __future__ import annotations

from parley.conformance.shapes import (
    ANY,
    BOOL,
    BYTES,
    INT,
    NUM,
    STR,
    TEXT,
    Maybe,
    Shape,
    either,
    fixed,
    list_of,
    maybe,
    null,
    obj,
    tagged,
)

__all__ = ["BETA_EVENTS", "BETA_ONLY", "GA_EVENTS", "GA_ONLY"]

# --- parts and items --------------------------------------------------------------------------------------------------

_INPUT_PARTS: dict[str, Shape] = {
    "input_text": obj(text=TEXT),
    "input_audio": obj(transcript=null(TEXT), audio=maybe(BYTES)),
    "input_image": obj(image_url=STR, detail=maybe(fixed("auto", "low", "high"))),
}
_GA_PARTS = {
    **_INPUT_PARTS,
    "output_text": obj(text=TEXT),
    "output_audio": obj(transcript=TEXT, audio=maybe(BYTES)),
}
_BETA_PARTS = {**_INPUT_PARTS, "text": obj(text=TEXT), "audio": obj(transcript=TEXT, audio=maybe(BYTES))}
_STATUS = fixed("in_progress", "completed", "incomplete")


def _item(parts: dict[str, Shape]) -> Shape:
    common = {"id": STR, "object": fixed("realtime.item")}
    message = obj(
        **common, role=fixed("user", "assistant", "system"), status=_STATUS, content=list_of(tagged("type", parts))
    )
    return tagged(
        "type",
        {
            "message": message,
            "function_call": obj(**common, status=_STATUS, name=STR, call_id=STR, arguments=TEXT),
            "function_call_output": obj(**common, call_id=TEXT, output=TEXT),
            "mcp_list_tools": obj(id=STR, server_label=STR),
            "mcp_call": obj(id=STR, server_label=STR, name=STR, arguments=TEXT),
            "mcp_approval_request": obj(id=STR, server_label=STR, name=STR, arguments=TEXT),
            "mcp_approval_response": obj(id=STR, approval_request_id=STR, approve=BOOL),
        },
    )


_GA_ITEM, _BETA_ITEM = _item(_GA_PARTS), _item(_BETA_PARTS)

# --- the session ------------------------------------------------------------------------------------------------------

_FORMAT = tagged("type", {"audio/pcm": obj(rate=fixed(24_000)), "audio/pcmu": obj(), "audio/pcma": obj()})
_TRANSCRIPTION = obj(model=maybe(null(TEXT)), language=maybe(null(TEXT)), prompt=maybe(null(TEXT)))
_NOISE = obj(type=maybe(null(fixed("near_field", "far_field"))))
_SERVER_VAD = obj(
    threshold=NUM,
    prefix_padding_ms=INT,
    silence_duration_ms=INT,
    idle_timeout_ms=maybe(null(INT)),
    create_response=BOOL,
    interrupt_response=BOOL,
)
_SEMANTIC_VAD = obj(eagerness=fixed("low", "medium", "high", "auto"), create_response=BOOL, interrupt_response=BOOL)
_TURNS = tagged("type", {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD})
_QUIET_TURNS = tagged(
    "type",
    {
        "server_vad": obj(threshold=NUM, prefix_padding_ms=INT, silence_duration_ms=INT),
        "semantic_vad": obj(eagerness=maybe(STR)),
    },
)
_TOOL = tagged(
    "type",
    {"function": obj(name=STR, description=maybe(TEXT), parameters=maybe(null(ANY))), "mcp": obj(server_label=STR)},
)
_TOOL_CHOICE = either(fixed("auto", "none", "required"), obj(type=fixed("function", "mcp")))
_TOKENS = either(fixed("inf"), INT)

_REALTIME = obj(
    object=fixed("realtime.session"),
    id=STR,
    model=STR,
    output_modalities=list_of(fixed("audio", "text")),
    instructions=TEXT,
    tools=list_of(_TOOL),
    tool_choice=_TOOL_CHOICE,
    max_output_tokens=_TOKENS,
    tracing=null(ANY),
    prompt=null(ANY),
    truncation=ANY,
    include=null(list_of(STR)),
    expires_at=INT,
    audio=obj(
        input=obj(
            format=_FORMAT,
            transcription=null(_TRANSCRIPTION),
            noise_reduction=null(_NOISE),
            turn_detection=null(_TURNS),
        ),
        output=obj(format=_FORMAT, voice=STR, speed=NUM),
    ),
)
_TRANSCRIBING = obj(
    object=fixed("realtime.transcription_session"),
    id=STR,
    expires_at=INT,
    audio=obj(
        input=obj(
            format=_FORMAT,
            transcription=null(_TRANSCRIPTION),
            noise_reduction=null(_NOISE),
            turn_detection=null(_QUIET_TURNS),
        )
    ),
)
_GA_SESSION = tagged("type", {"realtime": _REALTIME, "transcription": _TRANSCRIBING})
_BETA_FORMAT = fixed("pcm16", "g711_ulaw", "g711_alaw")
_BETA_SESSION = obj(
    id=STR,
    object=fixed("realtime.session"),
    model=STR,
    modalities=list_of(fixed("audio", "text")),
    instructions=TEXT,
    voice=STR,
    input_audio_format=_BETA_FORMAT,
    output_audio_format=_BETA_FORMAT,
    input_audio_transcription=null(_TRANSCRIPTION),
    turn_detection=null(_TURNS),
    tools=list_of(_TOOL),
    tool_choice=_TOOL_CHOICE,
    temperature=NUM,
    max_response_output_tokens=_TOKENS,
)
_BETA_TRANSCRIBING = obj(
    id=STR,
    object=fixed("realtime.transcription_session"),
    input_audio_format=_BETA_FORMAT,
    input_audio_transcription=null(_TRANSCRIPTION),
    turn_detection=null(_QUIET_TURNS),
)

# --- responses --------------------------------------------------------------------------------------------------------

_USAGE = obj(
    total_tokens=INT,
    input_tokens=INT,
    output_tokens=INT,
    input_token_details=obj(
        text_tokens=INT,
        audio_tokens=INT,
        image_tokens=maybe(INT),
        cached_tokens=INT,
        cached_tokens_details=maybe(obj(text_tokens=INT, audio_tokens=INT)),
    ),
    output_token_details=obj(text_tokens=INT, audio_tokens=INT),
)
_DETAILS = tagged(
    "type",
    {
        "cancelled": obj(reason=fixed("turn_detected", "client_cancelled")),
        "incomplete": obj(reason=fixed("max_output_tokens", "content_filter")),
        "failed": obj(error=obj(type=STR, code=STR)),
    },
)
_RESPONSE_COMMON: dict[str, Shape | Maybe] = {
    "object": fixed("realtime.response"),
    "id": STR,
    "status": fixed("in_progress", "completed", "cancelled", "incomplete", "failed"),
    "status_details": null(_DETAILS),
    "conversation_id": null(STR),
    "usage": null(_USAGE),
    "metadata": null(ANY),
    "max_output_tokens": maybe(_TOKENS),
}
_GA_RESPONSE = obj(
    **_RESPONSE_COMMON,
    output=list_of(_GA_ITEM),
    output_modalities=list_of(fixed("audio", "text")),
    audio=obj(output=obj(format=_FORMAT, voice=STR)),
)
_BETA_RESPONSE = obj(
    **_RESPONSE_COMMON,
    output=list_of(_BETA_ITEM),
    modalities=list_of(fixed("audio", "text")),
    voice=STR,
    output_audio_format=_BETA_FORMAT,
)
_PART = tagged("type", {"audio": obj(transcript=maybe(TEXT)), "text": obj(text=TEXT)})
_OF_RESPONSE = {"response_id": STR, "output_index": INT}
_OF_ITEM = {**_OF_RESPONSE, "item_id": STR}
_OF_PART = {**_OF_ITEM, "content_index": INT}
_OF_INPUT = {"item_id": STR, "content_index": INT}
_TRANSCRIPTION_USAGE = tagged(
    "type",
    {
        "duration": obj(seconds=NUM),
        "tokens": obj(
            total_tokens=INT,
            input_tokens=INT,
            output_tokens=INT,
            input_token_details=obj(text_tokens=INT, audio_tokens=INT),
        ),
    },
)

# --- events -----------------------------------------------------------------------------------------------------------

_SHARED: dict[str, Shape] = {
    "error": obj(error=obj(type=STR, message=STR, code=null(STR), param=null(STR), event_id=null(TEXT))),
    "conversation.created": obj(conversation=obj(id=STR, object=fixed("realtime.conversation"))),
    "conversation.item.deleted": obj(item_id=STR),
    "conversation.item.truncated": obj(**_OF_INPUT, audio_end_ms=INT),
    "conversation.item.input_audio_transcription.delta": obj(**_OF_INPUT, delta=TEXT),
    "conversation.item.input_audio_transcription.completed": obj(
        **_OF_INPUT, transcript=TEXT, usage=_TRANSCRIPTION_USAGE
    ),
    "conversation.item.input_audio_transcription.failed": obj(
        **_OF_INPUT, error=obj(type=STR, code=STR, message=STR, param=maybe(STR))
    ),
    "input_audio_buffer.committed": obj(item_id=STR, previous_item_id=null(STR)),
    "input_audio_buffer.cleared": obj(),
    "input_audio_buffer.speech_started": obj(audio_start_ms=INT, item_id=STR),
    "input_audio_buffer.speech_stopped": obj(audio_end_ms=INT, item_id=STR),
    "output_audio_buffer.started": obj(response_id=STR),
    "output_audio_buffer.stopped": obj(response_id=STR),
    "output_audio_buffer.cleared": obj(response_id=STR),
    "response.content_part.added": obj(**_OF_PART, part=_PART),
    "response.content_part.done": obj(**_OF_PART, part=_PART),
    "response.function_call_arguments.delta": obj(**_OF_ITEM, call_id=STR, delta=TEXT),
    "response.function_call_arguments.done": obj(**_OF_ITEM, call_id=STR, name=STR, arguments=TEXT),
    "rate_limits.updated": obj(
        rate_limits=list_of(obj(name=fixed("requests", "tokens"), limit=INT, remaining=INT, reset_seconds=NUM))
    ),
}
_STREAMS: dict[str, Shape] = {
    "text.delta": obj(**_OF_PART, delta=TEXT),
    "text.done": obj(**_OF_PART, text=TEXT),
    "audio_transcript.delta": obj(**_OF_PART, delta=TEXT),
    "audio_transcript.done": obj(**_OF_PART, transcript=TEXT),
    "audio.delta": obj(**_OF_PART, delta=BYTES),
    "audio.done": obj(**_OF_PART),
}
GA_EVENTS: dict[str, Shape] = {
    **_SHARED,
    **{f"response.output_{name}": shape for name, shape in _STREAMS.items()},
    "session.created": obj(session=_GA_SESSION),
    "session.updated": obj(session=_GA_SESSION),
    "conversation.item.added": obj(previous_item_id=null(STR), item=_GA_ITEM),
    "conversation.item.done": obj(previous_item_id=null(STR), item=_GA_ITEM),
    "conversation.item.retrieved": obj(item=_GA_ITEM),
    "input_audio_buffer.timeout_triggered": obj(audio_start_ms=INT, audio_end_ms=INT, item_id=STR),
    "response.created": obj(response=_GA_RESPONSE),
    "response.done": obj(response=_GA_RESPONSE),
    "response.output_item.added": obj(**_OF_RESPONSE, item=_GA_ITEM),
    "response.output_item.done": obj(**_OF_RESPONSE, item=_GA_ITEM),
    "mcp_list_tools.in_progress": obj(item_id=STR),
    "mcp_list_tools.completed": obj(item_id=STR),
    "mcp_list_tools.failed": obj(item_id=STR),
    "response.mcp_call_arguments.delta": obj(**_OF_ITEM, delta=TEXT, obfuscation=TEXT),
    "response.mcp_call_arguments.done": obj(**_OF_ITEM, arguments=TEXT),
    "response.mcp_call.in_progress": obj(output_index=INT, item_id=STR),
    "response.mcp_call.completed": obj(output_index=INT, item_id=STR),
    "response.mcp_call.failed": obj(output_index=INT, item_id=STR),
}
"""Every event a GA server may send over a WebSocket or a data channel."""

BETA_EVENTS: dict[str, Shape] = {
    **_SHARED,
    **{f"response.{name}": shape for name, shape in _STREAMS.items()},
    "session.created": obj(session=_BETA_SESSION),
    "session.updated": obj(session=_BETA_SESSION),
    "transcription_session.created": obj(session=_BETA_TRANSCRIBING),
    "transcription_session.updated": obj(session=_BETA_TRANSCRIBING),
    "conversation.item.created": obj(previous_item_id=null(STR), item=_BETA_ITEM),
    "conversation.item.retrieved": obj(item=_BETA_ITEM),
    "response.created": obj(response=_BETA_RESPONSE),
    "response.done": obj(response=_BETA_RESPONSE),
    "response.output_item.added": obj(**_OF_RESPONSE, item=_BETA_ITEM),
    "response.output_item.done": obj(**_OF_RESPONSE, item=_BETA_ITEM),
}
"""Every event a server of the retired beta may send."""

GA_ONLY = frozenset(GA_EVENTS) - frozenset(BETA_EVENTS)
BETA_ONLY = frozenset(BETA_EVENTS) - frozenset(GA_EVENTS)
