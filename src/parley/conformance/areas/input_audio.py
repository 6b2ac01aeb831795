"""The input buffer by hand: append, commit, clear, in every format; and truncation of what was said aloud."""

from __future__ import annotations

import base64
from typing import Any

from parley.conformance.areas.responses import SAY
from parley.conformance.bench import Bench, silence
from parley.conformance.check import Event, at, checks, expect, expect_equal
from parley.conformance.peer import Peer, of
from parley.conformance.speech import FOX, HELLO, words

__all__ = ["CHECKS"]


async def _commit(peer: Peer) -> Event:
    """Commit, and give the item that came of it."""
    await peer.send("input_audio_buffer.commit")
    committed = await peer.until("input_audio_buffer.committed")
    done = await peer.until("conversation.item.done")
    expect_equal(at(done, "item.id"), at(committed, "item_id"), "item.id")
    item: Event = at(done, "item")
    return item


# --- append and clear -------------------------------------------------------------------------------------------------


async def _no_answer(bench: Bench) -> None:
    """Answer an append with nothing."""
    async with bench.by_hand() as peer:
        await peer.append(silence(300))
        await peer.quiet()


async def _silent_vad(bench: Bench) -> None:
    """Say nothing about silence while turn detection listens."""
    async with bench.open() as peer:
        await peer.fence()
        await peer.append(silence(2_000))
        await peer.quiet()


async def _empty_append(bench: Bench) -> None:
    """Take an append without a byte."""
    async with bench.by_hand() as peer:
        await peer.send("input_audio_buffer.append", audio="")
        await peer.quiet()


async def _odd_bytes(bench: Bench) -> None:
    """Carry a trailing odd byte over to the next append."""
    async with bench.by_hand() as peer:
        for size in (4_801, 4_799):
            await peer.send("input_audio_buffer.append", audio=base64.b64encode(bytes(size)).decode())
        await _commit(peer)


async def _tiny_appends(bench: Bench) -> None:
    """Put 300 appends of one millisecond together."""
    async with bench.by_hand() as peer:
        await peer.append(silence(300), step=48)
        await _commit(peer)


async def _clear(bench: Bench) -> None:
    """Clear the buffer and say so."""
    async with bench.by_hand() as peer:
        await peer.append(silence(300))
        await peer.send("input_audio_buffer.clear")
        await peer.until("input_audio_buffer.cleared")
        error = await peer.fault(await peer.send("input_audio_buffer.commit"))
        expect_equal(error.get("code"), "input_audio_buffer_commit_empty", "error.code")


async def _clear_empty(bench: Bench) -> None:
    """Clear an empty buffer."""
    async with bench.by_hand() as peer:
        await peer.send("input_audio_buffer.clear")
        await peer.until("input_audio_buffer.cleared")


async def _output_clear(bench: Bench) -> None:
    """Survive `output_audio_buffer.clear` where the client plays."""
    async with bench.by_hand() as peer:
        await peer.send("output_audio_buffer.clear")
        came = await peer.fence()
        expect(all(event["type"] in {"error", "output_audio_buffer.cleared"} for event in came), "something else came")


# --- commit -----------------------------------------------------------------------------------------------------------


async def _committed(bench: Bench) -> None:
    """Commit in the order committed, added, done."""
    async with bench.by_hand() as peer:
        await peer.append(silence(300))
        start = len(peer.log)
        await _commit(peer)
        order = [event["type"] for event in peer.log[start:] if event["type"] != "conversation.created"]
        wanted = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
        expect(order == wanted, f"the order is {order}")


async def _committed_item(bench: Bench) -> None:
    """Make a user's message of the buffer: `input_audio`, transcript null, completed."""
    async with bench.by_hand() as peer:
        await peer.append(silence(300))
        item = await _commit(peer)
        for path, value in (
            ("type", "message"),
            ("role", "user"),
            ("status", "completed"),
            ("content.0.type", "input_audio"),
            ("content.0.transcript", None),
        ):
            expect_equal(at(item, path), value, path)


