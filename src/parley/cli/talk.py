"""`parley talk`: a conversation with a running server, by microphone and speaker or by wav files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from parley.cli.shared import Failure, server_key, server_url

__all__ = ["command"]


@click.command("talk")
@click.option("--url", metavar="URL", help="The server. Default: PARLEY_URL, else http://127.0.0.1:8080.")
@click.option("--api-key", metavar="KEY", help="Its key. Default: PARLEY_API_KEY or parley.toml here.")
@click.option("--model", metavar="NAME", help="Model to ask for.")
@click.option("--voice", metavar="NAME", help="Voice to ask for.")
@click.option("--instructions", metavar="TEXT", help="What the assistant is told.")
@click.option("--webrtc", is_flag=True, help="By WebRTC instead of WebSocket. Needs pip install 'parley[client]'.")
@click.option("--greet/--no-greet", default=None, help="Let the assistant speak first. Default: with a microphone.")
@click.option(
    "--input", "speech", metavar="FILE", type=click.Path(path_type=Path), help="Speak this recording instead."
)
@click.option(
    "--output", "heard", metavar="WAV", type=click.Path(path_type=Path), help="Write what is heard into a file."
)
def command(
    url: str | None,
    api_key: str | None,
    model: str | None,
    voice: str | None,
    instructions: str | None,
    webrtc: bool,
    greet: bool | None,
    speech: Path | None,
    heard: Path | None,
) -> None:
    """Talk with a server in this terminal; interrupt it by speaking. Wear headphones: a terminal cancels no echo.

    \b
    Examples:
      parley talk
      parley talk --input question.wav --output conversation.wav
    """  # noqa: D301 - click reads \b
    if speech is None and heard is not None:
        raise Failure("--output needs --input: it writes what is heard while that recording is spoken.")
    pcm = _decoded(speech) if speech is not None else None
    options = {
        "api_key": server_key(api_key),
        "model": model,
        "instructions": instructions,
        "voice": voice,
        "transport": "webrtc" if webrtc else "websocket",
        "greet": pcm is None if greet is None else greet,
    }
    sound = bytearray()
    try:
        failed = asyncio.run(_talk(server_url(url), options, pcm, sound))
    except KeyboardInterrupt:
        failed = None
    if heard is not None:
        _write(heard, bytes(sound))
    click.echo()
    if failed:
        raise Failure(failed)


def _decoded(path: Path) -> bytes:
    from parley.audio import AudioError, decode_file

    try:
        return decode_file(path.read_bytes())
    except OSError as error:
        raise Failure(f"--input: cannot read {path}: {error.strerror}.") from None
    except AudioError as error:
        raise Failure(f"--input: {path}: {error}.") from None


def _write(path: Path, sound: bytes) -> None:
    from parley.audio import wav_bytes

    try:
        path.write_bytes(wav_bytes(sound))
    except OSError as error:
        raise Failure(f"--output: cannot write {path}: {error.strerror}.") from None


async def _talk(url: str, options: dict[str, Any], pcm: bytes | None, sound: bytearray) -> str | None:
    """Hold the conversation, adding what is heard to `sound`; give what went wrong in it, if anything did."""
    from parley.cli.talking import Caption
    from parley.client import ClientError, Microphone, Session, Speaker, connect, speak_recording
    from parley.client.devices import require_devices

    caption = Caption(lambda text: click.echo(text, nl=False))

    async def listen(session: Session) -> None:
        async for event in session:
            caption.on(event)

    try:
        if pcm is None:
            require_devices()
        async with connect(url, **options) as session:
            if pcm is None:
                with Microphone(session), Speaker(session):
                    await listen(session)
            else:
                async with asyncio.TaskGroup() as group:
                    listening = group.create_task(listen(session))
                    speaking = group.create_task(speak_recording(session, pcm, hear=sound.extend))
                    await asyncio.wait({listening, speaking}, return_when=asyncio.FIRST_COMPLETED)
                    listening.cancel()
                    speaking.cancel()
            ended = session.closed_because
    except ClientError as error:
        raise Failure(
            f"{error} (--url names another server.)" if "running there" in str(error) else str(error)
        ) from None
    return caption.failed or (f"The server closed the conversation: {ended}." if ended else None)
