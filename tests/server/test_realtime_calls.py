"""Placing calls: every way to post an offer, every refusal, and what can be done with a call by its id."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from placed_calls import CALLS, OFFER, SDP, call_id_of, calls_server, events_of, form, place, remote_of
from running_server import KEY, RunningServer, receive, receive_until, running_server
from sdp_kit import offer_text
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parley.engines.base import Capabilities
from parley.media.peer_spec import PeerId
from parley.runtime.limits import Limits
from parley.sdp import parse_sdp
from parley.server.settings import Settings
from parley.testing import FakeChatModel, engine_set

KEYED = Settings(api_keys=(KEY,))

SESSION = json.dumps({"type": "realtime", "instructions": "Be brief.", "model": "mine"})
BODIES: list[tuple[str, dict[str, Any], str]] = [
    ("raw", {"content": OFFER, "headers": SDP}, "parley-demo"),
    ("raw, as text", {"content": OFFER, "headers": {"content-type": "text/plain;charset=UTF-8"}}, "parley-demo"),
    (
        "form of the SDKs",
        form(
            ("sdp", "\r\nContent-Type: application/sdp", OFFER),
            ("session", "\r\nContent-Type: application/json", SESSION),
        ),
        "mine",
    ),
    ("form by hand", form(("session", "", SESSION), ("sdp", "", OFFER)), "mine"),
    ("form of files", form(("sdp", '; filename="blob"', OFFER), ("session", '; filename="blob"', SESSION)), "mine"),
    ("form without session", form(("sdp", "", OFFER)), "parley-demo"),
    ("form with an empty session", form(("sdp", "", OFFER), ("session", "", "")), "parley-demo"),
]


@pytest.mark.parametrize(("body", "model"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
async def test_every_way_to_post_an_offer(body: dict[str, Any], model: str) -> None:
    async with calls_server() as (server, plane), server.http() as http:
        answer = await http.post(CALLS, **body)
        assert answer.headers["content-type"].startswith("application/sdp")
        assert answer.text.startswith("v=0\r\n")
        call_id = call_id_of(answer)
        assert call_id.startswith("rtc_")
        remote = await remote_of(plane, call_id)
        remote.open_channel(1, "oai-events")
        created = (await events_of(remote, 1))[0]
        assert (created["type"], created["session"]["model"]) == ("session.created", model)


async def test_any_clients_own_form_is_read() -> None:
    async with calls_server() as (server, _), server.http() as http:
        files = {"sdp": (None, OFFER, "application/sdp"), "session": (None, SESSION, "application/json")}
        call_id_of(await http.post(CALLS, files=files))


async def test_a_page_of_another_origin_may_read_the_location() -> None:
    async with calls_server(KEYED) as (server, _), server.http(KEY, origin="https://app.example") as http:
        answer = await http.post(CALLS, content=OFFER, headers=SDP)
        assert answer.status_code == 201
        assert "location" in answer.headers["access-control-expose-headers"]
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "path", ["/v1/realtime/calls?model=named", "/openai/v1/realtime/calls?model=named", "/v1/realtime?model=named"]
)
async def test_every_address_takes_a_model(path: str) -> None:
    async with calls_server() as (server, plane), server.http() as http:
        remote = await remote_of(plane, await place(http, path=path))
        remote.open_channel(1, "oai-events")
        assert (await events_of(remote, 1))[0]["session"]["model"] == "named"


async def test_the_retired_address_speaks_as_it_did() -> None:
    async with calls_server() as (server, plane), server.http() as http:
        path = "/v1/realtime?model=gpt-4o-realtime-preview&voice=verse&instructions=Be%20brief."
        remote = await remote_of(plane, await place(http, path=path))
        remote.open_channel(1, "oai-events")
        session = (await events_of(remote, 1))[0]["session"]
        assert (session["instructions"], session["voice"]) == ("Be brief.", "verse")
        assert session["input_audio_format"] == "pcm16"


@pytest.mark.parametrize("name", ["unverified_libpeer_no_candidates", "unverified_libpeer_opus_only"])
async def test_a_small_device_gets_an_answer_that_fits_its_buffer(name: str) -> None:
    async with calls_server() as (server, _), server.http() as http:
        answer = await http.post("/v1/realtime?model=m", content=offer_text(name), headers=SDP)
        assert answer.status_code == 201
        assert len(answer.content) < 2_048


async def test_a_client_secret_places_calls_as_it_says_and_the_body_may_add() -> None:
    async with calls_server(KEYED) as (server, plane), server.http(KEY) as http:
        asked = {"session": {"type": "realtime", "instructions": "From the secret.", "model": "secret"}}
        secret = (await http.post("/v1/realtime/client_secrets", json=asked)).json()["value"]
        async with server.http(secret) as browser:
            own = json.dumps({"type": "realtime", "audio": {"output": {"voice": "verse"}}})
            body = form(("sdp", "", OFFER), ("session", "", own))
            remote = await remote_of(plane, call_id_of(await browser.post(CALLS, **body)))
            remote.open_channel(1, "x")
            session = (await events_of(remote, 1))[0]["session"]
            assert (session["instructions"], session["model"]) == ("From the secret.", "secret")
            assert session["audio"]["output"]["voice"] == "verse"


REFUSED: list[tuple[str, dict[str, Any], int, str, str | None, str]] = [
    ("no body", {"content": "", "headers": SDP}, 400, "missing_required_parameter", "sdp", "application/sdp"),
    ("JSON", {"json": {"sdp": OFFER}}, 415, "unsupported_media_type", None, "application/sdp"),
    ("no SDP", {"content": "hello", "headers": SDP}, 400, "invalid_sdp", "sdp", "Line 1"),
    ("bytes", {"content": b"\xff\xfe\x00", "headers": SDP}, 400, "invalid_sdp", "sdp", "UTF-8"),
    (
        "no fingerprint",
        {"content": OFFER.replace("a=fingerprint", "a=x-fingerprint"), "headers": SDP},
        400,
        "invalid_sdp",
        "sdp",
        "fingerprint",
    ),
    (
        "a broken line",
        {"content": OFFER.replace("a=setup:actpass", "a=setup:maybe", 1), "headers": SDP},
        400,
        "invalid_sdp",
        "sdp",
        "a=setup:maybe",
    ),
    (
        "codecs that nobody has",
        {"content": offer_text("chromium_pcmu_only").replace("PCMU", "SPEEX"), "headers": SDP},
        400,
        "invalid_sdp",
        "sdp",
        "audio",
    ),
    ("a huge offer", {"content": "v=0\r\n" + "a=x\r\n" * 100_000, "headers": SDP}, 400, "invalid_sdp", "sdp", ""),
    ("a form without sdp", form(("session", "", SESSION)), 400, "missing_required_parameter", "sdp", "`sdp`"),
    ("half a form", {**form(("sdp", "", OFFER)), "content": "--frontier\r\n"}, 400, "invalid_multipart", None, "form"),
    (
        "a form without boundary",
        {"content": "x", "headers": {"content-type": "multipart/form-data"}},
        400,
        "invalid_multipart",
        None,
        "boundary",
    ),
    (
        "a session that is no JSON",
        form(("sdp", "", OFFER), ("session", "", "{")),
        400,
        "invalid_json",
        "session",
        "JSON object",
    ),
    (
        "a session that is wrong",
        form(("sdp", "", OFFER), ("session", "", '{"audio": {"output": {"speed": 9}}}')),
        400,
        "invalid_value",
        "session.audio.output.speed",
        "speed",
    ),
]


@pytest.mark.parametrize(
    ("body", "status", "code", "param", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_refusals_name_what_is_wrong(
    body: dict[str, Any], status: int, code: str, param: str | None, words: str
) -> None:
    async with calls_server() as (server, _), server.http() as http:
        answer = await http.post(CALLS, **body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
        assert words in error["message"]
        assert len((await server.app.room.supervisor())._runners) == 0
        assert len(server.app.calls) == 0


async def test_a_body_above_the_bound_is_refused_unread() -> None:
    async with calls_server() as (server, _), server.http() as http:
        answer = await http.post(CALLS, content=b"v" * (2 << 20), headers=SDP)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_a_call_needs_a_credential() -> None:
    async with calls_server(KEYED) as (server, _):
        for key in (None, "wrong", "ek_unknown"):
            async with server.http(key) as http:
                answer = await http.post(CALLS, content=OFFER, headers=SDP)
                assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_a_full_server_refuses_with_the_reason_and_takes_the_next_after_a_hangup() -> None:
    async with calls_server(limits=Limits(max_sessions=1)) as (server, plane), server.http() as http:
        first = await place(http)
        answer = await http.post(CALLS, content=OFFER, headers=SDP)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert answer.headers["retry-after"]
        await remote_of(plane, first)
        assert (await http.post(f"{CALLS}/{first}/hangup")).status_code == 200
        async with asyncio.timeout(5):
            while len(server.app.calls):
                await asyncio.sleep(0.01)
        await place(http)


async def test_without_a_media_port_the_answer_says_so() -> None:
    async with running_server() as server, server.http() as http:
        answer = await http.post(CALLS, content=OFFER, headers=SDP)
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_implemented")
        assert "WebSocket" in answer.json()["error"]["message"]


async def test_a_sideband_attaches_at_once_shares_everything_and_closes_with_the_call() -> None:
    async with calls_server() as (server, plane), server.http() as http:
        call_id = await place(http)
        async with server.websocket(f"/v1/realtime?call_id={call_id}") as sideband:
            assert (await receive(sideband))["type"] == "session.created"
            remote = await remote_of(plane, call_id)
            remote.open_channel(1, "oai-events")
            await events_of(remote, 2)
            update = {"type": "session.update", "session": {"type": "realtime", "instructions": "From the side."}}
            await sideband.send(json.dumps(update))
            await receive_until(sideband, "session.updated")
            assert (await events_of(remote, 3))[2]["session"]["instructions"] == "From the side."
            hangup = await http.post(f"{CALLS}/{call_id}/hangup")
            assert (hangup.status_code, hangup.content) == (200, b"")
            assert await ended(sideband) == (1000, "The call has ended.")
        again = await http.post(f"{CALLS}/{call_id}/hangup")
        assert (again.status_code, again.json()["error"]["code"]) == (404, "call_id_not_found")


async def ended(sideband: ClientConnection) -> tuple[int, str]:
    """Give the code and the reason with which the server closes it."""
    with pytest.raises(ConnectionClosed) as closed:
        await receive_until(sideband, "never")
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_a_sideband_to_nowhere_is_not_found() -> None:
    async with calls_server() as (server, _):
        error = await refused_sideband(server, "rtc_gone")
        assert (error["code"], error["param"], error["type"]) == (
            "call_id_not_found",
            "call_id",
            "invalid_request_error",
        )


async def refused_sideband(server: RunningServer, call_id: str, key: str | None = None) -> dict[str, Any]:
    with pytest.raises(InvalidStatus) as refused:
        async with server.websocket(f"/v1/realtime?call_id={call_id}", key=key):
            pass
    assert refused.value.response.status_code == 404
    error: dict[str, Any] = json.loads(refused.value.response.body)["error"]
    return error


async def test_a_peer_that_goes_ends_the_call_and_its_session() -> None:
    async with calls_server() as (server, plane), server.http() as http:
        call_id = await place(http)
        remote = await remote_of(plane, call_id)
        async with server.websocket(f"/v1/realtime?call_id={call_id}") as sideband:
            assert (await receive(sideband))["type"] == "session.created"
            remote.hang_up()
            assert await ended(sideband) == (1000, "The call has ended.")
        supervisor = await server.app.room.supervisor()
        async with asyncio.timeout(5):
            while len(server.app.calls) or len(supervisor):
                await asyncio.sleep(0.01)
        assert (await refused_sideband(server, call_id))["code"] == "call_id_not_found"
        text = (await http.get("/metrics")).text
        assert "parley_calls 0.0" in text
        assert 'parley_calls_ended_total{reason="remote"} 1.0' in text


async def test_one_secrets_calls_are_unknown_to_another() -> None:
    async with calls_server(KEYED) as (server, _), server.http(KEY) as http:
        mine, other = [(await http.post("/v1/realtime/client_secrets", json={})).json()["value"] for _ in range(2)]
        async with server.http(mine) as owner, server.http(other) as stranger:
            call_id = await place(owner)
            assert (await stranger.post(f"{CALLS}/{call_id}/hangup")).status_code == 404
            assert (await stranger.post(f"{CALLS}/{call_id}", content=OFFER, headers=SDP)).status_code == 404
            assert (await refused_sideband(server, call_id, other))["code"] == "call_id_not_found"
            async with server.websocket(f"/v1/realtime?call_id={call_id}", key=mine) as socket:
                assert (await receive(socket))["type"] == "session.created"
            assert (await owner.post(f"{CALLS}/{call_id}/hangup")).status_code == 200


@pytest.mark.parametrize("verb", ["accept", "reject", "refer"])
async def test_the_verbs_of_sip_say_what_is_missing(verb: str) -> None:
    async with calls_server() as (server, _), server.http() as http:
        answer = await http.post(f"{CALLS}/rtc_x/{verb}", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_implemented")
        assert "SIP" in answer.json()["error"]["message"]


async def test_unknown_verbs_and_methods_are_told_apart() -> None:
    async with calls_server() as (server, _), server.http() as http:
        assert (await http.post(f"{CALLS}/rtc_x/dance")).status_code == 404
        assert (await http.get(CALLS)).status_code == 405
        assert (await http.get("/v1/realtime")).status_code == 426


def line_of(answer: str, name: str) -> str:
    return next(line for line in answer.split("\r\n") if line.startswith(name))


async def test_ice_restarts_and_the_call_goes_on() -> None:
    async with calls_server() as (server, plane), server.http() as http:
        placed = await http.post(CALLS, content=OFFER, headers=SDP)
        call_id = call_id_of(placed)
        remote = await remote_of(plane, call_id)
        remote.open_channel(1, "oai-events")
        await events_of(remote, 2)
        moved = OFFER.replace(line_of(OFFER, "a=ice-ufrag"), "a=ice-ufrag:moved")
        answer = await http.post(f"{CALLS}/{call_id}", content=moved, headers=SDP)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/sdp")
        assert line_of(answer.text, "a=ice-ufrag") != line_of(placed.text, "a=ice-ufrag")
        assert line_of(answer.text, "a=fingerprint") == line_of(placed.text, "a=fingerprint")
        assert line_of(answer.text, "a=ssrc") == line_of(placed.text, "a=ssrc")
        before, after = (line_of(text, "o=").split() for text in (placed.text, answer.text))
        assert before[1] == after[1]
        assert int(after[2]) == int(before[2]) + 1
        await asyncio.sleep(0.1)
        assert plane.remote(PeerId(call_id))._spec.remote_ice.ufrag == "moved"
        remote.send(1, json.dumps({"type": "session.update", "session": {"type": "realtime"}}))
        assert (await events_of(remote, 3))[2]["type"] == "session.updated"


async def test_an_offer_that_changes_more_than_ice_is_refused_and_the_call_goes_on() -> None:
    async with calls_server() as (server, _), server.http() as http:
        call_id = await place(http)
        changed = [offer_text("chromium_audio_only"), offer_text("firefox_audio_and_data")]
        for offer in changed:
            answer = await http.post(f"{CALLS}/{call_id}", content=offer, headers=SDP)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_sdp")
        assert (await http.post(f"{CALLS}/rtc_none", content=OFFER, headers=SDP)).status_code == 404
        assert (await http.post(f"{CALLS}/{call_id}/hangup")).status_code == 200


class BlindModel(FakeChatModel):
    """A model that does not look at pictures."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, images=False)


