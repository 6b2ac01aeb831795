"""A bare echo on aiortc: whoever offers audio gets it back, decoded and encoded again. The baseline for live sessions.

Runs under aiortc's own environment (`requirements/clients/aiortc.txt`), takes raw SDP by HTTP POST on any path, prints
its port on the first line. Nothing of Parley is imported.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc import RTCPeerConnection, RTCSessionDescription


async def _answer(offer: str, kept: set[Any]) -> str:
    connection = RTCPeerConnection()
    kept.add(connection)

    @connection.on("track")  # type: ignore[untyped-decorator]
    def on_track(track: Any) -> None:
        connection.addTrack(track)

    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    answer: str = connection.localDescription.sdp
    return answer


async def main() -> None:
    """Serve until killed."""
    kept: set[Any] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        answer = (await _answer((await reader.readexactly(length)).decode(), kept)).encode()
        writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
