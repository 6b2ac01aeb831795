"""The vendor's relay between a person and a Realtime endpoint, where the endpoint is this very server: no peer is made
for the AI, and each hears the other.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from calls_over_http import BASE, SECRET, calls_server, new_session, pushed
from running_server import RunningServer, receive_until
from spoken import say
from websockets.asyncio.client import ClientConnection

from parley.media.loopback import LoopbackPlane
from parley.media.loopback_remote import LoopbackRemote
from parley.media.peer_spec import PeerId

VOICE = {"location": "local", "trackName": "ai-generated-voice", "bidirectionalMediaStream": True, "kind": "audio"}
MIC: dict[str, Any] = {"kind": "audio", "bidirectionalMediaStream": True}


def remote(session: str, name: str, mid: str) -> dict[str, Any]:
    return {"tracks": [{"location": "remote", "sessionId": session, "trackName": name, "mid": mid}]}


async def invited(server: RunningServer, http: httpx.AsyncClient) -> tuple[str, str]:
    """Make a third-party session whose far end is this server's own Realtime; give its id and the call's address."""
    session = await new_session(http, "?thirdparty=true&correlationId=meeting")
    made = (await http.post(f"{BASE}/sessions/{session}/tracks/new", json={"tracks": [VOICE]})).json()
    assert made["requiresImmediateRenegotiation"] is True
    async with server.http() as bare:
        answer = await bare.post(
            "/v1/realtime/calls?model=gpt-realtime",
            content=made["sessionDescription"]["sdp"],
            headers={"content-type": "application/sdp"},
        )
    assert answer.status_code == 201, answer.text
    described = {"sessionDescription": {"type": "answer", "sdp": answer.text}}
    done = await http.put(f"{BASE}/sessions/{session}/renegotiate", json=described)
    assert (done.status_code, done.json()) == (200, {})
    return session, answer.headers["location"]


async def attach(http: httpx.AsyncClient, session: str, source: str, name: str, mid: str) -> None:
    answer = (await http.post(f"{BASE}/sessions/{session}/tracks/new", json=remote(source, name, mid))).json()
    assert answer["requiresImmediateRenegotiation"] is False
    assert "sessionDescription" not in answer
    assert "errorCode" not in answer["tracks"][0]


async def far_end(plane: LoopbackPlane, session: str) -> LoopbackRemote:
    async with asyncio.timeout(5):
        while PeerId(f"calls/{session}/1") not in plane._remotes:
            await asyncio.sleep(0.01)
    return plane.remote(PeerId(f"calls/{session}/1"))


async def send(socket: ClientConnection, **event: Any) -> None:
    await socket.send(json.dumps(event))


async def turn_begins(socket: ClientConnection) -> int:
    """Wait for a voice; give the millisecond of the lane at which it began."""
    return int((await receive_until(socket, "input_audio_buffer.speech_started"))[-1]["audio_start_ms"])


async def turn_ends(socket: ClientConnection) -> int:
    """Wait for the end of the turn; give the millisecond of the lane at which it ended."""
    return int((await receive_until(socket, "input_audio_buffer.speech_stopped"))[-1]["audio_end_ms"])


async def test_a_person_and_the_ai_of_this_server_hear_each_other_without_a_connection() -> None:
    voice = await asyncio.to_thread(say, "She sells fresh bread every morning.", "slt")
    async with calls_server() as (server, plane), server.http(SECRET) as http:
        human, _ = await pushed(http, "user-mic", direction="sendrecv", extra=MIC)
        other, _ = await pushed(http, "other-mic", direction="sendrecv", extra=MIC)
        endpoint, location = await invited(server, http)
        await attach(http, human, endpoint, "ai-generated-voice", "#user-mic")
        ears, others = await far_end(plane, human), await far_end(plane, other)
        call_id = location.rpartition("/")[2]
        async with server.websocket(f"/v1/realtime?call_id={call_id}") as socket:
            await receive_until(socket, "session.created")
            detection = {"type": "server_vad", "create_response": False}
            session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
            await send(socket, type="session.update", session=session)
            await receive_until(socket, "session.updated")
            listed = (await http.get(f"{BASE}/sessions")).json()["sessions"]
            assert {each["sessionId"]: each["state"] for each in listed}[endpoint] == "connected", "before any packet"

            await attach(http, endpoint, other, "other-mic", "#ai-generated-voice")
            others.speak("0", voice * 4)
            began = await turn_begins(socket)
            assert (await http.delete(f"{BASE}/sessions/{other}")).status_code == 200
            ended = await turn_ends(socket)
            assert began < ended < began + 4_000, "who leaves in the middle of a word has ended the turn"

            await attach(http, endpoint, human, "user-mic", "0")
            ears.speak("0", voice)
            assert await turn_begins(socket) >= ended, "the lane goes on with the next speaker"
            await turn_ends(socket)

            await send(socket, type="response.create")
            async with asyncio.timeout(10):
                while not any(any(frame.pcm) for frame in ears.heard.get("0", ())):
                    await asyncio.sleep(0.02)
            assert [*plane._remotes] == [f"calls/{human}/1"], "one person, and no connection for the AI"

            assert (await http.delete(f"{BASE}/sessions/{endpoint}")).status_code == 200
            async with asyncio.timeout(10):
                async for _ in socket:  # until it is closed
                    pass


async def test_the_session_ends_with_the_call() -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http, server.http() as bare:
        endpoint, location = await invited(server, http)
        assert (await bare.post(f"{location}/hangup")).status_code == 200
        async with asyncio.timeout(10):
            while (await http.get(f"{BASE}/sessions/{endpoint}")).status_code != 410:
                await asyncio.sleep(0.05)


async def test_an_offer_that_is_not_of_this_server_gets_a_peer() -> None:
    async with calls_server() as (server, plane), server.http(SECRET) as http:
        session = await new_session(http, "?thirdparty=true")
        made = (await http.post(f"{BASE}/sessions/{session}/tracks/new", json={"tracks": [VOICE]})).json()
        offer = made["sessionDescription"]["sdp"]
        ufrag = next(line for line in offer.split("\r\n") if line.startswith("a=ice-ufrag:"))
        async with server.http() as bare:
            answer = await bare.post(
                "/v1/realtime/calls",
                content=offer.replace(ufrag, "a=ice-ufrag:elsewhere"),
                headers={"content-type": "application/sdp"},
            )
        assert answer.status_code == 201
        async with asyncio.timeout(5):
            while not any(peer.startswith("rtc_") for peer in plane._remotes):
                await asyncio.sleep(0.01)