WITH_CAMERA = offer_text("chromium_audio_video_data")
TRANSCRIPTION = json.dumps({"type": "transcription"})
SIGHTS: list[tuple[str, FakeChatModel, dict[str, Any], str]] = [
    ("a model that sees", FakeChatModel(), {"content": WITH_CAMERA, "headers": SDP}, "recvonly"),
    ("a model that does not", BlindModel(), {"content": WITH_CAMERA, "headers": SDP}, "inactive"),
    (
        "no model at all",
        FakeChatModel(),
        form(("sdp", "", WITH_CAMERA), ("session", "", TRANSCRIPTION)),
        "inactive",
    ),
    (
        "a camera without VP8",
        FakeChatModel(),
        {"content": WITH_CAMERA.replace(" VP8/", " VP7/"), "headers": SDP},
        "declined",
    ),
]


@pytest.mark.parametrize(("chat", "body", "answered"), [row[1:] for row in SIGHTS], ids=[row[0] for row in SIGHTS])
async def test_a_camera_is_taken_where_the_model_sees_and_left_alone_elsewhere(
    chat: FakeChatModel, body: dict[str, Any], answered: str
) -> None:
    async with calls_server(build=lambda: engine_set(chat=chat)) as (server, plane), server.http() as http:
        answer = await http.post(CALLS, **body)
        remote = await remote_of(plane, call_id_of(answer))
        (video,) = [media for media in parse_sdp(answer.text).media if media.kind == "video"]
        assert (video.port == 0) is (answered == "declined")
        if answered != "declined":
            assert f"a={answered}" in answer.text
            assert "VP8/90000" in answer.text
            assert "nack pli" in answer.text
            assert line_of(answer.text, "a=group") == "a=group:BUNDLE 0 1 2"
        remote.open_channel(1, "oai-events")
        await events_of(remote, 1)
        assert (remote.watched is not None) is (answered == "recvonly")


