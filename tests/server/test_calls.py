"""The Calls API over HTTP: every endpoint under both prefixes, every refusal with its status, code and words."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from bad_calls import BAD, REACHES, STRANGERS, filled, tokens_asked
from calls_over_http import APP, BASE, BEARER, OTHER, OTHER_SECRET, SECRET, SETTINGS, calls_server, new_session, pushed
from media_planes import tone
from running_server import KEY, running_server
from scripted_browser import ScriptedBrowser

from parley.calls.limits import CallsLimits
from parley.media.peer_spec import PeerId
from parley.server.settings import Settings

VOICE = tone(12_000)


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_a_voice_goes_from_one_session_to_another_under_both_prefixes(prefix: str) -> None:
    base = f"{prefix}/apps/{APP}"
    async with calls_server() as (server, plane), server.http(SECRET) as http:
        alice, _ = await pushed(http, base=base)
        bob, browser = await new_session(http, "?correlationId=meeting&thirdparty=false&other=1"), ScriptedBrowser("b")
        item = {"location": "remote", "sessionId": alice, "trackName": "mic", "kind": None, "unknown": {"field": 1}}
        # A string body, as browsers post it, and a bare question mark.
        body = json.dumps({"tracks": [item]})
        answer = await http.post(
            f"{base}/sessions/{bob}/tracks/new?", content=body, headers={"content-type": "text/plain;charset=UTF-8"}
        )
        pulled = answer.json()
        assert pulled["requiresImmediateRenegotiation"] is True
        described = {"type": "answer", "sdp": browser.answer(pulled["sessionDescription"]["sdp"])}
        done = await http.put(
            f"{base}/sessions/{bob}/renegotiate", content=json.dumps({"sessionDescription": described})
        )
        assert (done.status_code, done.json()) == (200, {})
        async with asyncio.timeout(5):
            while PeerId(f"calls/{bob}/1") not in plane._remotes:
                await asyncio.sleep(0.01)
            plane.remote(PeerId(f"calls/{alice}/1")).speak("0", VOICE)
            far_end = plane.remote(PeerId(f"calls/{bob}/1"))
            while len(far_end.heard.get("0", ())) < len(VOICE) // 960:
                await asyncio.sleep(0.01)
        assert b"".join(frame.pcm for frame in far_end.heard["0"]) == VOICE
        listed = (await http.get(f"{base}/sessions/{bob}")).json()
        assert listed["tracks"] == [
            {
                "location": "remote",
                "mid": "0",
                "sessionId": alice,
                "trackName": "mic",
                "status": "active",
                "kind": "audio",
            }
        ]
        assert listed["dataChannels"] == []
        sessions = (await http.get(f"{base}/sessions")).json()["sessions"]
        assert {each["sessionId"]: each["state"] for each in sessions} == {alice: "connected", bob: "connected"}
        assert {each["correlationId"] for each in sessions} == {"", "meeting"}
        gone = await http.delete(f"{base}/sessions/{alice}")
        assert (gone.status_code, gone.json()) == (200, {})
        assert (await http.get(f"{base}/sessions/{alice}")).status_code == 410


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_bad_input_is_refused_with_status_code_and_words_and_nobody_else_notices(prefix: str) -> None:
    base = f"{prefix}/apps/{APP}"
    async with calls_server() as (server, plane), server.http(SECRET) as http:
        session, browser = await pushed(http)
        for name, method, path, body, status, code, words in BAD:
            content = filled(body, session, browser.offer())
            answer = await http.request(method, base + path.replace("{s}", session), content=content)
            assert answer.status_code == status, (name, answer.text)
            error = answer.json()
            assert set(error) == {"errorCode", "errorDescription"}, name
            assert error["errorCode"] == code, (name, error)
            assert words in error["errorDescription"], (name, error)
            assert answer.headers["content-type"] == "application/json", name
            await asyncio.sleep(0.02)  # 50 requests a second are the limit
        assert (await http.get(f"{BASE}/sessions/{session}")).json()["tracks"][0]["status"] == "active"
        assert plane.counters.commands_ignored == 0


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_strangers_are_turned_away_with_the_apis_own_errors(prefix: str) -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http, server.http() as bare:
        session, _ = await pushed(http)
        known = {"app": APP, "secret": SECRET, "other": OTHER, "other_secret": OTHER_SECRET}
        for name, (app, body) in tokens_asked(await new_session(http)).items():
            bearer = {"authorization": f"Bearer {OTHER_SECRET if app == '{other}' else SECRET}"}
            minted = await bare.post(f"/v1/apps/{app.format(**known)}/tokens", json=body, headers=bearer)
            known[name] = minted.json()["token"]
        for name, app, credential, status, code, words in STRANGERS:
            headers = {"authorization": credential.format(**known)} if credential else {}
            for method, path, body in REACHES:
                url = f"{prefix}/apps/{app.format(**known)}{path.replace('{s}', session)}"
                answer = await bare.request(method, url, content=filled(body, session, ""), headers=headers)
                assert (answer.status_code, answer.json()["errorCode"]) == (status, code), (name, method, answer.text)
                assert words in answer.json()["errorDescription"], (name, method, answer.text)
        listed = (await http.get(f"{BASE}/sessions/{session}")).json()
        assert [track["status"] for track in listed["tracks"]] == ["active"], "they changed nothing"


async def test_api_keys_and_calls_secrets_open_nothing_of_each_other() -> None:
    settings = Settings(api_keys=(KEY,), host="0.0.0.0", calls_apps=((APP, SECRET),))
    async with calls_server(settings) as (server, _), server.http() as http:
        assert (await http.post(f"{BASE}/sessions/new", headers={"authorization": f"Bearer {KEY}"})).status_code == 401
        assert (await http.post(f"{BASE}/sessions/new", headers=BEARER)).status_code == 201
        assert (await http.get("/v1/models", headers=BEARER)).status_code == 401


async def test_statistics_are_told_by_session() -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http:
        session, _ = await pushed(http)
        told = await http.get(f"{BASE}/sessions/{session}/statistics")
        assert told.status_code == 200
        layer = {"rid": None, "packets": 0, "payloadBytes": 0, "lost": 0, "jitterMs": 0.0, "bitsPerSecond": 0}
        given = {"mid": "0", "trackName": "mic", "keyframesAsked": 0, "layers": [layer]}
        assert told.json() == {"estimateBitsPerSecond": None, "roundTripMs": None, "local": [given], "remote": []}


async def test_metrics_count_by_app() -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http:
        await pushed(http)
        metrics = (await http.get("/metrics")).text
        for name in ("sessions", "local_tracks"):
            assert f'parley_calls_{name}{{app="{APP}"}} 1.0' in metrics
            assert f'parley_calls_{name}{{app="{OTHER}"}} 0.0' in metrics
        assert f'parley_calls_remote_tracks{{app="{APP}"}} 0.0' in metrics


async def test_two_mutations_at_once_take_turns() -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http:
        alice, browser = await pushed(http)
        items = [{"location": "local", "trackName": f"t{n}", "mid": browser.add("audio")} for n in range(2)]
        offer = {"type": "offer", "sdp": browser.offer()}
        url = f"{BASE}/sessions/{alice}/tracks/new"
        answers = await asyncio.gather(
            *(http.post(url, json={"sessionDescription": offer, "tracks": [item]}) for item in items)
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        listed = (await http.get(f"{BASE}/sessions/{alice}")).json()["tracks"]
        assert [track["trackName"] for track in listed] == ["mic", "t0", "t1"]


async def test_too_many_requests_are_told_to_wait() -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http:
        session = await new_session(http)
        url, body = f"{BASE}/sessions/{session}/tracks/close", {"tracks": [{"mid": "0"}], "force": True}
        answers = await asyncio.gather(*(http.put(url, json=body) for _ in range(200)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert refused[0].json()["errorCode"] == "rate_limited"
        assert refused[0].headers["retry-after"] == "1"
        assert sum(answer.status_code == 200 for answer in answers) >= 50
        watched = await new_session(http)
        looks = await asyncio.gather(*(http.get(f"{BASE}/sessions/{watched}") for _ in range(200)))
        assert {answer.status_code for answer in looks} == {200, 429}, "looking counts as well"


async def test_an_app_s_requests_are_bounded_by_themselves() -> None:
    settings = replace(SETTINGS, calls_limits=CallsLimits(app_requests_per_second=3))
    async with calls_server(settings) as (server, _), server.http(SECRET) as http, server.http(OTHER_SECRET) as other:
        answers = await asyncio.gather(*(http.post(f"{BASE}/sessions/new") for _ in range(30)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) > 15
        assert refused[0].json()["errorCode"] == "rate_limited"
        assert "More than 3 requests a second of this app" in refused[0].json()["errorDescription"]
        assert refused[0].headers["retry-after"] == "1"
        assert (await other.post(f"/v1/apps/{OTHER}/sessions/new")).status_code == 201, "another app goes on"
        forged = await http.post(f"{BASE}/sessions/new", headers={"authorization": "Bearer wrong"})
        assert forged.status_code == 401, "strangers spend nothing"


async def test_sessions_tracks_and_bodies_are_bounded_by_settings() -> None:
    bounds = CallsLimits(max_sessions=2, max_tracks=1, max_body_bytes=16 << 10)
    async with calls_server(replace(SETTINGS, calls_limits=bounds)) as (server, _), server.http(SECRET) as http:
        session, browser = await pushed(http)
        url = f"{BASE}/sessions/{session}/tracks/new"
        second = {"location": "local", "trackName": "second", "mid": browser.add("audio")}
        offer = {"type": "offer", "sdp": browser.offer()}
        answers = {
            406: await http.post(url, json={"sessionDescription": offer, "tracks": [second]}),
            413: await http.post(url, json={"tracks": [], "x": "y" * (16 << 10)}),
        }
        await new_session(http)
        answers[503] = await http.post(f"{BASE}/sessions/new")
        told = {status: (answer.status_code, answer.json()["errorCode"]) for status, answer in answers.items()}
        assert told == {
            406: (406, "invalid_params"),
            413: (413, "payload_too_large"),
            503: (503, "temporarily_unavailable_error"),
        }
        assert "at most 1;" in answers[406].json()["errorDescription"]
        assert "at most 16 KiB" in answers[413].json()["errorDescription"]
        assert answers[503].headers["retry-after"] == "5"
        listed = (await http.get(f"{BASE}/sessions/{session}")).json()["tracks"]
        assert [track["trackName"] for track in listed] == ["mic"], "what was refused changed nothing"


async def test_an_offer_in_sessions_new_is_answered() -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http:
        browser = ScriptedBrowser()
        browser.add("application")
        answer = await http.post(
            f"{BASE}/sessions/new", json={"sessionDescription": {"type": "offer", "sdp": browser.offer()}}
        )
        assert answer.status_code == 201
        assert answer.json()["sessionDescription"]["type"] == "answer"
        browser.accept(answer.json()["sessionDescription"]["sdp"])
        made = await http.post(
            f"{BASE}/sessions/{answer.json()['sessionId']}/datachannels/new",
            json={"dataChannels": [{"location": "local", "dataChannelName": "chat"}]},
        )
        assert made.json() == {"dataChannels": [{"location": "local", "dataChannelName": "chat", "id": 1}]}


async def test_a_page_of_another_origin_may_use_it_where_the_operator_says_so() -> None:
    settings = Settings(calls_apps=((APP, SECRET),), cors_origins=("https://app.example",))
    async with calls_server(settings) as (server, _), server.http() as http:
        asked = {
            "origin": "https://app.example",
            "access-control-request-method": "PUT",
            "access-control-request-headers": "authorization, content-type, if-match",
        }
        answer = await http.options(f"{BASE}/sessions/x/renegotiate", headers=asked)
        assert answer.status_code == 204
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert method in answer.headers["access-control-allow-methods"]
        assert "if-match" in answer.headers["access-control-allow-headers"]
        made = await http.post(f"{BASE}/sessions/new", headers={**BEARER, "origin": "https://app.example"})
        assert made.status_code == 201
        assert made.headers["access-control-allow-origin"] == "https://app.example"
        assert {"location", "etag", "link"} <= set(made.headers["access-control-expose-headers"].split(", "))
        assert made.headers["vary"].lower() == "origin"
        foreign = await http.post(f"{BASE}/sessions/new", headers={**BEARER, "origin": "https://evil.example"})
        assert (foreign.status_code, foreign.json()["errorCode"]) == (403, "forbidden")


async def test_client_tokens_are_minted_by_the_secret_alone() -> None:
    async with calls_server() as (server, _), server.http(SECRET) as http, server.http() as bare:
        alice, _ = await pushed(http)
        body = {"listenOnly": True, "pull": [{"sessionId": alice, "trackName": "mic"}], "ttl": 60, "maxSessions": 3}
        minted = await http.post(f"{BASE}/tokens", json=body)
        assert minted.status_code == 201
        bearer = {"authorization": f"Bearer {minted.json()['token']}"}
        session = (await bare.post(f"{BASE}/sessions/new", headers=bearer)).json()["sessionId"]
        item = {"location": "remote", "sessionId": alice, "trackName": "mic"}
        pulled = await bare.post(f"{BASE}/sessions/{session}/tracks/new", json={"tracks": [item]}, headers=bearer)
        assert pulled.json()["requiresImmediateRenegotiation"] is True
        for method, path in (("POST", "/tokens"), ("GET", "/sessions"), ("DELETE", f"/sessions/{alice}")):
            refused = await bare.request(method, BASE + path, headers=bearer)
            assert (refused.status_code, refused.json()["errorCode"]) == (403, "forbidden"), path


async def test_turn_credentials_are_what_a_relay_expects() -> None:
    settings = Settings(
        calls_apps=((APP, SECRET),),
        turn_urls=("stun:stun.example:3478", "turn:turn.example:3478?transport=udp", "turns:turn.example:5349"),
        turn_secret="shared",
        turn_keys=(("key", "token"),),
    )
    async with calls_server(settings) as (server, _), server.http("token") as http, server.http() as bare:
        for prefix in ("/v1", ""):
            made = await http.post(f"{prefix}/turn/keys/key/credentials/generate-ice-servers", json={"ttl": 600})
            assert made.status_code == 201
            stun, turn = made.json()["iceServers"]
            assert stun == {"urls": ["stun:stun.example:3478"]}
            assert turn["urls"] == ["turn:turn.example:3478?transport=udp", "turns:turn.example:5349"]
            digest = hmac.new(b"shared", turn["username"].encode(), hashlib.sha1).digest()
            assert turn["credential"] == base64.b64encode(digest).decode()
            older = (await http.post(f"{prefix}/turn/keys/key/credentials/generate")).json()["iceServers"]
            assert len(older["urls"]) == 3
            assert older["credential"]
            revoked = await http.post(f"{prefix}/turn/keys/key/credentials/{turn['username']}/revoke")
            assert revoked.status_code == 204
        path = "/v1/turn/keys/{}/credentials/generate-ice-servers"
        rows: list[tuple[str, dict[str, str], dict[str, int], int, str]] = [
            ("key", {}, {}, 401, "unauthorized"),
            ("key", {"authorization": "Bearer wrong"}, {}, 401, "unauthorized"),
            ("other", {"authorization": "Bearer token"}, {}, 404, "not_found"),
            ("key", {"authorization": "Bearer token"}, {"ttl": 200_000}, 406, "invalid_params"),
        ]
        for key, headers, body, status, code in rows:
            refused = await bare.post(path.format(key), headers=headers, json=body)
            assert (refused.status_code, refused.json()["errorCode"]) == (status, code)
        open_list = (await bare.get(f"{BASE}/generate-ice-servers")).json()
        assert open_list == {"iceServers": [{"urls": ["stun:stun.example:3478"]}]}
        full = (await bare.get(f"{BASE}/generate-ice-servers", headers=BEARER)).json()
        assert "credential" in full["iceServers"][1]
        assert (await bare.get("/v1/apps/nobody/generate-ice-servers")).status_code == 404


async def test_without_a_relay_the_list_is_empty() -> None:
    async with calls_server() as (server, _), server.http() as http:
        assert (await http.get(f"{BASE}/generate-ice-servers")).json() == {"iceServers": []}


async def test_without_a_media_port_there_are_no_calls() -> None:
    async with running_server(SETTINGS) as server, server.http(SECRET) as http:
        answer = await http.post(f"{BASE}/sessions/new")
        assert (answer.status_code, answer.json()["errorCode"]) == (503, "temporarily_unavailable_error")
        assert "--media-port" in answer.json()["errorDescription"]


async def test_the_schema_has_every_endpoint_with_its_body() -> None:
    async with calls_server() as (server, _), server.http() as http:
        schema = (await http.get("/openapi.json")).json()["paths"]
        prefix = "/v1/apps/{app_id}/sessions/{session_id}"
        for path, method in (
            ("/tracks/new", "post"),
            ("/renegotiate", "put"),
            ("/tracks/close", "put"),
            ("/tracks/update", "put"),
            ("/datachannels/establish", "post"),
            ("/datachannels/new", "post"),
            ("/datachannels/update", "put"),
            ("/datachannels/close", "put"),
        ):
            operation = schema[prefix + path][method]
            body = operation["requestBody"]["content"]["application/json"]["schema"]
            assert body["properties"], path
        tracks = schema[prefix + "/tracks/new"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert "bidirectionalMediaStream" in json.dumps(tracks)
        assert "get" in schema["/v1/apps/{app_id}/sessions/{session_id}"]
        assert "post" in schema["/v1/turn/keys/{key_id}/credentials/generate-ice-servers"]
        assert not [path for path in schema if path.startswith("/apps/")]
