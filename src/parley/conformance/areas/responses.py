"""Responses: written and spoken, what their events say, what one may change, out of band, cancelled, cut off."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from parley.conformance.bench import Bench
from parley.conformance.check import CheckFailed, Event, at, checks, expect, expect_equal
from parley.conformance.peer import Peer, of

__all__ = ["CHECKS", "LONG", "SAY"]

LONG = "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen."
SAY = f'Say exactly: "{LONG}"'

_TEXT_ORDER = (
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
)
_AUDIO_ORDER = (
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
)


async def _answered(bench: Bench, question: str = "Hello!", **response: Any) -> list[Event]:
    """Give the events of a written answer."""
    async with bench.writing() as peer:
        await peer.write(question)
        return await peer.respond(**response)


async def _spoken(bench: Bench, output_format: str | None = None, **response: Any) -> list[Event]:
    """Give the events of a spoken answer."""
    async with bench.by_hand(output_format) as peer:
        await peer.write("Hello!")
        return await peer.respond(**response)


def _final(events: list[Event]) -> Event:
    response: Event = at(events[-1], "response")
    return response


def _sound(events: list[Event]) -> bytes:
    return b"".join(base64.b64decode(event["delta"]) for event in of(events, "response.output_audio.delta"))


def _in_order(events: list[Event], order: tuple[str, ...]) -> None:
    """Fail unless the first events of these types come in this order."""
    kinds = [event["type"] for event in events]
    missing = [kind for kind in order if kind not in kinds]
    expect(not missing, f"missing: {', '.join(missing)}")
    firsts = [kinds.index(kind) for kind in order]
    expect(firsts == sorted(firsts), f"the order is {', '.join(dict.fromkeys(kinds))}")


# --- events -----------------------------------------------------------------------------------------------------------


async def _text_sequence(bench: Bench) -> None:
    """Send the events of a written answer in the API's order."""
    _in_order(await _answered(bench), _TEXT_ORDER)


async def _audio_sequence(bench: Bench) -> None:
    """Send the events of a spoken answer in the API's order."""
    _in_order(await _spoken(bench), _AUDIO_ORDER)


async def _item_events(bench: Bench) -> None:
    """Put `conversation.item.added` after `output_item.added`, and `item.done` before `output_item.done`."""
    async with bench.writing() as peer:
        await peer.write("Hello!")
        start = len(peer.log)
        await peer.respond()
        order = (
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "conversation.item.done",
            "response.output_item.done",
        )
        _in_order(peer.log[start:], order)


async def _text_alone(bench: Bench) -> None:
    """Send no sound with a written answer."""
    kinds = {event["type"] for event in await _answered(bench)}
    expect(not [kind for kind in kinds if "audio" in kind], "audio events came")


async def _sound_alone(bench: Bench) -> None:
    """Send no `output_text` with a spoken answer."""
    kinds = {event["type"] for event in await _spoken(bench)}
    expect(not [kind for kind in kinds if "output_text" in kind], "text events came")


async def _text_adds_up(bench: Bench) -> None:
    """Say the same in the deltas, their `done`, the part, the item and the response."""
    events = await _answered(bench)
    text = "".join(event["delta"] for event in of(events, "response.output_text.delta"))
    expect(text, "the answer is empty")
    for event, path in (
        (of(events, "response.output_text.done")[0], "text"),
        (of(events, "response.content_part.done")[0], "part.text"),
        (of(events, "response.output_item.done")[0], "item.content.0.text"),
        (events[-1], "response.output.0.content.0.text"),
    ):
        expect_equal(at(event, path), text, path)


async def _transcript_adds_up(bench: Bench) -> None:
    """Say the same in the transcript's deltas, their `done`, the part, the item and the response."""
    events = await _spoken(bench)
    text = "".join(event["delta"] for event in of(events, "response.output_audio_transcript.delta"))
    expect(text, "the answer is empty")
    for event, path in (
        (of(events, "response.output_audio_transcript.done")[0], "transcript"),
        (of(events, "response.content_part.done")[0], "part.transcript"),
        (of(events, "response.output_item.done")[0], "item.content.0.transcript"),
        (events[-1], "response.output.0.content.0.transcript"),
    ):
        expect_equal(at(event, path), text, path)


