"""`session.update`: every field in every spelling that clients use, and the rules by which updates merge.

One row, one check: what is sent, and what the session then says at a path. Realtime API, "The session object".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parley.conformance.bench import Bench
from parley.conformance.check import Check, Event, at, checks, expect, expect_equal

__all__ = ["CHECKS"]

_FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
_OTHER = {"type": "function", "name": "get_time", "description": "Get the time."}
_PCM = {"type": "audio/pcm", "rate": 24_000}
_LOGPROBS = "item.input_audio_transcription.logprobs"


@dataclass(frozen=True, slots=True)
class Change:
    """An update, and what `session.updated` must then say at each path."""

    name: str
    sent: dict[str, Any]
    then: dict[str, Any]


def _one(name: str, path: str, value: Any, then: Any = ...) -> Change:
    """Set one field and expect it back."""
    sent: dict[str, Any] = {}
    here = sent
    *outer, last = path.split(".")
    for step in outer:
        here = here.setdefault(step, {})
    here[last] = value
    return Change(name, sent, {path: value if then is ... else then})


_IN, _OUT, _TURNS = "audio.input", "audio.output", "audio.input.turn_detection"


def _vad(name: str, fields: Event, **then: Any) -> Change:
    detection = {"audio": {"input": {"turn_detection": fields}}}
    return Change(name, detection, {f"{_TURNS}.{field}": value for field, value in {**fields, **then}.items()})


CHANGES: tuple[Change, ...] = (
    _one("instructions", "instructions", "Be brief."),
    _one("instructions-empty", "instructions", ""),
    _one("instructions-unicode", "instructions", "Grüß Gott ☃ 你好 \U0001f600"),
    _one("instructions-long", "instructions", "Be brief. " * 5_000),
    _one("text-only", "output_modalities", ["text"]),
    _one("audio-only", "output_modalities", ["audio"]),
    _one("both-modalities-mean-audio", "output_modalities", ["text", "audio"], ["audio"]),
    Change("a-tool", {"tools": [_FUNCTION]}, {"tools.0.name": "get_weather", "tools.0.type": "function"}),
    Change("a-tools-parameters", {"tools": [_FUNCTION]}, {"tools.0.parameters": _FUNCTION["parameters"]}),
    Change("a-tools-description", {"tools": [_FUNCTION]}, {"tools.0.description": "Get the weather."}),
    Change("two-tools", {"tools": [_FUNCTION, _OTHER]}, {"tools.0.name": "get_weather", "tools.1.name": "get_time"}),
    Change("a-tool-without-parameters", {"tools": [_OTHER]}, {"tools.0.name": "get_time"}),
    Change("a-tool-with-extras", {"tools": [{**_FUNCTION, "strict": True}]}, {"tools.0.name": "get_weather"}),
    Change(
        "strict-inside-parameters",
        {"tools": [{**_OTHER, "parameters": {"strict": True, "type": "object"}}]},
        {"tools.0.parameters.strict": True},
    ),
    Change(
        "a-tool-with-nulls",
        {"tools": [{"type": "function", "name": "get_time", "description": None, "parameters": None}]},
        {"tools.0.name": "get_time"},
    ),
    Change("no-tools", {"tools": []}, {"tools": []}),
    _one("tool-choice-none", "tool_choice", "none"),
    _one("tool-choice-required", "tool_choice", "required"),
    _one("tool-choice-auto", "tool_choice", "auto"),
    Change(
        "tool-choice-function",
        {"tools": [_FUNCTION], "tool_choice": {"type": "function", "name": "get_weather"}},
        {"tool_choice": {"type": "function", "name": "get_weather"}},
    ),
    _one("reasoning", "reasoning", {"effort": "low"}),
    _one("parallel-tool-calls", "parallel_tool_calls", False),
    _one("one-token", "max_output_tokens", 1),
    _one("most-tokens", "max_output_tokens", 4_096),
    _one("endless-tokens", "max_output_tokens", "inf"),
    _one("truncation-auto", "truncation", "auto"),
    _one("truncation-disabled", "truncation", "disabled"),
    _one("truncation-ratio", "truncation", {"type": "retention_ratio", "retention_ratio": 0.8}),
    Change(
        "truncation-limits",
        {
            "truncation": {
                "type": "retention_ratio",
                "retention_ratio": 0.5,
                "token_limits": {"post_instructions": 9_000},
            }
        },
        {"truncation.token_limits.post_instructions": 9_000},
    ),
    _one("tracing-auto", "tracing", "auto"),
    _one("tracing-object", "tracing", {"workflow_name": "w", "group_id": "g", "metadata": {"a": "b"}}),
    _one("tracing-null", "tracing", None),
    _one("include", "include", [_LOGPROBS]),
    _one("include-null", "include", None),
    _one("prompt-null", "prompt", None),
    *(_one(f"voice-{voice}", f"{_OUT}.voice", voice) for voice in ("alloy", "ash", "marin", "verse", "custom-voice")),
    _one("voice-object", f"{_OUT}.voice", {"id": "voice_123"}, "voice_123"),
    *(_one(f"speed-{speed}", f"{_OUT}.speed", speed) for speed in (0.25, 1.0, 1.5)),
    *(
        _one(f"{side}-{kind}", f"audio.{side}.format", {"type": f"audio/{kind}"})
        for side in ("input", "output")
        for kind in ("pcmu", "pcma")
    ),
    _one("input-pcm", f"{_IN}.format", _PCM),
    _one("output-pcm", f"{_OUT}.format", _PCM),
    _one("input-pcm-without-rate", f"{_IN}.format", {"type": "audio/pcm"}, _PCM),
    _one("transcription-null", f"{_IN}.transcription", None),
    *(
        Change(
            f"transcription-{model}",
            {"audio": {"input": {"transcription": {"model": model}}}},
            {f"{_IN}.transcription.model": model},
        )
        for model in ("whisper-1", "gpt-4o-mini-transcribe", "gpt-4o-transcribe")
    ),
    Change(
        "transcription-language",
        {"audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}}},
        {f"{_IN}.transcription.language": "en"},
    ),
    Change(
        "transcription-prompt",
        {"audio": {"input": {"transcription": {"model": "whisper-1", "prompt": "names"}}}},
        {f"{_IN}.transcription.prompt": "names"},
    ),
    Change(
        "transcription-delay",
        {"audio": {"input": {"transcription": {"model": "gpt-realtime-whisper", "delay": "low"}}}},
        {f"{_IN}.transcription.delay": "low"},
    ),
    Change(
        "transcription-of-newer-models",
        {"audio": {"input": {"transcription": {"model": "gpt-transcribe", "keywords": ["Ed"], "languages": ["en"]}}}},
        {f"{_IN}.transcription.keywords": ["Ed"], f"{_IN}.transcription.languages": ["en"]},
    ),
    *(
        Change(
            f"noise-{kind}",
            {"audio": {"input": {"noise_reduction": {"type": kind}}}},
            {f"{_IN}.noise_reduction.type": kind},
        )
        for kind in ("near_field", "far_field")
    ),
    _one("noise-null", f"{_IN}.noise_reduction", None),
    _one("turns-null", _TURNS, None),
    _one("turns-false-means-null", _TURNS, False, None),
    _one("turns-type-none-means-null", _TURNS, {"type": "none"}, None),
    _vad("server-vad", {"type": "server_vad"}, create_response=True, interrupt_response=True),
    _vad("threshold", {"type": "server_vad", "threshold": 0.7}),
    _vad("threshold-zero", {"type": "server_vad", "threshold": 0}),
    _vad("prefix", {"type": "server_vad", "prefix_padding_ms": 150}),
    _vad("silence", {"type": "server_vad", "silence_duration_ms": 900}),
    _vad("create-response-off", {"type": "server_vad", "create_response": False}),
    _vad("interrupt-response-off", {"type": "server_vad", "interrupt_response": False}),
    _vad("idle-timeout", {"type": "server_vad", "idle_timeout_ms": 6_000}),
    _vad("idle-timeout-null", {"type": "server_vad", "idle_timeout_ms": None}),
    *(
        _vad(f"eagerness-{how}", {"type": "semantic_vad", "eagerness": how})
        for how in ("low", "medium", "high", "auto")
    ),
    _vad("semantic-vad", {"type": "semantic_vad"}, create_response=True, interrupt_response=True),
    _vad("semantic-create-off", {"type": "semantic_vad", "create_response": False}),
    _vad("semantic-interrupt-off", {"type": "semantic_vad", "interrupt_response": False}),
    # The retired beta's flat fields, which demos and firmware still send to any endpoint.
    Change("flat-voice", {"voice": "echo"}, {f"{_OUT}.voice": "echo"}),
    Change("flat-modalities", {"modalities": ["text"]}, {"output_modalities": ["text"]}),
    Change("flat-input-format", {"input_audio_format": "g711_ulaw"}, {f"{_IN}.format.type": "audio/pcmu"}),
    Change("flat-output-format", {"output_audio_format": "g711_alaw"}, {f"{_OUT}.format.type": "audio/pcma"}),
    Change(
        "flat-transcription",
        {"input_audio_transcription": {"model": "whisper-1"}},
        {f"{_IN}.transcription.model": "whisper-1"},
    ),
    Change("flat-turns", {"turn_detection": None}, {_TURNS: None}),
    Change("flat-tokens", {"max_response_output_tokens": 77}, {"max_output_tokens": 77}),
    Change("flat-temperature", {"temperature": 0.8, "instructions": "Warm."}, {"instructions": "Warm."}),
)


def _change(change: Change) -> Check:
    async def work(bench: Bench) -> None:
        async with bench.open() as peer:
            session = await peer.update(**change.sent)
            for path, value in change.then.items():
                expect_equal(at(session, path), value, f"session.{path}")

    shown = ", ".join(f"{path} = {value!r:.60}" for path, value in change.then.items())
    return Check("session.update", change.name, f"Apply it: {shown}.", work)


async def _no_type(bench: Bench) -> None:
    """Take an update without `session.type`."""
    async with bench.open() as peer:
        await peer.send("session.update", session={"instructions": "Hi."})
        expect_equal(at(await peer.until("session.updated"), "session.instructions"), "Hi.", "instructions")


async def _other_model(bench: Bench) -> None:
    """Ignore another model's name, as clients always send one."""
    async with bench.open() as peer:
        session = await peer.update(model="gpt-realtime-2.1", instructions="Hi.")
        expect_equal(session.get("model"), bench.target.model, "session.model")


