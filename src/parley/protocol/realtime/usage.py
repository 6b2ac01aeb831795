"""What a response cost, in the API's units.

Audio is counted by duration: a user's speech one token per 100 ms, the assistant's one per 50 ms, also where it comes
back as context (Realtime API, "Managing costs"). Text is counted by the engine, or estimated at four characters a
token. Every member is an integer, 0 where nothing is known.
"""

from __future__ import annotations

from parley.protocol.realtime.context import InputTally
from parley.protocol.realtime.generation import EngineUsage
from parley.protocol.realtime.server_events import CachedTokens, InputTokenDetails, OutputTokenDetails, Usage
from parley.protocol.realtime.tokens import TOKENS_PER_MESSAGE, estimated_tokens

__all__ = ["ASSISTANT_MS_PER_TOKEN", "USER_MS_PER_TOKEN", "response_usage"]

USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50


def response_usage(
    tally: InputTally, *, prompt_chars: int, engine: EngineUsage | None, output_chars: int, output_ms: int
) -> Usage:
    """Add up a response's usage.

    `prompt_chars`: instructions and tools. `output_chars`: text, transcript and arguments generated. `output_ms`: audio
    generated, heard or not.
    """
    engine = engine or EngineUsage()
    input_text = max(0, engine.input_text_tokens - tally.image_tokens) or (
        estimated_tokens(prompt_chars + tally.text_chars) + TOKENS_PER_MESSAGE * tally.messages
    )
    input_audio = -(-tally.user_audio_ms // USER_MS_PER_TOKEN) + -(-tally.assistant_audio_ms // ASSISTANT_MS_PER_TOKEN)
    output_text = engine.output_text_tokens or estimated_tokens(output_chars)
    output_audio = -(-output_ms // ASSISTANT_MS_PER_TOKEN)
    cached = min(engine.cached_text_tokens, input_text)
    return Usage(
        total_tokens=input_text + input_audio + tally.image_tokens + output_text + output_audio,
        input_tokens=input_text + input_audio + tally.image_tokens,
        output_tokens=output_text + output_audio,
        input_token_details=InputTokenDetails(
            text_tokens=input_text,
            audio_tokens=input_audio,
            image_tokens=tally.image_tokens,
            cached_tokens=cached,
            cached_tokens_details=CachedTokens(text_tokens=cached),
        ),
        output_token_details=OutputTokenDetails(text_tokens=output_text, audio_tokens=output_audio),
    )
