"""What `--capture` writes is what happened: it replays to the same bytes. In real time, since files need threads."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from runtime_kit import Client, supervised, utterance
from spoken import silence

from parley.observe.recorder import Recorder
from parley.protocol.realtime.inputs import ClientEventReceived, LaneAdvanced
from parley.protocol.realtime.recording import RecordingError, decode, replay
from parley.protocol.realtime.session import RealtimeSession
from parley.protocol.realtime.session_config import SessionConfig
from parley.testing import FakeChatModel, FakeRecognizer, call, engine_set, say


async def captured(folder: Path) -> Path:
    """Hold a conversation with everything in it; its recording."""
    chat = FakeChatModel([call("lamp"), say("The lamp is on. " * 8), say("Fine.")])
    recognizer = FakeRecognizer(["switch on the lamp", "stop"], word_every_ms=200)
    async with supervised(engine_set(chat=chat, recognizer=recognizer), capture_dir=folder) as supervisor:
        client = await Client.connect(supervisor)
        audio = {"input": {"transcription": {"model": "whisper-1"}}, "output": {"format": {"type": "audio/pcmu"}}}
        tools = [{"type": "function", "name": "lamp", "parameters": {"type": "object"}}]
        await client.send("session.update", session={"type": "realtime", "audio": audio, "tools": tools})
        await client.append(utterance() + silence(1000))
        item = (await client.until("response.done"))["response"]["output"][0]
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": "on"}
        await client.send("conversation.item.create", item=output)
        await client.send("response.create")
        await client.until("response.done")
        await client.append(utterance("stop it please") + silence(1000))
        done = await client.until("response.done")
        item_id = done["response"]["output"][0]["id"]
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
        await client.send("conversation.item.retrieve", item_id=item_id)
        await client.send("conversation.item.delete", item_id="nobody")
        await client.until("error")
        await client.leave()
    return folder / f"{client.handle.session_id}.jsonl"


async def test_recording_replays_to_the_same_bytes(tmp_path: Path) -> None:
    path = await captured(tmp_path / "captures")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = path.read_bytes().splitlines()
    recording = decode(lines)
    assert len(recording.steps) == len(lines) - 1 > 50
    assert sum(isinstance(step.input, LaneAdvanced) for step in recording.steps) > 30
    assert any(b'"AudioDelta"' in line for line in lines)
    assert replay(lines) == []


async def test_replay_notices_any_change(tmp_path: Path) -> None:
    lines = (await captured(tmp_path)).read_bytes().splitlines()
    changed = [line.replace(b"switch on the lamp", b"switch off the lamp") for line in lines]
    inputs_only = [
        new if json.loads(new).get("input", {}).get("type") == "TranscriptFinal" else old
        for new, old in zip(changed, lines, strict=True)
    ]
    assert inputs_only != lines
    assert any("switch off" in difference for difference in replay(inputs_only))
    shortened = [line for line in lines if b'"ResponseCreate"' not in line and b'"response.create"' not in line]
    assert replay(shortened) != []


async def test_a_crash_is_recorded_and_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle: Any = RealtimeSession.handle

    def broken(self: RealtimeSession, item: Any, now: Any) -> Any:
        if isinstance(item, ClientEventReceived) and item.event.event_id == "break":
            raise KeyError("x")
        return handle(self, item, now)

    with monkeypatch.context() as patch:
        patch.setattr(RealtimeSession, "handle", broken)
        async with supervised(capture_dir=tmp_path) as supervisor:
            client = await Client.connect(supervisor)
            await client.send("response.create", event_id="break")
            await client.until_closed()
        lines = (tmp_path / f"{client.handle.session_id}.jsonl").read_bytes().splitlines()
        assert decode(lines).steps[-1].raised == "KeyError"
        with pytest.raises(KeyError):
            replay(lines)
    assert "recorded KeyError, now" in replay(lines)[0]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([], "empty"),
        (["hello"], "Line 1"),
        (
            ['{"parley_recording":9,"session_id":"s","config":{},"now":0,"created_unix":0,"max_session_ms":1}'],
            "format 9",
        ),
        (
            ['{"parley_recording":1,"session_id":"s","config":{},"now":0,"created_unix":0,"max_session_ms":1}', "{}"],
            "Line 2",
        ),
    ],
)
async def test_what_is_no_recording_is_refused(lines: list[str], names: str) -> None:
    with pytest.raises(RecordingError, match=names):
        replay(lines)


async def test_recorder_never_overwrites_and_never_breaks_its_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "taken.jsonl"
    path.write_bytes(b"precious")
    recorder = Recorder(path)
    recorder.put(b"line\n")
    recorder.join()
    recorder.put(b"line\n")
    recorder.close()
    assert path.read_bytes() == b"precious"
    assert "cannot write" in caplog.text


async def test_recorder_ends_rather_than_leave_a_hole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "small.jsonl"
    recorder = Recorder(path, max_waiting_bytes=10)
    recorder.put(b"1234\n")
    recorder.put(b"longer than ten\n")
    recorder.put(b"5\n")
    recorder.join()
    assert path.read_bytes() == b"1234\n"
    assert "too slow" in caplog.text


async def test_no_recorder_outlives_a_supervisor_that_failed(tmp_path: Path) -> None:
    async def fail() -> None:
        async with supervised(capture_dir=tmp_path) as supervisor:
            await supervisor.open(SessionConfig())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    for thread in threading.enumerate():
        if thread.name.startswith("recorder"):
            thread.join(5)
            assert not thread.is_alive()


async def test_header_is_plain_json(tmp_path: Path) -> None:
    lines = (await captured(tmp_path)).read_bytes().splitlines()
    header = msgspec.json.decode(lines[0])
    assert header["parley_recording"] == 1
    assert header["ids"]
