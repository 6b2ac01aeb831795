"""Turns that the voice begins and ends: every parameter of both detectors, barge-in, idle time-out.

Speech is appended in bursts: a turn counts samples, not seconds, so that this takes no longer than the server needs.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from parley.conformance.areas.responses import LONG, SAY
from parley.conformance.bench import Bench
from parley.conformance.check import Check, Event, Work, at, checks, expect, expect_equal
from parley.conformance.peer import Peer
from parley.conformance.speech import FOX, HELLO, WAIT

__all__ = ["CHECKS"]

_STARTED, _STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
_COMMITTED = "input_audio_buffer.committed"


@asynccontextmanager
async def _listening(bench: Bench, kind: str = "server_vad", **turns: Any) -> AsyncIterator[Peer]:
    """Hold a conversation whose turns the voice makes; answers are written, so that they are quick."""
    async with bench.open() as peer:
        detection = {"type": kind, **turns}
        await peer.update(output_modalities=["text"], audio={"input": {"turn_detection": detection}})
        yield peer


async def _turn(peer: Peer, bench: Bench, text: str = HELLO, **around: int) -> tuple[Event, Event]:
    """Speak one turn; give its start and its end."""
    await peer.append(bench.speech(text, **around))
    return await peer.until(_STARTED), await peer.until(_STOPPED)


# --- one turn ---------------------------------------------------------------------------------------------------------


async def _sequence(bench: Bench) -> None:
    """Tell a turn in the order started, stopped, committed, added, done, response created."""
    async with _listening(bench) as peer:
        await peer.append(bench.speech(HELLO))
        await peer.until("response.done")
        kinds = [event["type"] for event in peer.log]
        order = (
            _STARTED,
            _STOPPED,
            _COMMITTED,
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        )
        missing = [kind for kind in order if kind not in kinds]
        expect(not missing, f"missing: {missing}")
        places = [kinds.index(kind) for kind in order]
        expect(places == sorted(places), f"the order is {[kinds[place] for place in sorted(places)]}")


async def _one_item(bench: Bench) -> None:
    """Name the same item in all events of a turn."""
    async with _listening(bench) as peer:
        started, stopped = await _turn(peer, bench)
        committed = await peer.until(_COMMITTED)
        done = await peer.until("conversation.item.done")
        ids = {started["item_id"], stopped["item_id"], committed["item_id"], at(done, "item.id")}
        expect(len(ids) == 1, f"the items are {ids}")


async def _integers(bench: Bench) -> None:
    """Give times in whole milliseconds."""
    async with _listening(bench) as peer:
        started, stopped = await _turn(peer, bench)
        expect(type(started["audio_start_ms"]) is int and type(stopped["audio_end_ms"]) is int, "they are not integers")


async def _start_time(bench: Bench) -> None:
    """Say when the voice began, shifted back by the prefix padding."""
    async with _listening(bench, prefix_padding_ms=300) as peer:
        started, _ = await _turn(peer, bench, before_ms=1_000)
        expect(500 <= started["audio_start_ms"] <= 1_100, f"audio_start_ms is {started['audio_start_ms']}")


async def _end_time(bench: Bench) -> None:
    """Say when the turn ended, the silence window included."""
    async with _listening(bench, silence_duration_ms=500) as peer:
        sound = len(bench.speech(HELLO, before_ms=0, after_ms=0)) // 48
        _, stopped = await _turn(peer, bench, before_ms=1_000, after_ms=2_000)
        wanted = 1_000 + sound + 500
        expect(abs(stopped["audio_end_ms"] - wanted) <= 600, f"audio_end_ms is {stopped['audio_end_ms']}, not {wanted}")


async def _no_start_below_zero(bench: Bench) -> None:
    """Give no start before the beginning of the sound."""
    async with _listening(bench, prefix_padding_ms=2_000) as peer:
        started, _ = await _turn(peer, bench, before_ms=100)
        expect(started["audio_start_ms"] >= 0, f"audio_start_ms is {started['audio_start_ms']}")


async def _offsets_go_on(bench: Bench) -> None:
    """Count all sound ever appended, over turns and clears."""
    async with _listening(bench, create_response=False) as peer:
        _, first = await _turn(peer, bench)
        await peer.send("input_audio_buffer.clear")
        await peer.until("input_audio_buffer.cleared")
        second, _ = await _turn(peer, bench)
        expect(second["audio_start_ms"] > first["audio_end_ms"], "the second turn begins before the first one's end")


async def _two_turns(bench: Bench) -> None:
    """Make two turns of two sentences with a pause between, chained to each other."""
    async with _listening(bench, create_response=False) as peer:
        await peer.append(bench.speech(HELLO, after_ms=1_500) + bench.speech(FOX))
        first, second = await peer.until(_COMMITTED), await peer.until(_COMMITTED)
        expect_equal(second.get("previous_item_id"), first["item_id"], "previous_item_id")


async def _one_turn_over_a_breath(bench: Bench) -> None:
    """Make one turn of two sentences whose pause is shorter than the silence window."""
    async with _listening(bench, create_response=False, silence_duration_ms=1_500) as peer:
        await peer.append(bench.speech(HELLO, after_ms=200) + bench.speech(FOX, before_ms=200, after_ms=3_000))
        await peer.until(_COMMITTED)
        await peer.fence()
        expect(len(peer.of(_COMMITTED)) == 1, "it made two turns")


async def _speech_dropped_silence(bench: Bench) -> None:
    """Keep the words and drop the silence before them."""
    async with _listening(bench, create_response=False) as peer:
        started, stopped = await _turn(peer, bench, before_ms=3_000)
        await peer.send("conversation.item.retrieve", item_id=started["item_id"])
        audio = at(await peer.until("conversation.item.retrieved"), "item.content.0.audio")
        kept = len(base64.b64decode(audio)) // 48
        length = stopped["audio_end_ms"] - started["audio_start_ms"]
        expect(kept <= length + 100, f"{kept} ms are kept of a turn of {length} ms")


# --- parameters -------------------------------------------------------------------------------------------------------


async def _prefix(bench: Bench) -> None:
    """Begin a turn earlier with a longer prefix."""
    starts = []
    for prefix in (0, 800):
        async with _listening(bench, prefix_padding_ms=prefix, create_response=False) as peer:
            starts.append((await _turn(peer, bench, before_ms=1_500))[0]["audio_start_ms"])
    expect(abs(starts[0] - starts[1] - 800) <= 60, f"the starts are {starts}")


async def _silence_window(bench: Bench) -> None:
    """End a turn later with a longer silence window."""
    ends = []
    for window in (300, 1_300):
        async with _listening(bench, silence_duration_ms=window, create_response=False) as peer:
            ends.append((await _turn(peer, bench, after_ms=3_000))[1]["audio_end_ms"])
    expect(abs(ends[1] - ends[0] - 1_000) <= 60, f"the ends are {ends}")


async def _threshold(bench: Bench) -> None:
    """Hear no voice at a threshold of 1 in what is one at 0.5."""
    quiet = _fainter(bench.speech(HELLO), 40)
    async with _listening(bench, threshold=1.0) as peer:
        await peer.append(quiet)
        await peer.quiet_about(_STARTED)


def _fainter(sound: bytes, times: int) -> bytes:
    samples = memoryview(sound).cast("h")
    return b"".join(int(sample / times).to_bytes(2, "little", signed=True) for sample in samples)


async def _no_create(bench: Bench) -> None:
    """Answer nothing with `create_response` false."""
    async with _listening(bench, create_response=False) as peer:
        await _turn(peer, bench)
        await peer.until("conversation.item.done")
        await peer.quiet_about("response.created")


async def _no_create_by_hand(bench: Bench) -> None:
    """Answer a turn when asked, with `create_response` false."""
    async with _listening(bench, create_response=False) as peer:
        await _turn(peer, bench)
        await peer.until(_COMMITTED)
        expect_equal(at((await peer.respond())[-1], "response.status"), "completed", "status")


async def _vad_off(bench: Bench) -> None:
    """Hear no turn with turn detection off."""
    async with bench.by_hand() as peer:
        await peer.append(bench.speech(HELLO))
        await peer.quiet()


async def _vad_switched_off(bench: Bench) -> None:
    """Hear no turn after turn detection was switched off."""
    async with _listening(bench) as peer:
        await _turn(peer, bench)
        await peer.until("response.done")
        await peer.update(audio={"input": {"turn_detection": None}})
        await peer.append(bench.speech(HELLO))
        await peer.quiet()


async def _vad_switched_on(bench: Bench) -> None:
    """Hear a turn after turn detection was switched on."""
    async with bench.by_hand() as peer:
        await peer.update(output_modalities=["text"], audio={"input": {"turn_detection": {"type": "server_vad"}}})
        await _turn(peer, bench)


async def _commit_while_speaking(bench: Bench) -> None:
    """Commit by hand in the middle of a turn, and keep the promised item."""
    async with _listening(bench) as peer:
        await peer.append(bench.speech(FOX, after_ms=0))
        started = await peer.until(_STARTED)
        await peer.send("input_audio_buffer.commit")
        expect_equal((await peer.until(_COMMITTED)).get("item_id"), started["item_id"], "item_id")


def _eagerness(how: str) -> Work:
    async def work(bench: Bench) -> None:
        async with _listening(bench, "semantic_vad", eagerness=how) as peer:
            _, stopped = await _turn(peer, bench, after_ms=9_000)
            limit = {"low": 8_000, "medium": 4_000, "high": 2_000, "auto": 4_000}[how]
            sound = len(bench.speech(HELLO, after_ms=0)) // 48
            waited = stopped["audio_end_ms"] - sound
            expect(waited <= limit + 500, f"the turn ended {waited} ms after the voice")
            await peer.until("response.done")

    work.__doc__ = f"End a turn of semantic_vad in time at the eagerness {how}."
    work.__name__ = f"semantic_{how}"
    return work


def _spoken_format(kind: str) -> Work:
    async def work(bench: Bench) -> None:
        async with _listening(bench) as peer:
            await peer.update(audio={"input": {"format": {"type": kind}, "turn_detection": {"type": "server_vad"}}})
            await peer.append(_coded(bench.speech(HELLO), kind), step=8_000)
            await peer.until(_STARTED)
            await peer.until("response.done")

    work.__doc__ = f"Hear a turn in {kind}."
    work.__name__ = kind.replace("/", "_")
    return work


def _coded(sound: bytes, kind: str) -> bytes:
    from parley.audio import G711Encoder

    encoder = G711Encoder("ulaw" if kind == "audio/pcmu" else "alaw")
    return encoder.push(sound) + encoder.flush()


# --- barge-in ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _telling(bench: Bench, **turns: Any) -> AsyncIterator[Peer]:
    """Hold a conversation in which a long answer has begun to sound."""
    async with bench.open() as peer:
        await peer.update(audio={"input": {"turn_detection": {"type": "server_vad", **turns}}})
        await peer.send("response.create", response={"instructions": f'{SAY[:-1]} {LONG} {LONG} {LONG}"'})
        await peer.until("response.output_audio.delta")
        yield peer


async def _interrupted(bench: Bench) -> None:
    """Cancel a response with `turn_detected` when the user speaks."""
    async with _telling(bench) as peer:
        await peer.append(bench.speech(WAIT))
        first = at(await peer.until("response.done"), "response")
        expect_equal(first.get("status"), "cancelled", "status")
        expect_equal(at(first, "status_details.reason"), "turn_detected", "reason")


async def _interrupted_after_start(bench: Bench) -> None:
    """Tell that the user speaks before the end of the response that it interrupts."""
    async with _telling(bench) as peer:
        await peer.append(bench.speech(WAIT))
        await peer.until("response.done")
        kinds = [event["type"] for event in peer.log]
        expect(_STARTED in kinds and kinds.index(_STARTED) < kinds.index("response.done"), "speech_started came later")


async def _answers_the_interruption(bench: Bench) -> None:
    """Answer what the user said in between."""
    async with _telling(bench) as peer:
        await peer.append(bench.speech(HELLO))
        await peer.until("response.done")
        expect_equal(at(await peer.until("response.done"), "response.status"), "completed", "status")


async def _truncates_after(bench: Bench) -> None:
    """Take the client's cut of the answer that was interrupted."""
    async with _telling(bench) as peer:
        item_id = peer.of("response.output_audio.delta")[0]["item_id"]
        await peer.append(bench.speech(WAIT))
        await peer.until(_STARTED)
        cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": 700}
        await peer.send("conversation.item.truncate", **cut)
        expect(at(await peer.until("conversation.item.truncated"), "audio_end_ms") <= 700, "it was cut later")


