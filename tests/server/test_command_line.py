"""The command line as scripts and people use it: flags, help, refusals, and every command against a real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from running_server import KEY, ask, receive_until, running_server
from websockets.asyncio.client import connect

from parley.audio import decode_file, wav_bytes
from parley.cli import main
from parley.engines.base import EngineError
from parley.server.own_addresses import own_addresses
from parley.server.settings import Settings
from parley.testing import FakeChatModel, engine_set
from parley.testing.stub_openai import StubOpenAI

FLAGS = (
    *(
        "--host",
        "--port",
        "--media-port",
        "--announce",
        "--media-threads",
        "--api-key",
        "--calls-app",
        "--cors-origin",
        "--config",
    ),
    *("--max-session-minutes", "--capture", "--voice"),
    *(f"--{stage}{part}" for stage in ("stt", "llm", "tts") for part in ("", "-model", "-key")),
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_help_names_every_command_and_serve_every_flag() -> None:
    helped = run("--help").output
    for command in ("serve", "token", "models", "replay", "talk", "doctor", "config"):
        assert re.search(rf"^  {command}\b", helped, re.MULTILINE)
        assert "Examples:" in run(command, "--help").output or len(run(command, "--help").output) > 150
    flags = run("serve", "--help").output
    for flag in FLAGS:
        assert re.search(rf"{flag}\b", flags), flag


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from parley.cli import main; main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("litestar", "uvicorn", "numpy", "onnxruntime", "openai", "rich", "msgspec", "asyncio"):
        assert f"'{heavy}'" not in loaded, heavy


def test_an_unknown_command_gets_the_nearest() -> None:
    answer = run("sevre")
    assert answer.exit_code == 2
    assert "parley serve" in answer.output


REFUSALS: list[tuple[list[str], dict[str, str], str]] = [
    (["serve", "--host", "0.0.0.0"], {}, "--api-key"),
    (["serve", "--port", "many"], {}, "0 to 65535"),
    (["serve"], {"PARLEY_STT_MODLE": "x"}, "PARLEY_STT_MODEL"),
    (["serve", "--config", "absent.toml"], {}, "cannot read"),
    (["serve", "--port", "0", "--llm", "dmeo"], {}, "demo"),
    (["serve", "--host", "203.0.113.9", "--api-key", "k" * 20], {}, "does not have that address"),
    (["token", "--url", "http://127.0.0.1:9"], {}, "parley serve"),
    (["token", "--session", "{"], {}, "not valid JSON"),
    (["token", "--scope", "{"], {}, "--scope is not valid JSON"),
    (["talk", "--input", "absent.wav"], {}, "cannot read"),
    (["talk", "--output", "x.wav"], {}, "--input"),
    (["replay", "absent.jsonl"], {}, "Cannot read"),
    (["models", "pull", "gpt-9"], {}, "moonshine-tiny-en"),
]


@pytest.mark.parametrize(("arguments", "environ", "words"), REFUSALS)
def test_refusals_are_one_line_with_the_fix(
    arguments: list[str], environ: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PARLEY_MODELS_DIR", str(tmp_path))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    extra = ["--stt", "http://127.0.0.1:9/v1", "--tts", "http://127.0.0.1:9/v1"] if "--llm" in arguments else []
    answer = run(*arguments, *extra)
    assert answer.exit_code in {1, 2}
    assert words in answer.output
    assert "Traceback" not in answer.output


def test_a_busy_port_is_told_with_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = run("serve", "--port", str(port))
    assert answer.exit_code == 1
    assert f"another program listens on 127.0.0.1:{port}" in answer.output
    assert f"--port {port + 1}" in answer.output


def test_config_show_gives_sources_and_hides_secrets(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text('voice = "v"\nllm_key = "sk-very-secret-key"\n')
    text = run("config", "show", "--port", "9000").output
    assert re.search(r"port +9000 +--port", text)
    assert re.search(r"voice +v +parley\.toml: voice", text)
    assert "very-secret" not in text
    rows = json.loads(run("config", "show", "--json").output)
    assert rows["voice"] == {"value": "v", "source": "parley.toml: voice"}
    assert "very-secret" not in json.dumps(rows)


async def in_thread(*arguments: str) -> Result:
    return await asyncio.to_thread(run, *arguments)


async def test_token_mints_from_a_running_server() -> None:
    async with running_server(Settings(api_keys=(KEY,))) as server:
        minted = await in_thread("token", "--url", server.url, "--api-key", KEY, "--session", '{"instructions": "Hi."}')
        assert minted.exit_code == 0
        async with server.websocket("/v1/realtime", key=minted.output.strip()) as socket:
            created = (await receive_until(socket, "session.created"))[-1]
            assert created["session"]["instructions"] == "Hi."
        whole = json.loads((await in_thread("token", "--url", server.url, "--api-key", KEY, "--json")).output)
        assert whole["client_secret"]["value"] == whole["value"]
        refused = await in_thread("token", "--url", server.url)
        assert refused.exit_code == 1
        assert "--api-key" in refused.output
        keyed = ("token", "--url", server.url, "--api-key", KEY)
        scoped = json.loads((await in_thread(*keyed, "--json", "--scope", '{"max_sessions": 1}')).output)
        assert scoped["parley"]["max_sessions"] == 1
        mistaken = await in_thread(*keyed, "--scope", '{"lock": ["voices"]}')
        assert (mistaken.exit_code, "parley.lock" in mistaken.output) == (1, True)


async def test_a_captured_session_replays_identically(tmp_path: Path) -> None:
    async with running_server(Settings(capture=tmp_path / "captures")) as server, server.websocket() as socket:
        await ask(socket, "hello")
    (recording,) = (tmp_path / "captures").glob("*.jsonl")
    assert recording.stat().st_mode & 0o077 == 0
    answer = await in_thread("replay", str(recording))
    assert (answer.exit_code, answer.output.strip()) == (0, f"{recording}: identical")
    lines = recording.read_text().splitlines()
    index = next(n for n, line in enumerate(lines) if "You " in line)
    lines[index] = lines[index].replace("You ", "Yes ")
    recording.write_text("\n".join(lines))
    changed = await in_thread("replay", str(recording))
    assert changed.exit_code == 1
    assert "difference" in changed.output


async def test_talk_by_files_writes_what_was_heard(tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(wav_bytes(bytes(4_800)))
    async with running_server() as server:
        answer = await in_thread("talk", "--url", server.url, "--input", "in.wav", "--output", "out.wav", "--greet")
    assert answer.exit_code == 0, answer.output
    assert "Parley: Hello." in answer.output
    heard = decode_file((tmp_path / "out.wav").read_bytes())
    assert any(heard)
    assert heard.strip(b"\0") in heard


async def test_talk_reports_what_failed(tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(wav_bytes(bytes(4_800)))
    async with running_server(Settings(api_keys=(KEY,))) as server:
        answer = await in_thread("talk", "--url", server.url, "--api-key", "wrong", "--input", "in.wav")
    assert answer.exit_code == 1
    assert "Incorrect API key" in answer.output


def test_models_list_says_what_is_missing(tmp_path: Path) -> None:
    text = run("models", "list", "--models-dir", str(tmp_path / "none")).output
    assert re.search(r"moonshine-tiny-en +stt .* missing", text)
    assert "was not here" in run("models", "rm", "two-cities", "--models-dir", str(tmp_path / "none")).output


async def test_doctor_finds_what_is_wrong_and_says_the_fix(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with StubOpenAI() as stub:
            stages = [word for stage in ("--llm", "--tts") for word in (stage, stub.url)]
            arguments = [*stages, "--models-dir", str(tmp_path), "--port", str(taken.getsockname()[1]), "--json"]
            answer = await in_thread("doctor", *arguments)
    findings: dict[str, Any] = {finding["subject"]: finding for finding in json.loads(answer.output)}
    assert answer.exit_code == 1
    assert findings["port"]["verdict"] == "bad"
    assert findings["model"]["fix"].startswith("parley models pull moonshine-tiny-en")
    assert findings["stt"]["verdict"] == "bad"
    assert findings["llm"]["verdict"] == findings["tts"]["verdict"] == "ok"


@dataclass
class Shown:
    """A running `parley serve`, and what its terminal has shown."""

    process: asyncio.subprocess.Process
    text: str = ""

    async def until(self, pattern: str, count: int = 1) -> list[Any]:
        """Read on until `pattern` has been shown so often; give what it found."""
        assert self.process.stderr is not None
        while len(found := re.findall(pattern, self.text, re.MULTILINE)) < count:
            line = await asyncio.wait_for(self.process.stderr.readline(), 30)
            assert line, self.text
            self.text += line.decode()
        return found

    async def end(self) -> None:
        """Stop it as Ctrl+C does, and read to the end."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGTERM)
        self.text += (await asyncio.wait_for(self.process.stderr.read(), 20)).decode()
        assert await self.process.wait() == 0


