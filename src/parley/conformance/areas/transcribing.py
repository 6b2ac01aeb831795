"""Sessions of transcription only: their shape, their turns, and that they never answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from parley.conformance.bench import Bench, silence
from parley.conformance.check import at, checks, expect, expect_equal
from parley.conformance.peer import Peer
from parley.conformance.speech import FOX, words

__all__ = ["CHECKS"]

_COMPLETED = "conversation.item.input_audio_transcription.completed"


@asynccontextmanager
async def _session(bench: Bench, **inputs: Any) -> AsyncIterator[Peer]:
    async with bench.open(bench.url(intent="transcription")) as peer:
        if inputs:
            await peer.send("session.update", session={"type": "transcription", "audio": {"input": inputs}})
            await peer.until("session.updated")
        yield peer


async def _shape(bench: Bench) -> None:
    """Show a session of transcription without anything that answers."""
    async with _session(bench) as peer:
        session = at(peer.log[0], "session")
        expect_equal(session.get("object"), "realtime.transcription_session", "object")
        for member in ("instructions", "tools", "output_modalities", "max_output_tokens"):
            expect(member not in session, f"it has {member}")
        expect("output" not in at(session, "audio"), "it has audio.output")


async def _quiet_turns(bench: Bench) -> None:
    """Show its turn detection without `create_response` and `interrupt_response`."""
    async with _session(bench) as peer:
        turns = at(peer.log[0], "session.audio.input.turn_detection") or {}
        expect(not {"create_response", "interrupt_response"} & set(turns), f"it says {turns}")


async def _not_asked(bench: Bench) -> None:
    """Show `transcription` null until it is configured."""
    async with _session(bench) as peer:
        expect_equal(at(peer.log[0], "session.audio.input.transcription"), None, "transcription")


async def _configured(bench: Bench) -> None:
    """Echo the transcription's model and language."""
    async with _session(bench, transcription={"model": "gpt-4o-transcribe", "language": "en"}) as peer:
        echoed = at(peer.of("session.updated")[0], "session.audio.input.transcription")
        expect_equal(echoed.get("model"), "gpt-4o-transcribe", "model")
        expect_equal(echoed.get("language"), "en", "language")


async def _no_type(bench: Bench) -> None:
    """Take an update without a type."""
    async with _session(bench) as peer:
        await peer.send("session.update", session={"audio": {"input": {"transcription": {"model": "whisper-1"}}}})
        expect_equal(at(await peer.until("session.updated"), "session.type"), "transcription", "type")


async def _stays(bench: Bench) -> None:
    """Refuse to become a conversation."""
    async with _session(bench) as peer:
        error = await peer.fault(await peer.send("session.update", session={"type": "realtime"}))
        expect_equal(error.get("param"), "session.type", "error.param")


async def _no_response(bench: Bench) -> None:
    """Refuse `response.create`."""
    async with _session(bench) as peer:
        await peer.fault(await peer.send("response.create"))


async def _commit_words(bench: Bench) -> None:
    """Transcribe what is committed by hand."""
    async with _session(bench, transcription={"model": "whisper-1"}, turn_detection=None) as peer:
        await peer.append(bench.speech(FOX))
        await peer.send("input_audio_buffer.commit")
        said = at(await peer.until(_COMPLETED), "transcript")
        expect(words(said) == words(FOX), f"it reads {said!r}")


async def _turn_words(bench: Bench) -> None:
    """Transcribe the turns that the voice makes, and answer none."""
    async with _session(bench, transcription={"model": "whisper-1"}) as peer:
        await peer.append(bench.speech(FOX))
        said = at(await peer.until(_COMPLETED), "transcript")
        expect(words(said) == words(FOX), f"it reads {said!r}")
        await peer.fence()
        expect(not peer.of("response.created"), "it answered")


async def _cycle(bench: Bench) -> None:
    """Tell a turn in the order committed, added, done, transcript."""
    async with _session(bench, transcription={"model": "whisper-1"}, turn_detection=None) as peer:
        await peer.append(bench.speech(FOX))
        await peer.send("input_audio_buffer.commit")
        await peer.until(_COMPLETED)
        kinds = [event["type"] for event in peer.log]
        order = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done", _COMPLETED]
        places = [kinds.index(kind) for kind in order if kind in kinds]
        expect(len(places) == len(order) and places == sorted(places), f"the order is {kinds}")


async def _no_limits(bench: Bench) -> None:
    """Send no `rate_limits.updated`."""
    async with _session(bench, turn_detection=None) as peer:
        await peer.append(silence(300))
        await peer.send("input_audio_buffer.commit")
        await peer.fence()
        expect(not peer.of("rate_limits.updated"), "rate limits came")


async def _secret(bench: Bench) -> None:
    """Open such a session by a secret that was minted for it."""
    minted = await bench.secret(session={"type": "transcription"})
    async with bench.open(bench.target.websocket_base, key=at(minted, "value")) as peer:
        expect_equal(at(peer.log[0], "session.type"), "transcription", "type")


CHECKS = (
    *checks(
        "transcription session",
        _shape,
        _quiet_turns,
        _not_asked,
        _configured,
        _no_type,
        _stays,
        _no_response,
        _no_limits,
        _secret,
    ),
    *checks("transcription session", _commit_words, _turn_words, _cycle, needs=("speech",)),
)
