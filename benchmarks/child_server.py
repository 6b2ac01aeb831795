"""The server processes that benchmarks measure: Parley on engines of known delay, and a bare WebSocket echo.

Run as `python -m benchmarks.child_server parley|webrtc|calls ADDRESS|echo`; prints its port on the first line, serves
until killed.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from uvicorn import Config, Server

from benchmarks.known import CHAT_MS, RECOGNISER_MS, REPLY, SYNTHESIZER_MS

#: The one app of the server with calls.
CALLS_APP, CALLS_SECRET = "benchmarks", "secret-of-the-benchmarks"


def _engines() -> object:
    from parley.testing import FakeChatModel, FakeRecognizer, FakeSynthesizer, engine_set, say

    return engine_set(
        recognizer=FakeRecognizer(("what is it",), delay_ms=RECOGNISER_MS),
        chat=FakeChatModel(lambda _context: say(REPLY, first_ms=CHAT_MS)),
        synthesizer=FakeSynthesizer(delay_ms=SYNTHESIZER_MS),
    )


def _talkative_engines() -> object:
    """Engines that cost nothing; every answer is ten seconds of voice, as long as the generator lets it be spoken."""
    from benchmarks.voice import VoiceSynthesizer
    from parley.testing import FakeChatModel, FakeRecognizer, engine_set, say

    return engine_set(
        recognizer=FakeRecognizer(("what is it",)),
        chat=FakeChatModel(lambda _context: say(" ".join(["Words are said here."] * 10))),
        synthesizer=VoiceSynthesizer(),
    )


async def _serve_webrtc() -> None:
    from parley.media.native import NativePlane
    from parley.runtime.limits import Limits
    from parley.server.app import create_app
    from parley.server.serving import address_of, bind, serve
    from parley.server.settings import load_settings

    settings = load_settings(flags={}, environ={}, directory=Path("/nonexistent"))
    plane = NativePlane.open(announced=["127.0.0.1"], bind="127.0.0.1")
    app = create_app(settings, build=_talkative_engines, limits=Limits(max_sessions=2000), plane=plane)  # type: ignore[arg-type]
    sockets = bind("127.0.0.1", 0)
    await serve(app, sockets, started=lambda: print(address_of(sockets)[1], flush=True))


async def _serve_calls() -> None:
    from parley.media.native import NativePlane
    from parley.server.app import create_app
    from parley.server.serving import address_of, bind, serve
    from parley.server.settings import Settings

    plane = NativePlane.open(announced=[sys.argv[2]], bind=sys.argv[2])
    settings = Settings(calls_apps=((CALLS_APP, CALLS_SECRET),))
    app = create_app(settings, build=_engines, plane=plane)  # type: ignore[arg-type]
    sockets = bind("127.0.0.1", 0)
    await serve(app, sockets, started=lambda: print(address_of(sockets)[1], flush=True))


async def _serve_parley() -> None:
    from parley.runtime.limits import Limits
    from parley.server.app import create_app
    from parley.server.serving import address_of, bind, serve
    from parley.server.settings import load_settings

    settings = load_settings(flags={}, environ={}, directory=Path("/nonexistent"))
    app = create_app(settings, build=_engines, limits=Limits(max_sessions=2000))  # type: ignore[arg-type]
    sockets = bind("127.0.0.1", 0)
    await serve(app, sockets, started=lambda: print(address_of(sockets)[1], flush=True))


async def _echo(scope: dict[str, object], receive: object, send: object) -> None:
    """Answer every text frame with a frame of the same length: what the transport alone costs."""
    if scope["type"] != "websocket":
        return
    assert callable(receive)
    assert callable(send)
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message["text"]})


async def _serve_echo() -> None:
    from parley.server.serving import address_of, bind

    sockets = bind("127.0.0.1", 0)
    config = Config(
        _echo,
        log_level="warning",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=32 << 20,
        lifespan="off",
    )
    print(address_of(sockets)[1], flush=True)
    await Server(config).serve(sockets)


@contextlib.contextmanager
def child(kind: str, *arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run one of the servers; gives its port and process."""
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.child_server", kind, *arguments], cwd=root, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process
    finally:
        process.terminate()
        process.wait(timeout=20)


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """CPU time a process has used in threads that are still there, in seconds, to the nanosecond (Linux)."""
    threads = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


def wait_ready(port: int) -> None:
    """Return when every engine of the Parley on `port` is warm: what that costs is no session's."""
    import time
    import urllib.error
    import urllib.request

    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
        except urllib.error.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server is not ready after a minute")


if __name__ == "__main__":
    import uvloop

    SERVERS = {"parley": _serve_parley, "webrtc": _serve_webrtc, "calls": _serve_calls, "echo": _serve_echo}
    uvloop.run(SERVERS[sys.argv[1]]())