async def _committed_chain(bench: Bench) -> None:
    """Chain commits by `previous_item_id`, null for the first."""
    async with bench.by_hand() as peer:
        previous = None
        for _ in range(3):
            await peer.append(silence(200))
            item = await _commit(peer)
            expect_equal(at(peer.of("input_audio_buffer.committed")[-1], "previous_item_id"), previous, "previous")
            previous = item["id"]


async def _no_response(bench: Bench) -> None:
    """Begin no response for a commit."""
    async with bench.by_hand() as peer:
        await peer.append(silence(300))
        await _commit(peer)
        await peer.quiet()


async def _too_short(bench: Bench) -> None:
    """Refuse a commit of less than 100 ms, and say how much there is."""
    async with bench.by_hand() as peer:
        await peer.append(silence(60))
        error = await peer.fault(await peer.send("input_audio_buffer.commit"))
        expect_equal(error.get("code"), "input_audio_buffer_commit_empty", "error.code")
        expect("60" in str(error.get("message")), f"it says {error.get('message')!r}")


async def _just_enough(bench: Bench) -> None:
    """Take a commit of exactly 100 ms."""
    async with bench.by_hand() as peer:
        await peer.append(silence(100))
        await _commit(peer)


async def _empty_after_commit(bench: Bench) -> None:
    """Begin an empty buffer after a commit."""
    async with bench.by_hand() as peer:
        await peer.append(silence(300))
        await _commit(peer)
        error = await peer.fault(await peer.send("input_audio_buffer.commit"))
        expect_equal(error.get("code"), "input_audio_buffer_commit_empty", "error.code")


async def _vad_commit_empty(bench: Bench) -> None:
    """Refuse a commit of silence that turn detection has dropped."""
    async with bench.open() as peer:
        error = await peer.fault(await peer.send("input_audio_buffer.commit"))
        expect_equal(error.get("code"), "input_audio_buffer_commit_empty", "error.code")


def _g711(kind: str, quiet: bytes) -> Any:
    async def work(bench: Bench) -> None:
        async with bench.by_hand(format={"type": kind}) as peer:
            await peer.append(quiet * 799)
            error = await peer.fault(await peer.send("input_audio_buffer.commit"))
            expect_equal(error.get("code"), "input_audio_buffer_commit_empty", "error.code at 99.9 ms")
            await peer.append(quiet)
            await _commit(peer)

    work.__doc__ = f"Count eight bytes of {kind} as a millisecond."
    work.__name__ = kind.replace("/", "_")
    return work


async def _audio_back(bench: Bench) -> None:
    """Give back exactly what was committed."""
    sound = bytes(range(0, 240, 2)) * 80
    async with bench.by_hand() as peer:
        await peer.append(sound)
        item = await _commit(peer)
        await peer.send("conversation.item.retrieve", item_id=item["id"])
        back = base64.b64decode(at(await peer.until("conversation.item.retrieved"), "item.content.0.audio"))
        expect(back == sound, f"{len(back)} bytes came back of {len(sound)}")


async def _commit_and_answer(bench: Bench) -> None:
    """Answer a question that was spoken, committed and asked about by hand."""
    async with bench.by_hand() as peer:
        await peer.append(bench.speech(HELLO))
        await peer.send("input_audio_buffer.commit")
        await peer.send("response.create")
        done = at(await peer.until("response.done"), "response")
        expect_equal(done.get("status"), "completed", "status")
        expect(at(done, "output.0.content.0.transcript"), "the answer is empty")


# --- transcription ----------------------------------------------------------------------------------------------------


async def _transcribed(bench: Bench, **transcription: Any) -> tuple[Peer, Event]:
    async with bench.by_hand(transcription={"model": "whisper-1", **transcription}) as peer:
        await peer.append(bench.speech(FOX))
        await peer.send("input_audio_buffer.commit")
        completed = await peer.until("conversation.item.input_audio_transcription.completed")
        return peer, completed


async def _transcript(bench: Bench) -> None:
    """Transcribe what was committed."""
    _, completed = await _transcribed(bench)
    expect(words(at(completed, "transcript")) == words(FOX), f"it reads {completed['transcript']!r}")


