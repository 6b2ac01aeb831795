"""Foreign peers of the Calls API on aiortc, run in an environment of its own: no test itself.

Argument: a JSON object with `api` (ending in /v1/apps/ID) and `secret`. It goes through the vendor's relay between a
person and a Realtime endpoint, request for request, a plain pull and a data channel, and prints what was heard as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiortc_peer import Api, Peer, Tone, hear

SETTLES_S = 0.5
"""Longer than a message takes that does not come."""


async def grants(human: Peer, listener: Peer, mouth: Any, ear: Any, said: asyncio.Queue[Any]) -> dict[str, Any]:
    """Take the right to answer and give it again, close a channel, and subscribe anew with an acknowledgement."""
    chat = {"location": "remote", "sessionId": human.session, "dataChannelName": "chat"}
    report: dict[str, Any] = {}
    report["taken"] = await listener.ask("/datachannels/update", {"dataChannels": [chat | {"canReply": False}]}, "PUT")
    ear.send("without the right")
    await asyncio.sleep(SETTLES_S)
    report["given"] = await listener.ask("/datachannels/update", {"dataChannels": [chat | {"canReply": True}]}, "PUT")
    ear.send("with the right")
    while (answer := await asyncio.wait_for(said.get(), 10)) == "hello":
        pass
    report["answered"] = answer

    closed = asyncio.Event()
    ear.on("close", closed.set)
    report["closed"] = await listener.ask("/datachannels/close", {"dataChannels": [{"id": ear.id}]}, "PUT")
    await asyncio.wait_for(closed.wait(), 10)
    report["states"] = [mouth.readyState, ear.readyState]

    again = await listener.ask("/datachannels/new", {"dataChannels": [chat | {"waitForAck": True}]})
    second = listener.pc.createDataChannel("chat", negotiated=True, id=again["dataChannels"][0]["id"])
    heard: asyncio.Queue[Any] = asyncio.Queue()
    second.on("message", heard.put_nowait)
    mouth.send("before the acknowledgement")
    await asyncio.sleep(SETTLES_S)
    report["waited"] = heard.empty()
    second.send("ready")
    for _ in range(40):
        mouth.send("after it")
        await asyncio.sleep(0.25)
        if not heard.empty():
            break
    report["acknowledged"] = await asyncio.wait_for(heard.get(), 10)
    report["ids"] = [ear.id, second.id]
    return report


async def main() -> None:
    asked = json.loads(sys.argv[1])
    api = Api(asked["api"], asked["secret"])
    report: dict[str, Any] = {}

    human = await Peer.make(api)
    await human.push("user-mic", 500, "sendrecv", kind="audio", bidirectionalMediaStream=True)

    endpoint = await Peer.make(api, "?thirdparty=true")
    invited = await endpoint.ask(
        "/tracks/new",
        {"tracks": [{"location": "local", "trackName": "voice", "kind": "audio", "bidirectionalMediaStream": True}]},
    )
    report["controlling"] = "a=ice-lite" not in invited["sessionDescription"]["sdp"]
    endpoint.pc.addTrack(Tone(900))
    await endpoint.answer(invited)
    to_human = {"location": "remote", "sessionId": endpoint.session, "trackName": "voice", "mid": "#user-mic"}
    to_endpoint = {"location": "remote", "sessionId": human.session, "trackName": "user-mic", "mid": "#voice"}
    first = await human.ask("/tracks/new", {"tracks": [to_human]})
    second = await endpoint.ask("/tracks/new", {"tracks": [to_endpoint]})
    report["descriptions"] = ["sessionDescription" in first, "sessionDescription" in second]
    await asyncio.gather(human.connected(), endpoint.connected())
    report["human"], report["endpoint"] = await asyncio.gather(hear(human.heard), hear(endpoint.heard))

    listener = await Peer.make(api)
    pulled = await listener.ask(
        "/tracks/new", {"tracks": [{"location": "remote", "sessionId": human.session, "trackName": "user-mic"}]}
    )
    await listener.answer(pulled)
    await listener.connected()
    report["listener"] = await hear(listener.heard)
    report["statistics"] = await api.ask("GET", f"/sessions/{listener.session}/statistics")
    report["published"] = await api.ask("GET", f"/sessions/{human.session}/statistics")
    switched = {"location": "remote", "sessionId": endpoint.session, "trackName": "voice", "mid": "0"}
    await listener.ask("/tracks/update", {"tracks": [switched]}, "PUT")
    await asyncio.sleep(0.5)
    while not listener.heard._queue.empty():
        listener.heard._queue.get_nowait()
    report["switched"] = await hear(listener.heard)

    told: asyncio.Queue[Any] = asyncio.Queue()
    listener.pc.on("datachannel", lambda channel: channel.on("message", lambda text: told.put_nowait(json.loads(text))))
    await listener.answer(await listener.ask("/datachannels/establish", {}))
    await human.answer(await human.ask("/datachannels/establish", {}))
    published = await human.ask(
        "/datachannels/new", {"dataChannels": [{"location": "local", "dataChannelName": "chat"}]}
    )
    wanted = {"location": "remote", "sessionId": human.session, "dataChannelName": "chat", "canReply": True}
    subscribed = await listener.ask("/datachannels/new", {"dataChannels": [wanted]})
    mouth = human.pc.createDataChannel("chat", negotiated=True, id=published["dataChannels"][0]["id"])
    ear = listener.pc.createDataChannel("chat", negotiated=True, id=subscribed["dataChannels"][0]["id"])
    said: asyncio.Queue[Any] = asyncio.Queue()
    ear.on("message", said.put_nowait)
    mouth.on("message", said.put_nowait)
    for _ in range(40):
        if mouth.readyState == "open":
            mouth.send("hello")
        if not said.empty():
            break
        await asyncio.sleep(0.25)
    report["message"] = await asyncio.wait_for(said.get(), 10)
    ear.send("and back")
    while (message := await asyncio.wait_for(said.get(), 10)) == "hello":
        pass
    report["reply"] = message
    report["channels"] = await grants(human, listener, mouth, ear, said)

    await api.ask("DELETE", f"/sessions/{endpoint.session}")
    while (notice := await asyncio.wait_for(told.get(), 10))["type"] != "track.ended":
        pass
    report["ended"] = notice["trackName"]
    sys.stdout.write(json.dumps(report) + "\n")
    for peer in (human, endpoint, listener):
        await peer.pc.close()


asyncio.run(asyncio.wait_for(main(), 120))
