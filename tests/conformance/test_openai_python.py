"""The unmodified official Python SDK talks with `parley serve`: only its base URL is changed.

The server is the real command with its keyless engines; the user's voice is synthesised, the answer recognised. Every
event of every conversation goes through the SDK's closed validators, and every log through the order checker.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from openai import AsyncOpenAI, AuthenticationError, NotFoundError, OpenAI
from openai.types.realtime import RealtimeTranscriptionSessionCreateRequestParam
from sdk_talk import talking
from sdp_kit import offer_text
from served import Served, parley_serve
from spoken import heard, say, silence, words

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "The city."}},
        "required": ["city"],
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with parley_serve() as served:
        yield served


async def test_a_written_turn_is_answered_in_writing(server: Served) -> None:
    async with talking(server, {"output_modalities": ["text"]}) as talk:
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What can you do?"}]}
        )
        await talk.connection.response.create()
        done = await talk.until("response.done")
        assert done["response"]["status"] == "completed"
        text = talk.of("response.output_text.done")[0]["text"]
        assert len(words(text)) >= 3
        assert not talk.of("response.output_audio.delta")
        assert done["response"]["usage"]["output_tokens"] > 0


async def test_a_spoken_turn_is_transcribed_and_answered_aloud(server: Served) -> None:
    async with talking(server, {"audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}}) as talk:
        await talk.speak(silence(500) + say("Hello, what can you do?") + silence(1500))
        done = await talk.until("response.done")
        assert done["response"]["status"] == "completed", done
        transcript = talk.of("conversation.item.input_audio_transcription.completed")[0]["transcript"]
        assert words(transcript) == words("Hello, what can you do?")
        said = talk.of("response.output_audio_transcript.done")[0]["transcript"]
        reply = words(await asyncio.to_thread(heard, talk.audio(done["response"]["id"])))
        assert len(set(reply) & set(words(said))) >= 0.7 * len(set(words(said)))
        started, stopped = talk.of("input_audio_buffer.speech_started"), talk.of("input_audio_buffer.speech_stopped")
        assert 0 <= started[0]["audio_start_ms"] <= 700
        assert stopped[0]["audio_end_ms"] > started[0]["audio_start_ms"] + 1000


async def test_a_tool_is_called_and_its_result_spoken(server: Served) -> None:
    async with talking(server, {"tools": [TOOL]}) as talk:
        await talk.speak(silence(300) + say("What is the weather in Lisbon?") + silence(1500))
        first = await talk.until("response.done")
        call = first["response"]["output"][0]
        assert (call["type"], call["name"], call["status"]) == ("function_call", "get_weather", "completed")
        assert words(json.loads(call["arguments"])["city"]) == ["lisbon"]
        await talk.connection.conversation.item.create(
            item={
                "type": "function_call_output",
                "call_id": call["call_id"],
                "output": json.dumps({"temperature": 21, "sky": "sunny"}),
            }
        )
        await talk.connection.response.create()
        second = await talk.until("response.done", lambda event: event["response"]["id"] != first["response"]["id"])
        reply = words(await asyncio.to_thread(heard, talk.audio(second["response"]["id"])))
        assert "sunny" in reply


async def test_barge_in_cancels_and_truncates(server: Served) -> None:
    story = "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen."
    async with talking(server) as talk:
        await talk.connection.response.create(response={"instructions": f'Say exactly: "{story}"'})
        first_audio = await talk.until("response.output_audio.delta")
        await talk.speak(silence(200) + say("Stop. What can you do?") + silence(1500))
        await talk.until("input_audio_buffer.speech_started")
        await talk.connection.conversation.item.truncate(
            item_id=first_audio["item_id"], content_index=0, audio_end_ms=1000
        )
        cut = await talk.until("conversation.item.truncated")
        assert cut["audio_end_ms"] <= 1000
        await talk.connection.conversation.item.retrieve(item_id=first_audio["item_id"])
        kept = (await talk.until("conversation.item.retrieved"))["item"]
        remembered = words(kept["content"][0]["transcript"])
        assert remembered == words(story)[: len(remembered)]
        assert 0 < len(remembered) < 8
        answer = await talk.until("response.done", lambda event: event["response"]["id"] != first_audio["response_id"])
        assert answer["response"]["status"] == "completed"


async def test_out_of_band_responses_leave_the_conversation_alone(server: Served) -> None:
    async with talking(server, {"output_modalities": ["text"]}) as talk:
        for topic in ("a", "b"):
            await talk.connection.response.create(
                response={
                    "conversation": "none",
                    "metadata": {"topic": topic},
                    "output_modalities": ["text"],
                    "input": [
                        {
                            "type": "message",
                            "role": "user",
                            "content": [{"type": "input_text", "text": "What can you do?"}],
                        }
                    ],
                }
            )
        done = [await talk.until("response.done") for _ in range(2)]
        assert {event["response"]["metadata"]["topic"] for event in done} == {"a", "b"}
        assert all(event["response"]["conversation_id"] is None for event in done)
        assert not talk.of("conversation.item.added")


async def test_transcription_only(server: Served) -> None:
    turned_off = {"audio": {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}}}
    async with talking(server, turned_off) as talk:
        await talk.speak(say("The quick brown fox jumps over the lazy dog."))
        await talk.connection.input_audio_buffer.commit()
        completed = await talk.until("conversation.item.input_audio_transcription.completed")
        assert words(completed["transcript"]) == words("The quick brown fox jumps over the lazy dog.")
        assert completed["usage"]["type"] == "duration"
        assert not talk.of("response.created")


async def test_a_session_of_transcription_alone_writes_along_while_one_speaks(server: Served) -> None:
    said = "The quick brown fox jumps over the lazy dog and sleeps for a long while under the old oak tree."
    asked: RealtimeTranscriptionSessionCreateRequestParam = {
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe", "language": "en"}}},
    }
    async with AsyncOpenAI(api_key="none", base_url=f"{server.url}/v1") as client:
        secret = await client.realtime.client_secrets.create(session=asked)
    async with talking(server, key=secret.value) as talk:
        assert talk.events[0]["session"]["type"] == "transcription"
        await talk.speak(silence(300) + say(said) + silence(1500), live=True)
        completed = await talk.until("conversation.item.input_audio_transcription.completed")
        kinds = [event["type"] for event in talk.events]
        first = kinds.index("conversation.item.input_audio_transcription.delta")
        assert first < kinds.index("input_audio_buffer.committed"), "words come before the turn is over"
        deltas = talk.of("conversation.item.input_audio_transcription.delta")
        assert len(deltas) >= 2
        assert {delta["item_id"] for delta in deltas} == {completed["item_id"]}
        assert "".join(delta["delta"] for delta in deltas) == completed["transcript"]
        assert words(completed["transcript"]) == words(said)
        assert not [kind for kind in kinds if kind.startswith("response.")]


async def test_a_client_secret_opens_a_session_with_its_configuration(server: Served) -> None:
    client = AsyncOpenAI(api_key="none", base_url=f"{server.url}/v1")
    async with client:
        secret = await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "instructions": "You are a pirate."},
        )
    assert secret.value.startswith("ek_")
    async with talking(server, key=secret.value) as talk:
        assert talk.events[0]["session"]["instructions"] == "You are a pirate."


async def test_a_call_is_placed_without_a_session_joined_from_the_side_and_hung_up(server: Served) -> None:
    async with AsyncOpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0) as client:
        answer = await client.realtime.calls.create(sdp=offer_text("chromium_audio_and_data"))
        assert answer.text.startswith("v=0\r\n")
        call_id = answer.response.headers["location"].rpartition("/")[2]
        async with client.realtime.connect(call_id=call_id) as sideband:
            created = await sideband.recv()
            assert created.type == "session.created"
            assert getattr(created.session, "model", None) == "parley-demo", "the server's own, as nobody named one"
            await client.realtime.calls.hangup(call_id)
            async with asyncio.timeout(20):
                assert "error" not in [event.type async for event in sideband], "it ends by itself, and quietly"
            assert sideband._connection.close_code == 1000
        with pytest.raises(NotFoundError) as gone:
            await client.realtime.calls.hangup(call_id)
        assert gone.value.code == "call_id_not_found"


async def test_an_unknown_client_secret_is_refused(server: Served) -> None:
    client = AsyncOpenAI(api_key="ek_unknown", base_url=f"{server.url}/v1", max_retries=0)
    async with client:
        with pytest.raises(AuthenticationError):
            await client.models.list()
        async with client.realtime.connect(model="gpt-realtime") as connection:
            refusal = await connection.recv()
            assert refusal.type == "error"
            assert refusal.error.code == "invalid_api_key"


def test_the_old_pipeline_runs_on_the_same_engines(server: Served) -> None:
    sentence = "The train leaves at seven in the morning."
    with OpenAI(api_key="none", base_url=f"{server.url}/v1") as client:
        speech = client.audio.speech.create(model="tts-1", voice="alloy", input=sentence, response_format="wav").content
        assert speech[:4] == b"RIFF"
        transcript = client.audio.transcriptions.create(model="whisper-1", file=("speech.wav", speech, "audio/wav"))
        assert words(transcript.text.replace("7", "seven")) == words(sentence)
        chat = client.chat.completions.create(
            model="parley-demo",
            messages=[{"role": "user", "content": "What is the weather in Oslo?"}],
            tools=[
                {
                    "type": "function",
                    "function": {name: value for name, value in TOOL.items() if name != "type"},  # type: ignore[typeddict-item]
                }
            ],
        )
        calls = chat.choices[0].message.tool_calls
        assert calls is not None
        assert json.loads(calls[0].function.arguments) == {"city": "Oslo"}  # type: ignore[union-attr]
        assert "parley-demo" in [model.id for model in client.models.list()]