async def _part_spelling(bench: Bench) -> None:
    """Spell parts `text` and `audio` in `content_part` events, but `output_text` and `output_audio` in items."""
    written, spoken = await _answered(bench), await _spoken(bench)
    for events, kind in ((written, "text"), (spoken, "audio")):
        for name in ("added", "done"):
            expect_equal(at(of(events, f"response.content_part.{name}")[0], "part.type"), kind, "part.type")
        expect_equal(at(events[-1], "response.output.0.content.0.type"), f"output_{kind}", "content type")


async def _same_ids(bench: Bench) -> None:
    """Name the same response, item and places in all events of an answer."""
    events = await _spoken(bench)
    item_id = at(of(events, "response.output_item.added")[0], "item.id")
    for event in events[1:-1]:
        expect_equal(event.get("output_index"), 0, f"{event['type']}.output_index")
        expect_equal(event.get("item_id", item_id), item_id, f"{event['type']}.item_id")
        expect_equal(event.get("content_index", 0), 0, f"{event['type']}.content_index")


async def _created_is_empty(bench: Bench) -> None:
    """Create a response in progress, without output, usage and details."""
    created = at((await _answered(bench))[0], "response")
    for member, value in (("status", "in_progress"), ("output", []), ("usage", None), ("status_details", None)):
        expect_equal(at(created, member), value, member)


async def _item_begins_empty(bench: Bench) -> None:
    """Begin an item in progress and without content."""
    item = at(of(await _answered(bench), "response.output_item.added")[0], "item")
    for member, value in (("status", "in_progress"), ("content", []), ("role", "assistant"), ("type", "message")):
        expect_equal(at(item, member), value, member)


async def _item_ends(bench: Bench) -> None:
    """End an item `completed`."""
    item = at(of(await _answered(bench), "response.output_item.done")[0], "item")
    expect_equal(item.get("status"), "completed", "status")


async def _completed(bench: Bench) -> None:
    """End a response `completed`, with `status_details` null."""
    final = _final(await _answered(bench))
    expect_equal(final.get("status"), "completed", "status")
    expect_equal(at(final, "status_details"), None, "status_details")


async def _same_response(bench: Bench) -> None:
    """Keep a response's id, conversation and settings from `created` to `done`."""
    events = await _answered(bench)
    created, final = at(events[0], "response"), _final(events)
    expect(str(created["id"]).startswith("resp_"), "the id does not begin with resp_")
    for member in ("id", "object", "conversation_id", "output_modalities", "max_output_tokens", "audio", "metadata"):
        expect_equal(final.get(member), created.get(member), member)


async def _conversation_id(bench: Bench) -> None:
    """Name the conversation that a response belongs to."""
    async with bench.writing() as peer:
        await peer.write("Hello!")
        named = at((await peer.respond())[0], "response.conversation_id")
        expect(str(named).startswith("conv_"), f"conversation_id is {named!r}")


async def _stays(bench: Bench) -> None:
    """Keep the answer in the conversation, to be retrieved."""
    async with bench.writing() as peer:
        await peer.write("Hello!")
        item = at(_final(await peer.respond()), "output.0")
        await peer.send("conversation.item.retrieve", item_id=item["id"])
        expect_equal(at(await peer.until("conversation.item.retrieved"), "item.content"), item["content"], "content")


async def _second_answer(bench: Bench) -> None:
    """Answer again, and chain the second answer to what came before."""
    async with bench.writing() as peer:
        await peer.write("Hello!")
        await peer.respond()
        question = await peer.write("What can you do?")
        await peer.respond()
        expect_equal(peer.of("conversation.item.added")[-1].get("previous_item_id"), question["id"], "previous")


async def _usage(bench: Bench) -> None:
    """Count what a response cost: total is input and output, details are their parts."""
    usage = at(_final(await _answered(bench)), "usage")
    expect(usage["input_tokens"] > 0 and usage["output_tokens"] > 0, f"usage is {usage}")
    expect_equal(usage["total_tokens"], usage["input_tokens"] + usage["output_tokens"], "total_tokens")
    out = usage["output_token_details"]
    expect_equal(out["text_tokens"] + out["audio_tokens"], usage["output_tokens"], "output details")


async def _audio_usage(bench: Bench) -> None:
    """Count spoken output as audio tokens, twenty a second."""
    events = await _spoken(bench)
    tokens = at(_final(events), "usage.output_token_details.audio_tokens")
    seconds = len(_sound(events)) / 48_000
    expect(abs(tokens - 20 * seconds) <= 0.25 * 20 * seconds + 2, f"{tokens} tokens for {seconds:.1f} s")