async def _ignored_fields(bench: Bench) -> None:
    """Take what only some models know: reasoning, parallel calls."""
    async with bench.open() as peer:
        session = await peer.update(reasoning={"effort": "low"}, parallel_tool_calls=True, instructions="Hi.")
        expect_equal(session.get("instructions"), "Hi.", "instructions")


async def _unknown_field(bench: Bench) -> None:
    """Ignore an unknown field, or refuse the whole update with `unknown_parameter`."""
    async with bench.open() as peer:
        await peer.send("session.update", session={"type": "realtime", "colour": "blue", "instructions": "Hi."})
        answer = await peer.until("session.updated", "error", errors=True)
        if answer["type"] == "error":
            expect_equal(at(answer, "error.code"), "unknown_parameter", "error.code")
        else:
            expect_equal(at(answer, "session.instructions"), "Hi.", "instructions")


async def _whole(bench: Bench) -> None:
    """Answer with the whole session, not with the change."""
    async with bench.open() as peer:
        session = await peer.update(instructions="Hi.")
        missing = set(at(peer.log[0], "session")) - set(session)
        expect(not missing, f"session.updated lacks {sorted(missing)}")


async def _nothing(bench: Bench) -> None:
    """Answer an update that changes nothing."""
    async with bench.open() as peer:
        session = await peer.update()
        expect_equal(session, at(peer.log[0], "session"), "the session")


