"""`parley talk`: a conversation with a running server, by microphone and speaker or by wav files."""

from __future__ import annotations

import asyncio
import importlib.util
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
    if pcm is None and importlib.util.find_spec("sounddevice") is None:
        raise Failure(
            "The microphone needs the package sounddevice: pip install 'parley[talk]' (Debian also: apt install "
            "libportaudio2). Without one: parley talk --input question.wav --output conversation.wav"
        )
    address = _address(server_url(url), model)
    options = {"instructions": instructions, "voice": voice, "greet": pcm is None if greet is None else greet}
    try:
        failed, sound = asyncio.run(_talk(address, server_key(api_key), options, pcm))
    except KeyboardInterrupt:
        failed, sound = None, b""
    if heard is not None:
        _write(heard, sound)
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


def _address(url: str, model: str | None) -> str:
    from urllib.parse import quote

    if not url.startswith(("http://", "https://")):
        raise Failure(f"--url: `{url}` is not an address. Write it like http://127.0.0.1:8080.")
    query = f"?model={quote(model)}" if model else ""
    return "ws" + url.removeprefix("http").removesuffix("/v1") + "/v1/realtime" + query


def _write(path: Path, sound: bytes) -> None:
    from parley.audio import wav_bytes

    try:
        path.write_bytes(wav_bytes(sound))
    except OSError as error:
        raise Failure(f"--output: cannot write {path}: {error.strerror}.") from None


async def _talk(address: str, key: str | None, options: dict[str, Any], pcm: bytes | None) -> tuple[str | None, bytes]:
    """Hold the conversation; give what went wrong in it, if anything did, and the sound that was heard."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidURI

    from parley.cli.talking import Conversation, devices, wav_file

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        socket = await connect(address, additional_headers=headers, max_size=None, compression=None)
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
        words = f"Cannot connect to {address} ({type(error).__name__}). Is `parley serve` running? --url names another."
        raise Failure(words) from None
    conversation = Conversation(socket, lambda text: click.echo(text, nl=False))
    sound = bytearray()
    async with socket, asyncio.TaskGroup() as group:
        await conversation.begin(**options)
        listening = group.create_task(conversation.listen())
        speaking = group.create_task(
            devices(conversation) if pcm is None else wav_file(conversation, pcm, hear=sound.extend)
        )
        await asyncio.wait({listening, speaking}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        speaking.cancel()
    return conversation.failed, bytes(sound)