async def _input_usage(bench: Bench) -> None:
    """Count more input when the conversation is longer."""
    async with bench.writing() as peer:
        await peer.write("Hello!")
        first = at(_final(await peer.respond()), "usage.input_tokens")
        await peer.write("Hello again, my friend!")
        expect(at(_final(await peer.respond()), "usage.input_tokens") > first, "the input did not grow")


# --- sound ------------------------------------------------------------------------------------------------------------


async def _whole_samples(bench: Bench) -> None:
    """Send whole samples in every delta."""
    for event in of(await _spoken(bench), "response.output_audio.delta"):
        expect(len(base64.b64decode(event["delta"])) % 2 == 0, "a delta cuts a sample")


async def _small_deltas(bench: Bench) -> None:
    """Send deltas of at most 64 KiB of base64."""
    async with bench.by_hand() as peer:
        events = await peer.respond(instructions=SAY)
    largest = max(len(event["delta"]) for event in of(events, "response.output_audio.delta"))
    expect(largest <= 64 * 1024, f"a delta has {largest} characters")


async def _audible(bench: Bench) -> None:
    """Speak: the sound is not silence, and takes 30 to 200 ms a character."""
    events = await _spoken(bench)
    sound = _sound(events)
    loudest = max(abs(int.from_bytes(sound[i : i + 2], "little", signed=True)) for i in range(0, len(sound) - 1, 2))
    expect(loudest > 1_000, f"the loudest sample is {loudest}")
    text = at(of(events, "response.output_audio_transcript.done")[0], "transcript")
    ms = len(sound) / 48
    expect(20 * len(text) <= ms <= 300 * len(text), f"{ms:.0f} ms for {len(text)} characters")


async def _g711_out(bench: Bench) -> None:
    """Speak in G.711 when the session asks for it: a sixth of the bytes."""
    plain, coded = len(_sound(await _spoken(bench))), len(_sound(await _spoken(bench, "audio/pcmu")))
    expect(abs(coded * 6 - plain) <= 0.35 * plain, f"{plain} bytes of PCM, {coded} of G.711")


async def _a_law_out(bench: Bench) -> None:
    """Speak in A-law when the session asks for it."""
    plain, coded = len(_sound(await _spoken(bench))), len(_sound(await _spoken(bench, "audio/pcma")))
    expect(abs(coded * 6 - plain) <= 0.35 * plain, f"{plain} bytes of PCM, {coded} of G.711")


async def _retrieved_speech(bench: Bench) -> None:
    """Give back the sound of an answer."""
    async with bench.by_hand() as peer:
        await peer.write("Hello!")
        events = await peer.respond()
        await peer.send("conversation.item.retrieve", item_id=at(_final(events), "output.0.id"))
        part = at(await peer.until("conversation.item.retrieved"), "item.content.0")
    back = base64.b64decode(at(part, "audio"))
    expect(back == _sound(events), f"{len(back)} bytes came back of {len(_sound(events))}")


async def _speed(bench: Bench) -> None:
    """Speak faster at a speed of 1.5."""
    async with bench.by_hand() as peer:
        slow = len(_sound(await peer.respond(instructions=SAY)))
        await peer.update(audio={"output": {"speed": 1.5}})
        fast = len(_sound(await peer.respond(instructions=SAY)))
    expect(fast < 0.85 * slow, f"{slow / 48:.0f} ms at 1.0, {fast / 48:.0f} ms at 1.5")


# --- what one response may change -------------------------------------------------------------------------------------


async def _instructions(bench: Bench) -> None:
    """Follow a response's own instructions, and forget them after it."""
    async with bench.writing() as peer:
        final = _final(await peer.respond(instructions='Say exactly: "Purple rain."'))
        expect("purple rain" in at(final, "output.0.content.0.text").lower(), "the instructions were not followed")
        await peer.write("Hello!")
        text = at(_final(await peer.respond()), "output.0.content.0.text")
        expect("purple rain" not in text.lower(), "they were followed twice")


