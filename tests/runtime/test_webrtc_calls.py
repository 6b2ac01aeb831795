"""Calls over WebRTC in virtual time: what is heard, what is told, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from call_kit import calling, loopback_board
from event_order import order_faults
from media_planes import peer_spec, samples_of
from runtime_kit import Client, supervised, utterance
from spoken import silence

from parley.audio import AudioBlock
from parley.engines.base import EngineSet
from parley.media.loopback import LoopbackPlane
from parley.media.switchboard import Switchboard
from parley.protocol.realtime.session_config import SessionConfig
from parley.runtime.supervisor import SessionHandle, Supervisor
from parley.testing import FakeChatModel, FakeRecognizer, FakeSynthesizer, engine_set, say
from parley.transports.webrtc import WebRtcCall

LONG = "This is a long answer that goes on and on. " * 20


@asynccontextmanager
async def stage(engines: EngineSet | None = None) -> AsyncIterator[tuple[Supervisor, LoopbackPlane, Switchboard]]:
    async with loopback_board() as (plane, board), supervised(engines) as supervisor:
        yield supervisor, plane, board


def loud_ms(pcm: bytes) -> int:
    """How much time lies between the first and the last sample that is not silence."""
    sounding = [at for at, sample in enumerate(samples_of(pcm)) if sample]
    return (sounding[-1] - sounding[0] + 1) // 24 if sounding else 0


def last_sound_ms(pcm: bytes) -> int:
    """Where the last sample that is not silence lies."""
    samples = samples_of(pcm)
    return max((at for at, sample in enumerate(samples) if sample), default=0) // 24


async def test_a_spoken_turn_is_answered_by_voice_and_told_in_order() -> None:
    engines = engine_set(chat=FakeChatModel([say("Hello there.")]), recognizer=FakeRecognizer(["good morning"]))
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.speak(utterance() + silence(1200))
        done = await caller.until("response.done")
        await caller.until("output_audio_buffer.stopped")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "Hello there."
        assert caller.of("response.output_audio.delta") == []
        assert len(caller.of("response.output_audio.done")) == 1
        kinds = caller.types()
        assert kinds.index("response.content_part.added") < kinds.index("output_audio_buffer.started")
        assert kinds.index("response.done") < kinds.index("output_audio_buffer.stopped")
        assert order_faults(caller.events) == []
        assert loud_ms(caller.recording()) > 300
    assert caller.end == "hung_up"


async def test_a_voice_cuts_the_answer_where_it_was_sent_and_is_told_in_the_vendors_order() -> None:
    chat = FakeChatModel([say(LONG, word_ms=50), say("Yes?")])
    engines = engine_set(chat=chat, recognizer=FakeRecognizer(["tell me everything", "stop"]))
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.speak(utterance() + silence(1200))
        await caller.until("output_audio_buffer.started")
        await asyncio.sleep(3)
        caller.remote.speak("0", utterance("stop it please") + silence(200))
        truncated = await caller.until("conversation.item.truncated")
        heard_ms = loud_ms(caller.recording())
        await caller.until("response.done")
        kinds = caller.types()
        speech = max(at for at, kind in enumerate(kinds) if kind == "input_audio_buffer.speech_started")
        cleared, cut, done = (
            kinds.index(kind, speech)
            for kind in ("output_audio_buffer.cleared", "conversation.item.truncated", "response.done")
        )
        assert speech < cleared < cut < done
        assert abs(heard_ms - truncated["audio_end_ms"]) <= 40
        await caller.until("output_audio_buffer.stopped")
        answers = caller.of("response.done")
        assert [answer["response"]["status"] for answer in answers] == ["cancelled", "completed"]
        kept = truncated["item"]["content"][0]["transcript"]
        assert LONG.startswith(kept)
        assert 0 < len(kept) < len(LONG) / 4
        assert kept in str(chat.contexts[-1].items)
        assert LONG[: len(kept) + 20] not in str(chat.contexts[-1].items)
        assert order_faults(caller.events) == []


async def test_silence_follows_a_voice_within_a_quarter_of_a_second() -> None:
    engines = engine_set(chat=FakeChatModel([say(LONG)]), recognizer=FakeRecognizer(["go on", "stop"]))
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.ask("everything")
        await caller.until("output_audio_buffer.started")
        await asyncio.sleep(2)
        spoke_ms = caller.now_ms
        voice = utterance("stop it please")
        voice_ms = spoke_ms + next(at for at, sample in enumerate(samples_of(voice)) if abs(sample) > 100) // 24
        caller.remote.speak("0", voice)
        await caller.until("output_audio_buffer.cleared")
        await asyncio.sleep(0.3)
        assert voice_ms < last_sound_ms(caller.recording()) < voice_ms + 250


async def test_the_client_clears_what_waits_and_the_cancelled_answer_ends_once() -> None:
    engines = engine_set(chat=FakeChatModel([say(LONG)]))
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.ask("everything")
        await caller.until("output_audio_buffer.started")
        await asyncio.sleep(1)
        await caller.send("response.cancel")
        await caller.send("output_audio_buffer.clear")
        cleared_ms = caller.now_ms
        await caller.until("conversation.item.truncated")
        await asyncio.sleep(5)
        assert last_sound_ms(caller.recording()) <= cleared_ms + 40
        assert len(caller.of("output_audio_buffer.cleared")) == 1
        assert caller.of("output_audio_buffer.stopped") == []
        assert order_faults(caller.events) == []


async def test_a_cancelled_answer_without_a_clear_plays_what_it_had() -> None:
    engines = engine_set(chat=FakeChatModel([say("One two three four five six seven eight.", word_ms=0)]))
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.ask("count")
        await caller.until("output_audio_buffer.started")
        await caller.send("response.cancel")
        await caller.until("output_audio_buffer.stopped")
        assert caller.of("output_audio_buffer.cleared") == []


async def test_a_call_without_a_data_channel_is_a_call_by_voice() -> None:
    engines = engine_set(chat=FakeChatModel([say("Hello there.")]), recognizer=FakeRecognizer(["good morning"]))
    async with stage(engines) as (supervisor, plane, board):
        async with calling(supervisor, plane, board, channel=False) as caller:
            await caller.speak(utterance() + silence(1200))
            await asyncio.sleep(60)
            assert loud_ms(caller.recording()) > 300
            assert caller.events == []
            assert caller.end is None
        assert len(supervisor) == 0


async def test_a_late_channel_of_any_label_is_greeted_then() -> None:
    engines = engine_set(chat=FakeChatModel([say("Hello."), say("Again.")]))
    async with (
        stage(engines) as (supervisor, plane, board),
        calling(supervisor, plane, board, channel=False) as caller,
    ):
        await asyncio.sleep(45)
        caller.remote.open_channel(7, "esp_channel")
        await caller.until("session.created")
        await caller.send("session.update", channel=7, session={"type": "realtime", "instructions": "Be brief."})
        assert (await caller.until("session.updated"))["session"]["instructions"] == "Be brief."


async def test_channel_0_that_nobody_announced_is_there_for_the_first_message() -> None:
    async with (
        stage() as (supervisor, plane, board),
        calling(supervisor, plane, board, channel=False) as caller,
    ):
        await asyncio.sleep(5)
        assert caller.events == []
        await caller.send("session.update", channel=0, session={"type": "realtime", "instructions": "Be brief."})
        await caller.until("session.created")
        assert (await caller.until("session.updated"))["session"]["instructions"] == "Be brief."


async def test_a_channel_may_close_and_another_open() -> None:
    async with stage() as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        caller.remote.close_channel(1)
        await asyncio.sleep(5)
        assert caller.end is None
        caller.remote.open_channel(3, "again")
        await caller.until("session.created")
        await caller.send("response.cancel", channel=3)
        await caller.until("error")


async def test_push_to_talk_keeps_the_last_word() -> None:
    recognizer = FakeRecognizer(["the whole sentence"])
    engines = engine_set(chat=FakeChatModel([say("Fine.")]), recognizer=recognizer)
    config = _without_turns()
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board, config=config) as caller:
        await caller.speak(silence(700))
        await caller.send("input_audio_buffer.clear")
        sound = utterance()
        caller.remote.speak("0", sound)
        # The button is let go 100 ms before the last sound arrives: it travels by a slower path.
        await asyncio.sleep(len(sound) / 48_000 - 0.1)
        await caller.send("input_audio_buffer.commit")
        await caller.send("response.create")
        await caller.until("response.done")
        assert caller.of("error") == []
        assert recognizer.opened[-1].fed_bytes >= len(sound)
        assert order_faults(caller.events) == []


async def test_appended_audio_has_no_meaning_in_a_call() -> None:
    async with stage() as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.send("input_audio_buffer.append", audio="AAAA", event_id="mine")
        error = (await caller.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("invalid_value", "mine")


async def test_a_muted_microphone_ends_the_turn() -> None:
    engines = engine_set(chat=FakeChatModel([say("Hello.")]), recognizer=FakeRecognizer(["good morning"]))
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.speak(utterance())  # and then no packet at all
        await caller.until("response.done", within_s=10)


async def test_sidebands_share_everything_and_close_with_the_call() -> None:
    engines = engine_set(chat=FakeChatModel([say("Hello there.")]))
    async with stage(engines) as (supervisor, plane, board):
        async with calling(supervisor, plane, board) as caller:
            sideband = await Client.join(caller.handle, wants_audio=False)
            await sideband.ask("say hello")
            await sideband.until("output_audio_buffer.stopped")
            await caller.until("output_audio_buffer.stopped")
            shared = [kind for kind in caller.types() if kind not in {"session.created", "conversation.created"}]
            assert sideband.types()[-len(shared) :] == shared
            caller.remote.hang_up()
            assert await caller.until_ended() == "remote"
            assert await sideband.until_closed() == (1000, "The call has ended.")
        assert len(supervisor) == 0


async def test_hanging_up_says_the_last_events_before_the_peer_goes() -> None:
    engines = engine_set(chat=FakeChatModel([say(LONG, word_ms=100)]))
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.ask("everything")
        await caller.until("output_audio_buffer.started")
        caller.handle.hang_up()
        assert await caller.until_ended() == "hung_up"
        assert caller.types()[-1] == "response.done"
        assert caller.of("error") == []
        await asyncio.sleep(1)
        assert len(board) == 0


async def test_a_peer_that_never_connects_is_given_up() -> None:
    class Unreachable(LoopbackPlane):
        def _add_peer(self, command: object) -> None:
            pass

    plane = Unreachable()
    board = Switchboard(plane)
    board.start()
    async with supervised() as supervisor:
        call = WebRtcCall(board, peer_spec("ann"))
        handle = await supervisor.open(SessionConfig(), playout=call.speaker, in_call=True)
        assert await call.run(handle, lambda: None) == "never_connected"
        await handle.wait_ended()
        assert asyncio.get_running_loop().time() < 31


async def test_a_client_that_does_not_read_its_channel_is_let_go() -> None:
    engines = engine_set(chat=FakeChatModel(lambda _: say("x" * 400_000)), synthesizer=FakeSynthesizer())
    async with stage(engines) as (supervisor, plane, board):
        async with calling(supervisor, plane, board) as caller:
            caller.remote.reading = False
            for _ in range(120):
                if caller.end is not None:
                    break
                item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "y" * 100_000}]}
                await caller.send("conversation.item.create", item=item)
            assert await caller.until_ended() == "slow_reader"
        assert len(supervisor) == 0


async def test_large_events_are_cut_to_what_the_peer_takes() -> None:
    async with (
        stage() as (supervisor, plane, board),
        calling(supervisor, plane, board, max_message_bytes=16_384) as caller,
    ):
        text = "long words " * 10_000
        item = {"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await caller.send("conversation.item.create", item=item)
        added = await caller.until("conversation.item.added")
        assert added["parley_cut"] == ["item.content.0.text"]
        assert added["item"]["id"] == "mine"
        assert text.startswith(added["item"]["content"][0]["text"])
        assert len(msgspec.json.encode(added)) <= 16_384


async def test_two_calls_do_not_hear_each_other() -> None:
    engines = engine_set(chat=FakeChatModel(lambda _: say("Hello.")), recognizer=FakeRecognizer(["good morning"]))
    async with (
        stage(engines) as (supervisor, plane, board),
        calling(supervisor, plane, board, peer="ann") as ann,
        calling(supervisor, plane, board, peer="bob") as bob,
    ):
        await ann.speak(utterance() + silence(1200))
        await ann.until("output_audio_buffer.stopped")
        assert bob.types() == ["session.created", "conversation.created"]
        assert loud_ms(bob.recording()) == 0


@pytest.mark.parametrize("message", ["{", "[]", '{"type":"unknown"}', b"\xff\x00"])
async def test_what_is_no_event_is_an_error_and_no_end(message: str | bytes) -> None:
    async with stage() as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        caller.remote.send(1, message)
        await caller.until("error")
        await caller.send("session.update", session={"type": "realtime"})
        await caller.until("session.updated")


async def test_an_event_marked_as_binary_is_read_all_the_same() -> None:
    async with stage() as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        caller.remote.send(1, b'{"type":"session.update","session":{"type":"realtime"}}')
        await caller.until("session.updated")


def _without_turns() -> SessionConfig:
    config = SessionConfig()
    heard = msgspec.structs.replace(config.audio.input, turn_detection=None)
    return msgspec.structs.replace(config, audio=msgspec.structs.replace(config.audio, input=heard))


def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the samples that come up to sessions."""
    heard: list[int] = []
    hear = SessionHandle.hear

    def counted(handle: SessionHandle, block: AudioBlock) -> bool:
        heard.append(block.samples)
        return hear(handle, block)

    monkeypatch.setattr(SessionHandle, "hear", counted)
    return heard