async def _transcript_deltas(bench: Bench) -> None:
    """Send the transcript in deltas that add up, for the same item."""
    peer, completed = await _transcribed(bench)
    deltas = peer.of("conversation.item.input_audio_transcription.delta")
    text = "".join(event["delta"] for event in deltas)
    expect(deltas and text.strip() == at(completed, "transcript").strip(), f"the deltas say {text!r}")
    expect({event["item_id"] for event in deltas} == {completed["item_id"]}, "they name another item")


async def _transcript_item(bench: Bench) -> None:
    """Name the committed item in the transcript, `content_index` 0."""
    peer, completed = await _transcribed(bench)
    expect_equal(completed["item_id"], at(peer.of("input_audio_buffer.committed")[0], "item_id"), "item_id")
    expect_equal(completed.get("content_index"), 0, "content_index")


async def _transcript_usage(bench: Bench) -> None:
    """Count the seconds, or the tokens, of a transcription."""
    _, completed = await _transcribed(bench)
    usage = at(completed, "usage")
    expect(usage.get("type") in {"duration", "tokens"}, f"usage is {usage}")
    if usage["type"] == "duration":
        expect(2 <= usage["seconds"] <= 8, f"{usage['seconds']} s were counted")


async def _transcript_kept(bench: Bench) -> None:
    """Keep the transcript with the item."""
    async with bench.by_hand(transcription={"model": "whisper-1"}) as peer:
        await peer.append(bench.speech(FOX))
        await peer.send("input_audio_buffer.commit")
        completed = await peer.until("conversation.item.input_audio_transcription.completed")
        await peer.send("conversation.item.retrieve", item_id=completed["item_id"])
        kept = at(await peer.until("conversation.item.retrieved"), "item.content.0.transcript")
        expect_equal(kept, completed["transcript"], "transcript")


async def _no_transcript(bench: Bench) -> None:
    """Send no transcript where none is asked for."""
    async with bench.by_hand() as peer:
        await peer.append(bench.speech(HELLO))
        await _commit(peer)
        await peer.respond()
        expect(not [event for event in peer.log if "transcription" in event["type"]], "a transcript came")


# --- truncation -------------------------------------------------------------------------------------------------------


async def _said(peer: Peer) -> tuple[str, int]:
    """Speak the long answer; give its item and how many ms it lasts."""
    events = await peer.respond(instructions=SAY)
    sound = b"".join(base64.b64decode(event["delta"]) for event in of(events, "response.output_audio.delta"))
    return at(events[-1], "response.output.0.id"), len(sound) // 48


async def _cut(peer: Peer, item_id: str, ms: Any) -> Event:
    await peer.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=ms)
    return await peer.until("conversation.item.truncated")


async def _left(peer: Peer, item_id: str) -> Event:
    await peer.send("conversation.item.retrieve", item_id=item_id)
    part: Event = at(await peer.until("conversation.item.retrieved"), "item.content.0")
    return part


async def _truncated(bench: Bench) -> None:
    """Cut an answer and say where."""
    async with bench.by_hand() as peer:
        item_id, _ = await _said(peer)
        cut = await _cut(peer, item_id, 1_000)
        for member, value in (("item_id", item_id), ("content_index", 0), ("audio_end_ms", 1_000)):
            expect_equal(cut.get(member), value, member)


async def _truncated_audio(bench: Bench) -> None:
    """Keep only the sound that was heard."""
    async with bench.by_hand() as peer:
        item_id, _ = await _said(peer)
        await _cut(peer, item_id, 1_000)
        kept = base64.b64decode((await _left(peer, item_id)).get("audio") or "")
        expect(len(kept) <= 48 * 1_001, f"{len(kept) // 48} ms are left")


async def _truncated_words(bench: Bench) -> None:
    """Drop the words that were not heard."""
    async with bench.by_hand() as peer:
        item_id, _ = await _said(peer)
        await _cut(peer, item_id, 1_000)
        left = str((await _left(peer, item_id)).get("transcript") or "")
        expect("fifteen" not in left.lower(), f"it still says {left!r}")


async def _truncated_to_nothing(bench: Bench) -> None:
    """Take 0 ms as nothing heard."""
    async with bench.by_hand() as peer:
        item_id, _ = await _said(peer)
        expect_equal((await _cut(peer, item_id, 0)).get("audio_end_ms"), 0, "audio_end_ms")
        expect(not (await _left(peer, item_id)).get("transcript"), "words are left")