async def _not_interrupted(bench: Bench) -> None:
    """Let a response run on with `interrupt_response` false."""
    async with _telling(bench, interrupt_response=False, create_response=False) as peer:
        await peer.append(bench.speech(WAIT))
        await peer.until(_STOPPED)
        expect_equal(at(await peer.until("response.done"), "response.status"), "completed", "status")


async def _answers_afterwards(bench: Bench) -> None:
    """Answer after the running response, without an error, with `interrupt_response` false."""
    async with _telling(bench, interrupt_response=False) as peer:
        await peer.append(bench.speech(HELLO))
        for _ in range(2):
            expect_equal(at(await peer.until("response.done"), "response.status"), "completed", "status")


# --- idle time-out ----------------------------------------------------------------------------------------------------


async def _idle(bench: Bench) -> None:
    """Tell of the idle time-out after a response, commit the silence and respond to it."""
    async with _listening(bench, idle_timeout_ms=5_000) as peer:
        await peer.write("Hello!")
        await peer.respond()
        peer.wait_s += 10
        fired = await peer.until("input_audio_buffer.timeout_triggered")
        expect(fired["audio_end_ms"] >= fired["audio_start_ms"], "it ends before it begins")
        expect_equal((await peer.until(_COMMITTED)).get("item_id"), fired["item_id"], "item_id")
        await peer.until("response.created")
        await peer.until("response.done")


CHECKS: tuple[Check, ...] = (
    *checks(_STARTED, _sequence, _integers, _start_time, _no_start_below_zero, _offsets_go_on, needs=("speech",)),
    *checks(_STOPPED, _one_item, _end_time, needs=("speech",)),
    *checks(
        "turn_detection",
        _two_turns,
        _one_turn_over_a_breath,
        _speech_dropped_silence,
        _prefix,
        _silence_window,
        _threshold,
        _no_create,
        _no_create_by_hand,
        _vad_off,
        _vad_switched_off,
        _vad_switched_on,
        _commit_while_speaking,
        *map(_eagerness, ("low", "medium", "high", "auto")),
        *map(_spoken_format, ("audio/pcmu", "audio/pcma")),
        needs=("speech",),
    ),
    *checks(
        "barge-in",
        _interrupted,
        _interrupted_after_start,
        _answers_the_interruption,
        _truncates_after,
        _not_interrupted,
        _answers_afterwards,
        needs=("speech",),
    ),
    *checks("input_audio_buffer.timeout_triggered", _idle),
)