async def _absent_keeps(bench: Bench) -> None:
    """Keep what an update does not name."""
    async with bench.open() as peer:
        await peer.update(instructions="Keep me.", tools=[_OTHER], max_output_tokens=99)
        session = await peer.update(audio={"output": {"voice": "ash"}})
        expect_equal(session.get("instructions"), "Keep me.", "instructions")
        expect_equal(at(session, "tools.0.name"), "get_time", "tools")
        expect_equal(session.get("max_output_tokens"), 99, "max_output_tokens")


async def _deep_input(bench: Bench) -> None:
    """Merge `audio.input` by its members."""
    async with bench.open() as peer:
        await peer.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
        session = await peer.update(audio={"input": {"noise_reduction": {"type": "near_field"}}})
        expect_equal(at(session, f"{_IN}.transcription.model"), "whisper-1", "transcription.model")


async def _deep_output(bench: Bench) -> None:
    """Merge `audio.output` by its members."""
    async with bench.open() as peer:
        await peer.update(audio={"output": {"voice": "ash", "format": {"type": "audio/pcmu"}}})
        session = await peer.update(audio={"output": {"speed": 1.2}})
        expect_equal(at(session, f"{_OUT}.voice"), "ash", "voice")
        expect_equal(at(session, f"{_OUT}.format.type"), "audio/pcmu", "format")