async def _truncated_beyond(bench: Bench) -> None:
    """Clamp a cut beyond the end: clients round, and an error ends some of them."""
    async with bench.by_hand() as peer:
        item_id, ms = await _said(peer)
        at_ms = at(await _cut(peer, item_id, ms + 5_000), "audio_end_ms")
        expect(abs(at_ms - ms) <= 50, f"it was cut at {at_ms} of {ms} ms")


async def _truncated_twice(bench: Bench) -> None:
    """Cut further, never longer."""
    async with bench.by_hand() as peer:
        item_id, _ = await _said(peer)
        await _cut(peer, item_id, 2_000)
        expect_equal((await _cut(peer, item_id, 1_000)).get("audio_end_ms"), 1_000, "audio_end_ms")
        expect(at(await _cut(peer, item_id, 3_000), "audio_end_ms") <= 1_000, "it grew again")


async def _truncated_fraction(bench: Bench) -> None:
    """Take a fraction of a millisecond, and answer with a whole number."""
    async with bench.by_hand() as peer:
        item_id, _ = await _said(peer)
        expect(isinstance((await _cut(peer, item_id, 999.6)).get("audio_end_ms"), int), "audio_end_ms is no integer")


async def _truncated_early(bench: Bench) -> None:
    """Cut an answer that is still being made."""
    async with bench.by_hand() as peer:
        await peer.send("response.create", response={"instructions": SAY})
        delta = await peer.until("response.output_audio.delta")
        await _cut(peer, delta["item_id"], 100)


async def _truncated_cancelled(bench: Bench) -> None:
    """Cut an answer that was just cancelled."""
    async with bench.by_hand() as peer:
        await peer.send("response.create", response={"instructions": SAY})
        delta = await peer.until("response.output_audio.delta")
        await peer.send("response.cancel")
        await _cut(peer, delta["item_id"], 100)


async def _truncate_user(bench: Bench) -> None:
    """Refuse to cut a user's item, in the vendor's words."""
    async with bench.by_hand() as peer:
        item = await peer.write("Hi")
        sent = {"item_id": item["id"], "content_index": 0, "audio_end_ms": 0}
        error = await peer.fault(await peer.send("conversation.item.truncate", **sent))
        expect("Only model output audio messages can be truncated" in str(error.get("message")), "in other words")


async def _truncate_part(bench: Bench) -> None:
    """Refuse a `content_index` that is not there."""
    async with bench.by_hand() as peer:
        item_id, _ = await _said(peer)
        sent = {"item_id": item_id, "content_index": 3, "audio_end_ms": 0}
        error = await peer.fault(await peer.send("conversation.item.truncate", **sent))
        expect_equal(error.get("param"), "content_index", "error.param")


CHECKS = (
    *checks("input_audio_buffer.append", _no_answer, _silent_vad, _empty_append, _odd_bytes, _tiny_appends),
    *checks("input_audio_buffer.append", _g711("audio/pcmu", b"\xff"), _g711("audio/pcma", b"\xd5")),
    *checks("input_audio_buffer.clear", _clear, _clear_empty),
    *checks("output_audio_buffer.clear", _output_clear),
    *checks(
        "input_audio_buffer.commit", _no_response, _too_short, _just_enough, _empty_after_commit, _vad_commit_empty
    ),
    *checks("input_audio_buffer.committed", _committed, _committed_item, _committed_chain, _audio_back),
    *checks("input_audio_buffer.commit", _commit_and_answer, needs=("speech",)),
    *checks(
        "conversation.item.input_audio_transcription",
        _transcript,
        _transcript_deltas,
        _transcript_item,
        _transcript_usage,
        _transcript_kept,
        _no_transcript,
        needs=("speech",),
    ),
    *checks(
        "conversation.item.truncate",
        _truncated,
        _truncated_audio,
        _truncated_words,
        _truncated_to_nothing,
        _truncated_beyond,
        _truncated_twice,
        _truncated_fraction,
        _truncated_early,
        _truncated_cancelled,
        _truncate_user,
        _truncate_part,
    ),
)
