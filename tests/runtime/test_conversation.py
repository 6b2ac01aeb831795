"""A conversation through the whole runtime, on fake engines and in virtual time."""

from __future__ import annotations

import asyncio
import base64

import pytest
from event_order import order_faults
from runtime_kit import Client, supervised, utterance
from spoken import BYTES_PER_MS, silence

from parley.audio import RATE_HZ, Resampler, alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from parley.runtime.limits import Limits
from parley.testing import FakeChatModel, FakeRecognizer, FakeSynthesizer, call, engine_set
from parley.testing import say as say_steps


async def test_spoken_turn_is_answered_by_voice() -> None:
    recognizer = FakeRecognizer(["where is the moon"])
    async with supervised(engine_set(recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"transcription": {}}}})
        await client.speak(silence(400) + utterance() + silence(1500))
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        item = done["response"]["output"][0]
        assert item["content"][0]["transcript"] == "You said: where is the moon"
        started, stopped = (
            client.of("input_audio_buffer.speech_started"),
            client.of("input_audio_buffer.speech_stopped"),
        )
        assert len(started) == len(stopped) == 1
        speech_ms = len(utterance()) // BYTES_PER_MS
        assert abs(stopped[0]["audio_end_ms"] - (400 + speech_ms + 500)) < 400
        fed_ms = recognizer.opened[0].fed_bytes / BYTES_PER_MS
        assert abs(fed_ms - (stopped[0]["audio_end_ms"] - started[0]["audio_start_ms"])) < 20
        assert len(client.audio()) / BYTES_PER_MS > 500
        assert order_faults(client.events) == []
        timeline = done["parley_timeline"]
        assert 300 <= timeline["committed_ms"] <= 800
        assert timeline["committed_ms"] <= timeline["first_token_ms"] <= timeline["first_audio_ms"]
        await client.leave()


