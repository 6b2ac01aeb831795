"""What usage costs: counts times the prices of the engines that did the work. Pure.

Neighbours: `performer` (writes it into usage on its way out), `parley.engines.prices` (where prices come from).
"""

from __future__ import annotations

import msgspec

from parley.engines.prices import Prices
from parley.protocol.realtime.resources import Cost, DurationUsage, Usage
from parley.protocol.realtime.server_events import ResponseDone, ServerEvent, TranscriptionCompleted
from parley.protocol.realtime.usage import ASSISTANT_MS_PER_TOKEN

__all__ = ["priced", "response_cost", "transcription_cost"]

_MILLION = 1_000_000
_MS_PER_MINUTE = 60_000


def priced(event: ServerEvent, prices: Prices) -> ServerEvent:
    """Write what it cost into an event that carries usage; give any other as it is."""
    match event:
        case ResponseDone(response=response) if response.usage is not None:
            usage = msgspec.structs.replace(response.usage, parley_cost=response_cost(response.usage, prices))
            return msgspec.structs.replace(event, response=msgspec.structs.replace(response, usage=usage))
        case TranscriptionCompleted(usage=DurationUsage() as heard):
            cost = transcription_cost(heard, prices)
            return msgspec.structs.replace(event, usage=msgspec.structs.replace(heard, parley_cost=cost))
        case _:
            return event


def response_cost(usage: Usage, prices: Prices) -> Cost:
    """Price a response: its text by the token, its speech by the minute generated, heard or not."""
    details = usage.input_token_details
    cached = details.cached_tokens_details.text_tokens
    minutes = usage.output_token_details.audio_tokens * ASSISTANT_MS_PER_TOKEN / _MS_PER_MINUTE
    amount = (
        (details.text_tokens - cached) * prices.input
        + cached * prices.cached
        + usage.output_token_details.text_tokens * prices.output
    ) / _MILLION + minutes * prices.spoken_minute
    return _cost(amount, prices)


def transcription_cost(usage: DurationUsage, prices: Prices) -> Cost:
    """Price a transcript by the audio that was read for it."""
    return _cost(usage.seconds / 60 * prices.heard_minute, prices)


def _cost(amount: float, prices: Prices) -> Cost:
    return Cost(amount=round(amount, 9), currency=prices.currency)
