"""One peer of the Calls API on aiortc, run in an environment of its own: no test itself.

Argument and answers as in `gstreamer_calls`: it publishes a tone, prints its session, and pulls the tone of each
session that it reads.
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiortc_peer import Api, Peer, hear


async def main() -> None:
    asked = json.loads(sys.argv[1])
    api = Api(asked["api"], asked["secret"])
    mouth = await Peer.make(api)
    await mouth.push("tone", asked["hz"], "sendonly")
    sys.stdout.write(json.dumps({"session": mouth.session}) + "\n")
    sys.stdout.flush()
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        ear = await Peer.make(api)
        wanted = {"location": "remote", "sessionId": line, "trackName": "tone"}
        await ear.answer(await ear.ask("/tracks/new", {"tracks": [wanted]}))
        await ear.connected()
        sys.stdout.write(json.dumps({"hz": await hear(ear.heard)}) + "\n")
        sys.stdout.flush()
        await ear.pc.close()
    await mouth.pc.close()


asyncio.run(main())