async def test_silence_costs_nothing_and_no_word_is_lost_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = watched(monkeypatch)
    recognizer = FakeRecognizer(["good morning", "and goodbye"])
    engines = engine_set(chat=FakeChatModel([say("Hello.")]), recognizer=recognizer)
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        for turn in (1, 2):
            await asyncio.sleep(30)
            before = sum(heard)
            sound = utterance()
            began_ms = caller.now_ms
            voice_ms = next(at for at, sample in enumerate(samples_of(sound)) if abs(sample) > 100) // 24
            await caller.speak(sound + silence(1200))
            started = await caller.until("input_audio_buffer.speech_started")
            await caller.until("output_audio_buffer.stopped")
            await asyncio.sleep(2)
            assert sum(heard) - before < 48_000 * 5
            assert recognizer.opened[turn - 1].fed_bytes // 48 > len(sound) // 48 - voice_ms
            # The lane began with the connection, two ticks after the plane.
            assert abs(started["audio_start_ms"] + 300 - (began_ms + voice_ms)) <= 150
        quiet = len(heard)
        await asyncio.sleep(600)
        assert len(heard) == quiet
        assert order_faults(caller.events) == []


async def test_a_noise_wakes_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = watched(monkeypatch)
    async with stage() as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await caller.speak(utterance("a")[: 48 * 120])
        await asyncio.sleep(30)
        quiet = len(heard)
        await asyncio.sleep(60)
        assert len(heard) == quiet