async def _modality(bench: Bench) -> None:
    """Answer one response in writing in a session that speaks."""
    events = await _spoken(bench, output_modalities=["text"])
    expect(of(events, "response.output_text.done"), "no text came")
    expect_equal(_final(events).get("output_modalities"), ["text"], "output_modalities")


async def _speech_once(bench: Bench) -> None:
    """Speak one response in a session that writes."""
    events = await _answered(bench, output_modalities=["audio"])
    expect(_sound(events), "no sound came")


async def _voice(bench: Bench) -> None:
    """Echo a response's own voice as a plain text."""
    final = _final(await _spoken(bench, audio={"output": {"voice": "verse"}}))
    expect_equal(at(final, "audio.output.voice"), "verse", "voice")


async def _format(bench: Bench) -> None:
    """Speak one response in its own format."""
    events = await _spoken(bench, audio={"output": {"format": {"type": "audio/pcmu"}}})
    expect_equal(at(_final(events), "audio.output.format.type"), "audio/pcmu", "format")
    expect(len(_sound(events)) < 60_000, "the sound is not G.711")


async def _cut_off(bench: Bench) -> None:
    """End a response `incomplete` with `max_output_tokens` when it is cut there."""
    async with bench.writing() as peer:
        final = _final(await peer.respond(instructions=SAY, max_output_tokens=3))
    expect_equal(final.get("status"), "incomplete", "status")
    expect_equal(at(final, "status_details.reason"), "max_output_tokens", "reason")
    expect_equal(at(final, "output.0.status"), "incomplete", "item.status")


async def _session_cut_off(bench: Bench) -> None:
    """Cut a response at the session's `max_output_tokens`."""
    async with bench.writing(max_output_tokens=3) as peer:
        final = _final(await peer.respond(instructions=SAY))
    expect_equal(at(final, "status_details.reason"), "max_output_tokens", "reason")
    expect(at(final, "usage.output_tokens") <= 3, "more tokens were counted than allowed")


async def _metadata(bench: Bench) -> None:
    """Echo a response's metadata in `created` and `done`."""
    events = await _answered(bench, metadata={"client_event_id": "e1", "topic": "t"})
    for event in (events[0], events[-1]):
        expect_equal(at(event, "response.metadata"), {"client_event_id": "e1", "topic": "t"}, "metadata")


async def _no_metadata(bench: Bench) -> None:
    """Say metadata null where none was given."""
    expect_equal(at(_final(await _answered(bench)), "metadata"), None, "metadata")


async def _most_metadata(bench: Bench) -> None:
    """Take sixteen pairs of the largest size."""
    pairs = {f"{number:02}" + "k" * 62: "v" * 512 for number in range(16)}
    expect_equal(at(_final(await _answered(bench, metadata=pairs)), "metadata"), pairs, "metadata")


async def _own_input(bench: Bench) -> None:
    """Answer a response's own input, and leave the conversation out of it."""
    async with bench.writing() as peer:
        await peer.write("My name is Bob.")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello!"}]}
        alone = at(_final(await peer.respond(input=[item])), "usage.input_tokens")
        both = at(_final(await peer.respond()), "usage.input_tokens")
        expect(alone < both, f"{alone} tokens with its own input, {both} with the conversation")


async def _no_input(bench: Bench) -> None:
    """Take an empty input as an empty context."""
    events = await _answered(bench, input=[], instructions='Say exactly: "Here."')
    expect("here" in at(_final(events), "output.0.content.0.text").lower(), "the instructions were not followed")


async def _reference(bench: Bench) -> None:
    """Take an item of the conversation by reference."""
    async with bench.writing() as peer:
        item = await peer.write("Hello!")
        await peer.write("What can you do?")
        final = _final(await peer.respond(input=[{"type": "item_reference", "id": item["id"]}]))
        expect_equal(final.get("status"), "completed", "status")


async def _beta_fields(bench: Bench) -> None:
    """Understand a response's fields as the retired beta spells them."""
    flat: dict[str, Any] = {
        "modalities": ["text", "audio"],
        "voice": "ash",
        "output_audio_format": "pcm16",
        "temperature": 0.7,
    }
    final = _final(await _answered(bench, **flat))
    expect_equal(at(final, "audio.output.voice"), "ash", "voice")
    expect_equal(final.get("output_modalities"), ["audio"], "output_modalities")


async def _empty_response(bench: Bench) -> None:
    """Take `response.create` with `response` null."""
    async with bench.writing() as peer:
        await peer.write("Hello!")
        await peer.send("response.create", response=None)
        await peer.until("response.done")