async def test_a_camera_stays_through_a_restart_of_ice() -> None:
    async with calls_server() as (server, plane), server.http() as http:
        placed = await http.post(CALLS, content=WITH_CAMERA, headers=SDP)
        call_id = call_id_of(placed)
        remote = await remote_of(plane, call_id)
        moved = WITH_CAMERA.replace(line_of(WITH_CAMERA, "a=ice-ufrag"), "a=ice-ufrag:moved")
        answer = await http.post(f"{CALLS}/{call_id}", content=moved, headers=SDP)
        assert answer.status_code == 200
        assert line_of(answer.text, "m=video") == line_of(placed.text, "m=video")
        async with asyncio.timeout(5):
            while remote.watched is None:
                await asyncio.sleep(0.01)
        remote.open_channel(1, "oai-events")
        await events_of(remote, 1)


async def test_data_channels_alone_carry_a_session_like_a_websocket() -> None:
    async with calls_server() as (server, plane), server.http() as http:
        remote = await remote_of(plane, await place(http, offer_text("chromium_data_only")))
        remote.open_channel(1, "oai-events")
        await events_of(remote, 2)
        part = {"type": "input_text", "text": "hi"}
        for event in (
            {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [part]}},
            {"type": "response.create"},
        ):
            remote.send(1, json.dumps(event))
        async with asyncio.timeout(10):
            while "response.done" not in (kinds := [json.loads(data)["type"] for _, data in remote.messages]):
                await asyncio.sleep(0.02)
        assert "response.output_audio.delta" in kinds
        assert not [kind for kind in kinds if kind.startswith("output_audio_buffer")]


async def test_calls_end_when_the_server_goes() -> None:
    async with calls_server() as (server, plane), server.http() as http:
        call_id = await place(http)
        remote = await remote_of(plane, call_id)
        remote.open_channel(1, "oai-events")
        await events_of(remote, 2)
        server.stop.set()
        async with asyncio.timeout(10):
            while len(server.app.calls):
                await asyncio.sleep(0.01)
        assert json.loads(remote.messages[-1][1])["error"]["code"] == "session_expired"
        assert server.app.parts.media is not None


async def test_nothing_of_an_offer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with calls_server() as (server, plane), server.http() as http:
            call_id = await place(http)
            await remote_of(plane, call_id)
            await http.post(CALLS, content=OFFER.replace("a=setup:actpass", "a=setup:maybe"), headers=SDP)
            await http.post(f"{CALLS}/{call_id}/hangup")
    for name in ("a=ice-pwd", "a=ice-ufrag", "a=fingerprint"):
        assert line_of(OFFER, name).partition(":")[2] not in caplog.text