async def test_turn_detection_may_be_switched_off_and_on_and_the_time_line_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = watched(monkeypatch)
    recognizer = FakeRecognizer(["one", "two"])
    engines = engine_set(chat=FakeChatModel([say("Fine.")]), recognizer=recognizer)
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        await asyncio.sleep(20)
        off = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        await caller.send("session.update", session=off)
        await caller.until("session.updated")
        before = sum(heard)
        await caller.speak(utterance() + silence(500))
        assert sum(heard) - before >= 24 * 1_500
        await caller.send("input_audio_buffer.commit")
        await caller.send("response.create")
        await caller.until("response.done")
        await caller.until("output_audio_buffer.stopped")
        assert caller.of("error") == []
        on = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
        await caller.send("session.update", session=on)
        await caller.until("session.updated")
        await asyncio.sleep(20)
        quiet = len(heard)
        await asyncio.sleep(20)
        assert len(heard) == quiet
        began_ms = caller.now_ms
        await caller.speak(utterance() + silence(1200))
        started = await caller.until("input_audio_buffer.speech_started")
        assert abs(started["audio_start_ms"] - began_ms) <= 400
        await caller.until("response.done")
        assert order_faults(caller.events) == []


async def test_where_silence_is_answered_it_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = watched(monkeypatch)
    engines = engine_set(chat=FakeChatModel([say("Hello."), say("Still there?")]))
    async with stage(engines) as (supervisor, plane, board), calling(supervisor, plane, board) as caller:
        vad = {"type": "server_vad", "idle_timeout_ms": 5_000}
        session = {"type": "realtime", "audio": {"input": {"turn_detection": vad}}}
        await caller.send("session.update", session=session)
        await caller.ask("hello")
        triggered = await caller.until("input_audio_buffer.timeout_triggered")
        assert triggered["audio_end_ms"] - triggered["audio_start_ms"] >= 4_900
        assert len(heard) >= 50 * 5