# --- out of band ------------------------------------------------------------------------------------------------------


async def _out_of_band(bench: Bench) -> None:
    """Leave the conversation alone for `conversation: "none"`."""
    async with bench.writing() as peer:
        await peer.write("Hello!")
        known = len(peer.of("conversation.item.added"))
        final = _final(await peer.respond(conversation="none"))
        expect_equal(at(final, "conversation_id"), None, "conversation_id")
        expect(len(peer.of("conversation.item.added")) == known, "an item was added")


async def _out_of_band_output(bench: Bench) -> None:
    """Give an out-of-band answer in `response.done`."""
    final = _final(await _answered(bench, conversation="none"))
    expect(at(final, "output.0.content.0.text"), "no output")


async def _parallel(bench: Bench) -> None:
    """Run three out-of-band responses at once."""
    async with bench.writing() as peer:
        await peer.write("Hello!")
        for topic in "abc":
            await peer.send("response.create", response={"conversation": "none", "metadata": {"topic": topic}})
        done = [at(await peer.until("response.done"), "response") for _ in range(3)]
    expect({one["metadata"]["topic"] for one in done} == set("abc"), "not all of them were done")
    expect(all(one["status"] == "completed" for one in done), "not all of them were completed")


async def _beside(bench: Bench) -> None:
    """Run an out-of-band response beside one of the conversation."""
    async with bench.by_hand() as peer:
        await peer.send("response.create", response={"instructions": SAY})
        await peer.until("response.created")
        await peer.send("response.create", response={"conversation": "none", "output_modalities": ["text"]})
        await peer.until("response.created")
        done = [at(await peer.until("response.done"), "response.status") for _ in range(2)]
    expect(done == ["completed", "completed"], f"they ended {done}")


# --- two at once, and cancelling --------------------------------------------------------------------------------------


async def _running(peer: Peer) -> str:
    """Begin a long spoken answer; give its id."""
    await peer.send("response.create", response={"instructions": SAY, "output_modalities": ["audio"]})
    response_id: str = at(await peer.until("response.created"), "response.id")
    return response_id


async def _second_refused(bench: Bench) -> None:
    """Refuse a second response of the conversation with `conversation_already_has_active_response`."""
    async with bench.by_hand() as peer:
        await _running(peer)
        error = await peer.fault(await peer.send("response.create"))
        expect_equal(error.get("code"), "conversation_already_has_active_response", "error.code")


async def _second_names_first(bench: Bench) -> None:
    """Name the running response in that refusal."""
    async with bench.by_hand() as peer:
        first = await _running(peer)
        error = await peer.fault(await peer.send("response.create"))
        expect(first in str(error.get("message")), "the message does not name it")


async def _cancelled(bench: Bench) -> Event:
    async with bench.by_hand() as peer:
        await _running(peer)
        await peer.send("response.cancel")
        response: Event = at(await peer.until("response.done"), "response")
        return response


async def _cancel_status(bench: Bench) -> None:
    """End a cancelled response `cancelled` with `client_cancelled`."""
    response = await _cancelled(bench)
    expect_equal(response.get("status"), "cancelled", "status")
    expect_equal(at(response, "status_details"), {"type": "cancelled", "reason": "client_cancelled"}, "details")


async def _cancel_item(bench: Bench) -> None:
    """End the items of a cancelled response `incomplete`."""
    async with bench.by_hand() as peer:
        await _running(peer)
        await peer.until("response.content_part.added")
        await peer.send("response.cancel")
        output = at(await peer.until("response.done"), "response.output")
        expect_equal(at(output, "0.status"), "incomplete", "item.status") if output else None


async def _cancel_by_id(bench: Bench) -> None:
    """Cancel the response that is named."""
    async with bench.by_hand() as peer:
        response_id = await _running(peer)
        await peer.send("response.cancel", response_id=response_id)
        expect_equal(at(await peer.until("response.done"), "response.status"), "cancelled", "status")


