"""A conversation in the terminal: one WebSocket, a source of speech, a place to hear it, the transcript on the screen.

The same client behaviour as the console page: on `speech_started` it falls silent and truncates the message to what was
heard. Neighbours: `talk` (the command), `play_buffer` (what is still to be heard).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from parley.cli.play_buffer import PlayBuffer

__all__ = ["TICK_MS", "TICK_SAMPLES", "Conversation", "devices", "wav_file"]

TICK_MS = 40
TICK_SAMPLES = 24 * TICK_MS
_LINGER_TICKS = 2_000 // TICK_MS
_LONGEST_TICKS = 90_000 // TICK_MS


class Conversation:
    """Sends speech, plays answers, prints both. `show` gets text to print, without a line end unless it has one."""

    def __init__(self, socket: ClientConnection, show: Callable[[str], None]) -> None:
        self._socket = socket
        self._show = show
        self._speaking = False
        self.player = PlayBuffer()
        self.busy = False
        self.failed: str | None = None

    async def begin(self, *, instructions: str | None, voice: str | None, greet: bool) -> None:
        """Configure the session, and let the assistant speak first if wanted."""
        session: dict[str, Any] = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
        if instructions:
            session["instructions"] = instructions
        if voice:
            session["audio"]["output"] = {"voice": voice}
        await self._send({"type": "session.update", "session": session})
        if greet:
            await self._send({"type": "response.create"})

    async def say(self, pcm: bytes) -> None:
        """Send a piece of speech, PCM16 mono 24 kHz."""
        await self._send({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})

    async def listen(self) -> None:
        """Receive until the server closes."""
        try:
            async for frame in self._socket:
                await self._on(json.loads(frame))
        except ConnectionClosed as closed:
            reason = closed.rcvd.reason if closed.rcvd is not None else "the connection broke"
            self.failed = self.failed or f"The server closed the conversation: {reason}."

    async def _send(self, event: dict[str, Any]) -> None:
        with suppress(ConnectionClosed):  # `listen` notices, and says why
            await self._socket.send(json.dumps(event))

    async def _on(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "response.output_audio.delta":
                self.player.push(event["item_id"], base64.b64decode(event["delta"]))
            case "response.output_audio_transcript.delta" | "response.output_text.delta":
                self._show(event["delta"] if self._speaking else f"\nParley: {event['delta']}")
                self._speaking = True
            case "conversation.item.input_audio_transcription.completed":
                self._show(f"\nYou: {event['transcript']}")
                self._speaking = False
            case "input_audio_buffer.speech_started":
                await self._interrupted()
            case "input_audio_buffer.committed" | "response.created":
                self.busy = True
            case "response.done":
                self._done(event["response"])
            case "error":
                self.failed = event["error"]["message"]
                self._show(f"\n[{event['error']['code']}] {self.failed}\n")

    async def _interrupted(self) -> None:
        heard = self.player.flush()
        if heard is not None:
            self._show(" —")
            cut = {"item_id": heard.item_id, "content_index": 0, "audio_end_ms": heard.audio_ms}
            await self._send({"type": "conversation.item.truncate", **cut})

    def _done(self, response: dict[str, Any]) -> None:
        self.busy = False
        self._speaking = False
        if response["status"] == "failed":
            self.failed = response["status_details"]["error"].get("message", "the response failed")
            self._show(f"\n[failed] {self.failed}\n")


async def wav_file(conversation: Conversation, pcm: bytes, *, hear: Callable[[bytes], None]) -> None:
    """Speak a recording at the speed of speech and hear what a person would: one tick in, one tick out.

    Ends when the recording is over and nothing is left to be said or heard.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    tick_bytes = TICK_SAMPLES * 2
    quiet = 0
    for tick in range(len(pcm) // tick_bytes + _LONGEST_TICKS):
        piece = pcm[tick * tick_bytes : (tick + 1) * tick_bytes]
        await conversation.say(piece.ljust(tick_bytes, b"\0"))
        hear(conversation.player.pull(TICK_SAMPLES))
        quiet = 0 if piece or conversation.busy or not conversation.player.empty else quiet + 1
        if quiet > _LINGER_TICKS:
            return
        await asyncio.sleep(max(0.0, started + (tick + 1) * TICK_MS / 1_000 - loop.time()))


async def devices(conversation: Conversation) -> None:
    """Speak into the default microphone and hear the default speaker, until cancelled. Needs `sounddevice`."""
    import sounddevice

    loop = asyncio.get_running_loop()
    spoken: asyncio.Queue[bytes] = asyncio.Queue(maxsize=50)

    def heard_by_microphone(data: Any, _frames: int, _time: Any, _status: Any) -> None:
        loop.call_soon_threadsafe(_offer, spoken, bytes(data))

    def wanted_by_speaker(data: Any, frames: int, _time: Any, _status: Any) -> None:
        data[:] = conversation.player.pull(frames)

    common = {"samplerate": 24_000, "channels": 1, "dtype": "int16", "blocksize": TICK_SAMPLES}
    with (
        sounddevice.RawInputStream(callback=heard_by_microphone, **common),
        sounddevice.RawOutputStream(callback=wanted_by_speaker, **common),
    ):
        async for piece in _taken(spoken):
            await conversation.say(piece)


def _offer(queue: asyncio.Queue[bytes], piece: bytes) -> None:
    """Overflow policy: two seconds may wait for the network, then the newest piece is dropped."""
    if not queue.full():
        queue.put_nowait(piece)


async def _taken(queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while True:
        yield await queue.get()