async def test_half_a_minute_in_one_burst_gives_the_right_turns() -> None:
    pieces = [silence(1000), utterance(), silence(4000), utterance("how far away is the sun"), silence(4000)]
    pieces += [utterance("thank you very much indeed"), silence(4000)]
    truth, at = [], 0
    for index, piece in enumerate(pieces):
        if index % 2:
            truth.append(at // BYTES_PER_MS)
        at += len(piece)
    recognizer = FakeRecognizer(["one", "two", "three"])
    async with supervised(engine_set(recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor)
        await client.append(b"".join(pieces))
        while len(client.of("input_audio_buffer.committed")) < 3:
            await client.until("input_audio_buffer.committed")
        starts = [event["audio_start_ms"] for event in client.of("input_audio_buffer.speech_started")]
        assert len(starts) == 3
        for start, true in zip(starts, truth, strict=True):
            assert abs(start + 300 - true) < 350, (starts, truth)
        await client.leave()


async def test_order_of_append_commit_create_is_kept_within_one_breath() -> None:
    recognizer = FakeRecognizer(["all of it"])
    async with supervised(engine_set(recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        for _ in range(3):
            await client.append(utterance())
        await client.send("input_audio_buffer.commit")
        await client.append(silence(200))
        await client.send("response.create")
        await client.until("response.done")
        assert client.of("error") == []
        assert recognizer.opened[0].fed_bytes == 3 * len(utterance())
        assert order_faults(client.events) == []
        await client.leave()


async def test_odd_bytes_are_carried_over() -> None:
    recognizer = FakeRecognizer(["all of it"])
    async with supervised(engine_set(recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        audio = utterance()
        for start in range(0, len(audio), 1001):
            await client.append(audio[start : start + 1001])
        await client.send("input_audio_buffer.commit")
        item_id = (await client.until("input_audio_buffer.committed"))["item_id"]
        await client.send("conversation.item.retrieve", item_id=item_id)
        item = (await client.until("conversation.item.retrieved"))["item"]
        assert base64.b64decode(item["content"][0]["audio"]) == audio[: len(audio) // 2 * 2]
        assert client.of("error") == []
        await client.leave()


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
async def test_g711_both_ways(law: str) -> None:
    encode, decode = (ulaw_encode, ulaw_decode) if law == "pcmu" else (alaw_encode, alaw_decode)
    wire_format = {"type": f"audio/{law}"}
    down = Resampler(RATE_HZ, 8000)
    narrow = down.push(silence(400) + utterance() + silence(1500)) + down.flush()
    synthesizer = FakeSynthesizer()
    engines = engine_set(recognizer=FakeRecognizer(["a telephone"]), synthesizer=synthesizer)
    async with supervised(engines) as supervisor:
        client = await Client.connect(supervisor)
        audio = {"input": {"format": wire_format}, "output": {"format": wire_format}}
        await client.send("session.update", session={"type": "realtime", "audio": audio})
        await client.append(encode(narrow))
        done = await client.until("response.done")
        item = done["response"]["output"][0]
        spoken_ms = len(client.audio()) / 8
        pcm_ms = sum(len(speech.text) * 50 for speech in synthesizer.spoken)
        assert abs(spoken_ms - pcm_ms) < 2, "nothing is held back after output_audio.done"
        assert max(decode(client.audio())) > 0
        await client.send("conversation.item.retrieve", item_id=item["id"])
        retrieved = (await client.until("conversation.item.retrieved"))["item"]
        assert abs(len(base64.b64decode(retrieved["content"][0]["audio"])) / 8 - pcm_ms) < 2
        assert order_faults(client.events) == []
        await client.leave()


async def test_text_in_text_out() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
        await client.ask("good morning")
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["text"] == "You said: good morning"
        assert done["parley_timeline"]["first_token_ms"] >= 0
        assert client.audio() == b""
        await client.leave()


async def test_tool_call_and_its_result() -> None:
    chat = FakeChatModel([call("lamp", {"on": True}), say_steps("The lamp is on.")])
    async with supervised(engine_set(chat=chat)) as supervisor:
        client = await Client.connect(supervisor)
        await client.send(
            "session.update", session={"type": "realtime", "tools": [{"type": "function", "name": "lamp"}]}
        )
        await client.ask("switch on the lamp")
        done = await client.until("response.done")
        item = done["response"]["output"][0]
        assert (item["type"], item["name"], item["arguments"]) == ("function_call", "lamp", '{"on": true}')
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": "done"}
        await client.send("conversation.item.create", item=output)
        await client.send("response.create")
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "The lamp is on."
        assert order_faults(client.events) == []
        await client.leave()


async def test_audio_of_a_created_item_is_kept_and_recognised() -> None:
    recognizer = FakeRecognizer(["from a file"])
    async with supervised(engine_set(recognizer=recognizer)) as supervisor:
        client = await Client.connect(supervisor)
        audio = base64.b64encode(utterance()).decode()
        part = {"type": "input_audio", "audio": audio}
        item = {"id": "item_mine", "type": "message", "role": "user", "content": [part]}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "You said: from a file"
        assert recognizer.opened[0].fed_bytes == len(utterance())
        assert recognizer.opened[0].cancelled
        await client.send("conversation.item.retrieve", item_id="item_mine")
        retrieved = (await client.until("conversation.item.retrieved"))["item"]
        assert retrieved["content"][0]["audio"] == audio
        await client.leave()


async def test_retrieved_audio_stays_below_the_frame_cap() -> None:
    async with supervised(limits=Limits(retrieved_audio_bytes=100_000)) as supervisor:
        client = await Client.connect(supervisor)
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        sizes = []
        for ms in (2000, 2100):
            await client.append(silence(ms))
            await client.send("input_audio_buffer.commit")
            item_id = (await client.until("input_audio_buffer.committed"))["item_id"]
            await client.send("conversation.item.retrieve", item_id=item_id)
            part = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
            sizes.append(len(base64.b64decode(part.get("audio", ""))))
        assert sizes == [96_000, 0]
        await client.leave()


async def test_truncation_cuts_the_audio_that_is_kept() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        await client.ask("tell me a rather long story")
        item_id = (await client.until("response.done"))["response"]["output"][0]["id"]
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=400)
        await client.until("conversation.item.truncated")
        await client.send("conversation.item.retrieve", item_id=item_id)
        part = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
        assert len(base64.b64decode(part["audio"])) == 400 * BYTES_PER_MS
        assert base64.b64decode(part["audio"]) == client.audio()[: 400 * BYTES_PER_MS]
        await client.leave()


async def test_audio_deltas_are_bounded_and_join_without_a_gap() -> None:
    synthesizer = FakeSynthesizer(chunk_ms=4000)
    async with supervised(engine_set(synthesizer=synthesizer), limits=Limits(delta_bytes=4_000)) as supervisor:
        client = await Client.connect(supervisor)
        await client.ask("a long sentence that is synthesised in one piece and has to be cut up")
        done = await client.until("response.done")
        deltas = client.of("response.output_audio.delta")
        assert max(len(base64.b64decode(event["delta"])) for event in deltas) == 4_000
        item_id = done["response"]["output"][0]["id"]
        await client.send("conversation.item.retrieve", item_id=item_id)
        part = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
        assert base64.b64decode(part["audio"]) == client.audio()
        assert order_faults(client.events) == []
        await client.leave()


async def test_a_second_connection_sees_everything_but_audio() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        sideband = await Client.join(client.handle, wants_audio=False)
        await client.ask("hello")
        done = await client.until("response.done")
        await sideband.until("response.done")
        assert sideband.audio() == b""
        assert client.audio() != b""
        told = [kind for kind in client.types() if kind != "response.output_audio.delta"]
        assert sideband.types()[-5:] == told[-5:]
        item_id = done["response"]["output"][0]["id"]
        for listener, hears in ((client, True), (sideband, False)):
            await listener.send("conversation.item.retrieve", item_id=item_id)
            part = (await listener.until("conversation.item.retrieved"))["item"]["content"][0]
            assert ("audio" in part) is hears
        await client.leave()
        await sideband.send("response.create")
        assert (await sideband.until("response.done"))["response"]["status"] == "completed"
        await sideband.leave()
        await asyncio.sleep(1)
        assert sideband.handle.ended


@pytest.mark.parametrize(
    ("frame", "code", "names"),
    [
        (b'{"type":"response.create"}', "invalid_event", "text frame"),
        ("{", "invalid_json", "JSON"),
        ('{"type":"nonsense"}', "invalid_value", "response.create"),
        ('{"type":"input_audio_buffer.append","audio":"@@@"}', "invalid_value", "base64"),
    ],
)
async def test_bad_frames_are_answered_to_their_sender_only(frame: str | bytes, code: str, names: str) -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        other = await Client.join(client.handle)
        await client.attachment.receive(frame)
        error = (await client.until("error"))["error"]
        assert error["code"] == code
        assert names in error["message"]
        await client.ask("still there?")
        await client.until("response.done")
        await other.until("response.done")
        assert other.of("error") == []
        await client.leave()
        await other.leave()


async def test_an_append_above_the_limit_is_an_error_and_the_session_lives() -> None:
    async with supervised() as supervisor:
        client = await Client.connect(supervisor)
        frame = '{"type":"input_audio_buffer.append","event_id":"mine","audio":"' + "A" * (24 << 20) + '"}'
        await asyncio.sleep(0)  # so much text is our own work, not the server's
        await client.attachment.receive(frame)
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", "audio", "mine")
        await client.ask("still there?")
        await client.until("response.done")
        await client.leave()