async def _cancel_out_of_band(bench: Bench) -> None:
    """Cancel an out-of-band response by its id, and no other."""
    async with bench.by_hand() as peer:
        await _running(peer)
        await peer.send("response.create", response={"conversation": "none", "instructions": SAY})
        other = at(await peer.until("response.created"), "response.id")
        await peer.send("response.cancel", response_id=other)
        ended = {}
        for _ in range(2):
            response = at(await peer.until("response.done"), "response")
            ended[response["id"]] = response["status"]
        expect_equal(ended[other], "cancelled", "the cancelled one's status")
        expect("completed" in ended.values(), "the other one was cancelled too")


async def _cancel_words(bench: Bench) -> None:
    """Begin the message of `response_cancel_not_active` with `Cancellation failed`."""
    async with bench.open() as peer:
        error = await peer.fault(await peer.send("response.cancel"))
        expect(str(error.get("message")).startswith("Cancellation failed"), f"it says {error.get('message')!r}")


async def _cancel_twice(bench: Bench) -> None:
    """Answer a cancellation after the end with `response_cancel_not_active`."""
    async with bench.by_hand() as peer:
        await _running(peer)
        await peer.send("response.cancel")
        await peer.until("response.done")
        error = await peer.fault(await peer.send("response.cancel"))
        expect_equal(error.get("code"), "response_cancel_not_active", "error.code")


async def _after_cancel(bench: Bench) -> None:
    """Answer again after a cancellation."""
    async with bench.by_hand() as peer:
        await _running(peer)
        await peer.send("response.cancel")
        await peer.until("response.done")
        await peer.write("Hello!")
        expect_equal(_final(await peer.respond()).get("status"), "completed", "status")


async def _at_every_stage(bench: Bench) -> None:
    """Cancel at every stage: each `response.created` gets its `response.done`, and the next one begins."""
    async with bench.by_hand() as peer:
        for stage in (
            "response.created",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_audio.delta",
        ):
            await peer.send("response.create", response={"instructions": SAY})
            await peer.until(stage)
            await peer.send("response.cancel")
            await peer.until("response.done")
            await peer.fence()


async def _items_while_running(bench: Bench) -> None:
    """Take items while a response runs."""
    async with bench.by_hand() as peer:
        await _running(peer)
        await peer.write("Meanwhile.", id="meanwhile")
        await peer.until("response.done")


async def _parts_of_time(bench: Bench) -> None:
    """Send the first sound before the last word is made: an answer is streamed."""
    async with bench.by_hand() as peer:
        started = asyncio.get_running_loop().time()
        await peer.send("response.create", response={"instructions": f'{SAY[:-1]} {LONG} {LONG}"'})
        await peer.until("response.output_audio.delta")
        first = asyncio.get_running_loop().time() - started
        await peer.until("response.done")
        whole = asyncio.get_running_loop().time() - started
    if first > 0.9 * whole and whole > 0.5:
        raise CheckFailed(f"the first sound came after {first:.2f} s of {whole:.2f} s")


CHECKS = (
    *checks("response.created", _created_is_empty, _conversation_id, _same_response),
    *checks("response.output_item.added", _item_begins_empty, _item_events),
    *checks("response.content_part.added", _part_spelling),
    *checks("response.output_text.delta", _text_sequence, _text_alone),
    *checks("response.output_text.done", _text_adds_up),
    *checks("response.output_audio_transcript.done", _transcript_adds_up),
    *checks(
        "response.output_audio.delta",
        _audio_sequence,
        _sound_alone,
        _same_ids,
        _whole_samples,
        _small_deltas,
        _audible,
        _g711_out,
        _a_law_out,
        _speed,
        _parts_of_time,
    ),
    *checks("response.output_item.done", _item_ends),
    *checks("response.done", _completed, _stays, _second_answer, _retrieved_speech),
    *checks("usage", _usage, _audio_usage, _input_usage),
    *checks(
        "response.create",
        _instructions,
        _modality,
        _speech_once,
        _voice,
        _format,
        _cut_off,
        _session_cut_off,
        _metadata,
        _no_metadata,
        _most_metadata,
        _own_input,
        _no_input,
        _reference,
        _beta_fields,
        _empty_response,
        _items_while_running,
        _second_refused,
        _second_names_first,
    ),
    *checks("out of band", _out_of_band, _out_of_band_output, _parallel, _beside),
    *checks(
        "response.cancel",
        _cancel_status,
        _cancel_item,
        _cancel_by_id,
        _cancel_out_of_band,
        _cancel_words,
        _cancel_twice,
        _after_cancel,
        _at_every_stage,
    ),
)