async def _deep_audio(bench: Bench) -> None:
    """Keep one half of `audio` when the other is changed."""
    async with bench.open() as peer:
        await peer.update(audio={"input": {"turn_detection": None}})
        session = await peer.update(audio={"output": {"voice": "ash"}})
        expect_equal(at(session, _TURNS), None, _TURNS)


async def _turns_replaced(bench: Bench) -> None:
    """Replace `turn_detection` as a whole."""
    async with bench.open() as peer:
        await peer.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}})
        session = await peer.update(audio={"input": {"turn_detection": {"type": "server_vad"}}})
        expect_equal(at(session, f"{_TURNS}.threshold"), 0.5, "threshold")


async def _transcription_replaced(bench: Bench) -> None:
    """Replace `transcription` as a whole."""
    async with bench.open() as peer:
        await peer.update(audio={"input": {"transcription": {"model": "whisper-1", "language": "en"}}})
        session = await peer.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
        expect(not at(session, f"{_IN}.transcription").get("language"), "the language was kept")


async def _tools_replaced(bench: Bench) -> None:
    """Replace the list of tools as a whole."""
    async with bench.open() as peer:
        await peer.update(tools=[_FUNCTION])
        session = await peer.update(tools=[_OTHER])
        expect_equal([tool["name"] for tool in at(session, "tools")], ["get_time"], "the tools")


async def _strength_kept(bench: Bench) -> None:
    """Keep the strength of noise reduction when only its type is given."""
    async with bench.open() as peer:
        await peer.update(audio={"input": {"noise_reduction": {"type": "near_field", "strength": 0.4}}})
        session = await peer.update(audio={"input": {"noise_reduction": {"type": "far_field"}}})
        expect_equal(at(session, f"{_IN}.noise_reduction.strength"), 0.4, "strength")


async def _null_clears(bench: Bench) -> None:
    """Clear with null."""
    async with bench.open() as peer:
        await peer.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
        session = await peer.update(audio={"input": {"transcription": None}})
        expect_equal(at(session, f"{_IN}.transcription"), None, "transcription")


async def _atomic(bench: Bench) -> None:
    """Apply nothing of an update with a mistake in it."""
    async with bench.open() as peer:
        before = at(peer.log[0], "session")
        await peer.fault(await peer.send("session.update", session={"instructions": "Lost.", "tool_choice": "maybe"}))
        expect_equal((await peer.update()).get("instructions"), before["instructions"], "instructions")


async def _in_order(bench: Bench) -> None:
    """Answer twenty updates one by one, in their order."""
    async with bench.open() as peer:
        for number in range(20):
            await peer.send("session.update", session={"type": "realtime", "instructions": f"Number {number}."})
        for number in range(20):
            said = at(await peer.until("session.updated"), "session.instructions")
            expect_equal(said, f"Number {number}.", "instructions")


async def _while_answering(bench: Bench) -> None:
    """Take an update while a response runs."""
    async with bench.open() as peer:
        await peer.update(audio={"input": {"turn_detection": None}})
        await peer.write("Hello!")
        await peer.send("response.create")
        await peer.until("response.created")
        await peer.update(instructions="Later.")


async def _same_session(bench: Bench) -> None:
    """Keep the session's id and expiry over updates."""
    async with bench.open() as peer:
        session = await peer.update(instructions="Hi.")
        for member in ("id", "expires_at", "object", "type"):
            expect_equal(session.get(member), at(peer.log[0], f"session.{member}"), member)


async def _tracing_again(bench: Bench) -> None:
    """Take a second wish for tracing without an error."""
    async with bench.open() as peer:
        await peer.update(tracing="auto")
        await peer.update(tracing={"workflow_name": "w"})


async def _voice_after_audio(bench: Bench) -> None:
    """Keep the rest of an update that also names another voice after audio was produced."""
    async with bench.by_hand() as peer:
        await peer.write("Hello!")
        await peer.respond()
        session = await peer.update(instructions="Kept.", audio={"output": {"voice": "verse"}})
        expect_equal(session.get("instructions"), "Kept.", "instructions")


CHECKS = (
    *(_change(change) for change in CHANGES),
    *checks(
        "session.update",
        _no_type,
        _other_model,
        _ignored_fields,
        _unknown_field,
        _absent_keeps,
        _deep_input,
        _deep_output,
        _deep_audio,
        _turns_replaced,
        _transcription_replaced,
        _tools_replaced,
        _strength_kept,
        _null_clears,
        _atomic,
        _while_answering,
        _tracing_again,
        _voice_after_audio,
    ),
    *checks("session.updated", _whole, _nothing, _in_order, _same_session),
)
