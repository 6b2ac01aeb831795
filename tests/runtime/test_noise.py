"""`noise_reduction` through the runtime: a loud fan takes no turn, and what is kept of a turn is clean."""

from __future__ import annotations

import array
import base64
import random
from typing import Any

import pytest
from runtime_kit import Client, supervised, utterance
from spoken import silence

from parley.audio import RATE_HZ, AudioBlock, VoiceActivity
from parley.protocol.realtime.ids import LaneId
from parley.protocol.realtime.session_config import NoiseReduction
from parley.runtime.live_lane import LiveLane
from parley.testing import engine_set


def hiss(ms: int, level: int) -> bytes:
    chance = random.Random(1)
    return array.array("h", [round(chance.gauss(0, level)) for _ in range(RATE_HZ * ms // 1000)]).tobytes()


def noisy(pcm: bytes, level: int) -> bytes:
    samples, noise = array.array("h", pcm), array.array("h", hiss(len(pcm) // 48, level))
    return array.array("h", [max(-32768, min(32767, x + y)) for x, y in zip(samples, noise, strict=False)]).tobytes()


def power(pcm: bytes) -> float:
    samples = array.array("h", pcm)
    return sum(sample * sample for sample in samples) / len(samples)


@pytest.fixture(scope="module")
def speech() -> bytes:
    return noisy(silence(1000) + utterance() + silence(1500), 300)


async def first_of_turn(speech: bytes, reduction: Any) -> float:
    """Speak in noise; how loud the prefix of the turn is that the server keeps."""
    async with supervised(engine_set()) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"audio": {"input": {"noise_reduction": reduction}}})
        await client.speak(speech)
        await client.until("input_audio_buffer.committed")
        item_id = client.of("input_audio_buffer.committed")[0]["item_id"]
        await client.send("conversation.item.retrieve", item_id=item_id)
        item = (await client.until("conversation.item.retrieved"))["item"]
        return power(base64.b64decode(item["content"][0]["audio"])[:4800])


async def test_what_is_kept_of_a_turn_is_clean(speech: bytes) -> None:
    kinds = (None, {"type": "near_field"}, {"type": "far_field"})
    loud, near, far = [await first_of_turn(speech, kind) for kind in kinds]
    assert near < loud / 5
    assert far < near / 2


@pytest.mark.parametrize("gap", [False, True])
def test_a_calls_lane_is_cleaned_and_heard_again(gap: bool) -> None:
    lane, voice = LiveLane(LaneId("0")), VoiceActivity()
    line = hiss(3000, 600)
    for number in range(30):
        noise = line[number * 4800 : (number + 1) * 4800]
        block = AudioBlock("0", number * 2400, noise, tuple(voice.push(noise)), 0, gap)
        clean = lane.cleaned(block, NoiseReduction(type="far_field"))
        assert (clean.start_sample, clean.samples, clean.gap) == (block.start_sample, block.samples, gap)
    assert power(clean.pcm) < power(noise) / 20
    assert lane.cleaned(block, None) is block
