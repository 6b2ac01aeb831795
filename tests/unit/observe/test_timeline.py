"""The timeline's arithmetic, on hand-made inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from parley.observe.timeline import Timeline
from parley.protocol.realtime.client_events import ResponseCreate
from parley.protocol.realtime.generation import AudioDelta, TextDelta, ToolCallDelta
from parley.protocol.realtime.ids import CallId, ConnectionId, EventId, ItemId, LaneId, ResponseId
from parley.protocol.realtime.inputs import ClientEventReceived, EngineChunk, Input, LaneAdvanced, Tick, TranscriptFinal
from parley.protocol.realtime.outputs import AbandonTranscription, AudioOut, Output, Send, SettleTranscription
from parley.protocol.realtime.server_events import (
    InputAudioBufferCommitted,
    OutputTextDelta,
    Response,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseCreated,
)
from parley.protocol.realtime.session_config import PcmFormat

ITEM, LANE, R = ItemId("item"), LaneId("0"), ResponseId("r")
ASKED = ClientEventReceived(ConnectionId("c"), ResponseCreate())


def heard(end: int) -> LaneAdvanced:
    return LaneAdvanced(LANE, end - 2400, 2400)


def committed(item_id: str = ITEM) -> Send:
    return Send(InputAudioBufferCommitted(event_id="e", item_id=item_id, previous_item_id=None))


def created(response_id: str = R, conversation: str | None = "conv") -> Send:
    audio = ResponseAudio(output=ResponseAudioOutput(format=PcmFormat(), voice="alloy"))
    response = Response(id=response_id, status="in_progress", conversation_id=conversation, audio=audio)
    return Send(ResponseCreated(event_id="e", response=response))


def spoken(response_id: ResponseId = R) -> AudioOut:
    return AudioOut(EventId("e"), response_id, ItemId("out"), 0, 0, b"")


def figures(steps: Sequence[tuple[int, Input, Sequence[Output]]], response_id: str = R) -> dict[str, int] | None:
    timeline = Timeline()
    for now, item, outputs in steps:
        timeline.observe(now, item, outputs)
    taken = timeline.take(response_id)
    assert timeline.take(response_id) is None
    return None if taken is None else msgspec.to_builtins(taken)


TURN: list[tuple[int, Input, Sequence[Output]]] = [
    (1000, heard(24_000), [SettleTranscription(ITEM, 24_000 - 1200)]),
    (1450, heard(36_000), [committed()]),
    (1500, TranscriptFinal(ITEM, "hi", 1.0), [created()]),
    (1600, EngineChunk(R, TextDelta("a")), []),
    (1700, EngineChunk(R, TextDelta("b")), []),
    (1800, EngineChunk(R, AudioDelta(b"")), [spoken()]),
    (1900, EngineChunk(R, AudioDelta(b"")), [spoken()]),
]


def test_a_spoken_turn_counts_from_where_the_voice_stopped() -> None:
    stopped_at = 1000 - 1200 // 24
    assert figures(TURN) == {
        "committed_ms": 1450 - stopped_at,
        "transcript_ms": 1500 - stopped_at,
        "first_token_ms": 1600 - stopped_at,
        "first_audio_ms": 1800 - stopped_at,
        "first_sent_ms": 1800 - stopped_at,
    }


def test_speech_that_resumed_counts_from_its_last_pause() -> None:
    resumed: list[tuple[int, Input, Sequence[Output]]] = [
        (200, heard(4_800), [SettleTranscription(ITEM, 4_800)]),
        *TURN,
    ]
    assert figures(resumed) == figures(TURN)


def test_an_asked_for_response_counts_from_its_creation() -> None:
    steps: list[tuple[int, Input, Sequence[Output]]] = [
        *TURN[:2],
        (5000, ASKED, [created()]),
        (5100, EngineChunk(R, ToolCallDelta(CallId("c"), "lamp", "{")), []),
    ]
    assert figures(steps) == {"first_token_ms": 100}


def test_a_written_answer_is_sent_with_its_first_delta() -> None:
    delta = OutputTextDelta(event_id="e", response_id=R, output_index=0, item_id="o", content_index=0, delta="a")
    steps: list[tuple[int, Input, Sequence[Output]]] = [
        (5000, ASKED, [created()]),
        (5100, EngineChunk(R, TextDelta("a")), [Send(delta)]),
        (5200, EngineChunk(R, TextDelta("b")), [Send(delta)]),
    ]
    assert figures(steps) == {"first_token_ms": 100, "first_sent_ms": 100}


def test_one_turn_is_answered_by_one_response() -> None:
    steps: list[tuple[int, Input, Sequence[Output]]] = [*TURN, (3000, Tick(), [created("second")])]
    assert figures(steps, "second") == {}


def test_an_out_of_band_response_takes_no_turn() -> None:
    aside = (1470, ASKED, [created("aside", None)])
    steps: list[tuple[int, Input, Sequence[Output]]] = [*TURN[:2], aside, *TURN[2:]]
    assert figures(steps) == figures(TURN)
    assert figures(steps, "aside") == {}


@pytest.mark.parametrize("response_id", ["nobody"])
def test_an_unknown_response_has_no_figures(response_id: str) -> None:
    assert figures(TURN, response_id) is None


def test_nothing_is_kept_of_abandoned_turns_and_only_a_few_of_the_others() -> None:
    timeline = Timeline()
    for number in range(1000):
        item_id = ItemId(f"i{number}")
        timeline.observe(number, heard(2400), [SettleTranscription(item_id, 0)])
        timeline.observe(number, heard(2400), [AbandonTranscription(item_id) if number % 2 else committed(item_id)])
    assert len(timeline._silent_since) == 0
    assert len(timeline._turns) <= 8
