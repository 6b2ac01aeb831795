"""An SFU on aiortc as its documentation shows one: `MediaRelay`, which decodes once and encodes for every subscriber.

Runs under aiortc's own environment (`requirements/clients/aiortc.txt`), takes raw SDP by HTTP POST on `/publish` and
`/subscribe`, prints its port on the first line. Nothing of Parley is imported.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay


class Room:
    """Everybody and what the first one sends."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._relay = MediaRelay()
        self._track: Any = None

    async def answer(self, path: str, offer: str) -> str:
        """Let somebody in."""
        connection = RTCPeerConnection()
        self._kept.append(connection)

        @connection.on("track")  # type: ignore[untyped-decorator]
        def on_track(track: Any) -> None:
            if path == "/publish":
                self._track = track

        if path == "/subscribe":
            connection.addTrack(self._relay.subscribe(self._track))
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        answer: str = connection.localDescription.sdp
        return answer


async def main() -> None:
    """Serve until killed."""
    room = Room()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        offer = (await reader.readexactly(length)).decode()
        answer = (await room.answer(head.split(" ")[1], offer)).encode()
        writer.write(b"HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
