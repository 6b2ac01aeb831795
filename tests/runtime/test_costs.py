"""What usage costs, on its way to the client."""

from __future__ import annotations

from dataclasses import replace

import pytest
from runtime_kit import Client, supervised

from parley.engines.prices import Prices
from parley.protocol.realtime.resources import (
    CachedTokens,
    DurationUsage,
    InputTokenDetails,
    OutputTokenDetails,
    Usage,
)
from parley.runtime.costs import response_cost, transcription_cost
from parley.testing import engine_set

PRICES = Prices(input=1.0, cached=0.25, output=4.0, heard_minute=0.06, spoken_minute=0.6, currency="EUR")
USAGE = Usage(
    input_token_details=InputTokenDetails(
        text_tokens=1_000_000, cached_tokens=400_000, cached_tokens_details=CachedTokens(text_tokens=400_000)
    ),
    output_token_details=OutputTokenDetails(text_tokens=500_000, audio_tokens=1_200),
)


def test_a_response_is_text_by_the_token_and_speech_by_the_minute() -> None:
    cost = response_cost(USAGE, PRICES)
    assert cost.amount == pytest.approx(0.6 + 0.1 + 2.0 + 0.6)
    assert cost.currency == "EUR"
    assert response_cost(USAGE, Prices(spoken_minute=0.6)).amount == pytest.approx(0.6)


def test_a_transcript_is_by_the_minute() -> None:
    assert transcription_cost(DurationUsage(seconds=30), PRICES).amount == pytest.approx(0.03)


async def test_clients_see_what_a_response_cost() -> None:
    async with supervised(replace(engine_set(), prices=PRICES)) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("response.create")
        await client.until("response.done")
        cost = client.of("response.done")[0]["response"]["usage"]["parley_cost"]
        assert cost["currency"] == "EUR"
        assert cost["amount"] > 0


async def test_without_prices_there_is_no_cost() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        await client.send("response.create")
        await client.until("response.done")
        assert "parley_cost" not in client.of("response.done")[0]["response"]["usage"]