@asynccontextmanager
async def shown_serve(*arguments: str) -> AsyncIterator[Shown]:
    """Run `parley serve` on a free port, with engines that answer at once."""
    async with StubOpenAI() as stub:
        stages = [word for stage in ("--stt", "--llm", "--tts") for word in (stage, stub.url, f"{stage}-model", "m")]
        command = [sys.executable, "-m", "parley.cli", "serve", "--port", "0", *arguments, *stages]
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        try:
            yield Shown(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.mark.timeout(60)
async def test_serve_starts_answers_and_drains_on_a_signal() -> None:
    async with shown_serve() as served:
        started = time.monotonic()
        await served.until("Listening on")
        listened = time.monotonic() - started
        await served.until("Ready")
        (url,) = set(await served.until(r"http://127\.0\.0\.1:\d+"))
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            assert (await http.get("/readyz")).json()["ready"] is True
            models = (await http.get("/v1/models")).json()
            assert "m" in [model["id"] for model in models["data"]]
        await served.end()
        assert "Stopped." in served.text
        assert "Traceback" not in served.text
        assert listened < 10


QR_LINE = "^[ \u2580\u2584\u2588]{20,}$"


@pytest.mark.timeout(60)
async def test_serve_on_the_lan_shows_a_link_that_lets_one_phone_in_and_then_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_MODELS_DIR", str(tmp_path / "models"))
    link = rf"^(https://{re.escape(own_addresses()[0])}:\d+)(/join/\S+)$"
    async with shown_serve("--lan", "--media-port", "0") as served:
        ((base, first),) = await served.until(link)
        await served.until("Its browser warns")
        assert len(re.findall(QR_LINE, served.text, re.MULTILINE)) >= 15
        trusted = ssl.create_default_context(cafile=tmp_path / "tls" / "certificate.pem")
        async with httpx.AsyncClient(base_url=base, verify=trusted, trust_env=False) as phone:
            refused = await phone.get("/ui/config")
            assert not refused.json()["signed_in"]
            assert (await phone.get(first)).status_code == 303
            assert (await phone.get("/ui/config")).json()["signed_in"]
            assert (await phone.get(first)).status_code == 410
        (_, (_, second)) = await served.until(link, 2)
        assert second != first
        async with httpx.AsyncClient(base_url=base, verify=trusted, trust_env=False) as other:
            assert (await other.get(second)).status_code == 303
        await served.end()


@pytest.mark.timeout(60)
async def test_serve_with_a_certificate_of_its_own_speaks_wss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_MODELS_DIR", str(tmp_path / "models"))
    async with shown_serve("--tls-self-signed") as served:
        await served.until("Ready")
        (port,) = set(await served.until(r"https://127\.0\.0\.1:(\d+)"))
        trusted = ssl.create_default_context(cafile=tmp_path / "tls" / "certificate.pem")
        async with connect(f"wss://127.0.0.1:{port}/v1/realtime?model=m", ssl=trusted, proxy=None) as session:
            assert json.loads(await session.recv())["type"] == "session.created"
        await served.end()


async def test_an_engine_that_is_not_there_yet_is_waited_for() -> None:
    class Late(FakeChatModel):
        attempts = 0

        async def warm_up(self) -> None:
            Late.attempts += 1
            if Late.attempts == 1:
                raise EngineError("The LLM at 127.0.0.1:9 refused the connection: is it running?", retryable=True)

    chat = Late()
    async with running_server(build=lambda: engine_set(chat=chat)) as server, server.http() as http:
        waiting = await http.get("/readyz")
        assert (waiting.status_code, waiting.json()["state"]) == (503, "degraded")
        assert "is it running?" in waiting.json()["problems"]["llm"]
        for _ in range(400):
            if (await http.get("/readyz")).status_code == 200:
                break
            await asyncio.sleep(0.02)
        assert (await http.get("/readyz")).json() == {
            "ready": True,
            "state": "ready",
            "media": "off",
            "problems": {},
        }
