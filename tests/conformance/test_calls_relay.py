"""The vendor's relay between a person and a Realtime endpoint, request for request, with words that are understood.

Once against an endpoint elsewhere (aiortc, over ICE and DTLS, ours the controlling side), once against this server
itself, where the AI has no connection. What each side recorded is read by the bundled recogniser.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from bad_calls import BAD, REACHES, STRANGERS, filled, tokens_asked
from client_venvs import client_python
from native_calls import APP, SECRET, calls_settings, native_calls
from scripted_browser import ScriptedBrowser
from spoken import heard, models_dir, say, word_error_rate
from udp_relay import udp_relay

from parley.audio import RATE_HZ, Resampler
from parley.engines.base import EngineSet
from parley.engines.local.hibari_tts import HibariSynthesizer
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.server.settings import Settings
from parley.testing import engine_set

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "devices/aiortc_relay.py"
WIDE_HZ = 48_000
PERSON = "The train to the city leaves at seven."
ENDPOINT = "She sells fresh bread every morning."
OTHER = "Please turn off the kitchen lights."
STEPS = ("A", "A1", "B", "B1", "B2", "B3", "X1", "X2")
BEARER = {"authorization": f"Bearer {SECRET}"}
BASE = f"/v1/apps/{APP}"
OTHER_APP, OTHER_SECRET = "b" * 32, "secret-of-the-other"


def widened(pcm: bytes) -> bytes:
    up = Resampler(RATE_HZ, WIDE_HZ)
    return up.push(pcm) + up.flush()


def recorded(folder: Path, who: str) -> bytes:
    down = Resampler(WIDE_HZ, RATE_HZ)
    return down.push((folder / f"{who}.heard.pcm").read_bytes()) + down.flush()


def relayed(folder: Path, url: str, realtime: str | None) -> dict[str, Any]:
    """Go through the relay; give what the API said."""
    (folder / "person.pcm").write_bytes(widened(say(PERSON, "slt")))
    (folder / "endpoint.pcm").write_bytes(widened(say(ENDPOINT)))
    (folder / "other.pcm").write_bytes(widened(say(OTHER, "rms")))
    asked = {"api": f"{url}/v1/apps/{APP}", "secret": SECRET, "folder": str(folder), "realtime": realtime}
    done = subprocess.run(
        [str(client_python("aiortc")), str(SCRIPT), json.dumps(asked)],
        capture_output=True,
        text=True,
        timeout=160,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check_replies(report: dict[str, Any]) -> None:
    replies = report["replies"]
    assert [replies[step]["status"] for step in STEPS[:4]] == [201, 200, 201, 200]
    assert replies["B2"]["status"] < 400
    answer = replies["A1"]["body"]["sessionDescription"]
    assert answer["type"] == "answer"
    assert "a=sendrecv" in answer["sdp"].split("m=audio", 1)[1].split("m=", 1)[0]
    assert "m=application 0 " not in answer["sdp"], "the page's own data channel is taken"
    assert replies["A1"]["body"]["requiresImmediateRenegotiation"] is False
    offer = replies["B1"]["body"]
    assert offer["requiresImmediateRenegotiation"] is True
    assert offer["sessionDescription"]["type"] == "offer"
    assert offer["tracks"] == [{"mid": "0", "trackName": "ai-generated-voice"}]
    text = offer["sessionDescription"]["sdp"]
    assert "a=sendrecv" in text
    assert "a=ice-lite" not in text, "we are the controlling side"
    assert "a=end-of-candidates" in text
    assert text.count("m=") == 1
    assert replies["B3"] == {"status": 200, "body": {}}
    for step, mid, session, name in (
        ("X1", "0", report["sessions"]["B"], "ai-generated-voice"),
        ("X2", "0", report["sessions"]["A"], "user-mic"),
    ):
        attached = {
            "requiresImmediateRenegotiation": False,
            "tracks": [{"mid": mid, "sessionId": session, "trackName": name}],
        }
        assert replies[step] == {"status": 200, "body": attached}


def published(http: httpx.Client) -> tuple[str, ScriptedBrowser]:
    """Make a session with one track, `mic`."""
    browser, session = ScriptedBrowser("a"), http.post(f"{BASE}/sessions/new").json()["sessionId"]
    item = {"location": "local", "trackName": "mic", "mid": browser.add("audio")}
    body = {"sessionDescription": {"type": "offer", "sdp": browser.offer()}, "tracks": [item]}
    made = http.post(f"{BASE}/sessions/{session}/tracks/new", json=body).json()
    browser.accept(made["sessionDescription"]["sdp"])
    return session, browser


def two_at_once(http: httpx.Client, session: str) -> int:
    """Pull twice in the same moment, and answer neither: the first is offered something, the other is told to wait."""
    viewer = http.post(f"{BASE}/sessions/new").json()["sessionId"]
    body = {"tracks": [{"location": "remote", "sessionId": session, "trackName": "mic"}]}
    with ThreadPoolExecutor(2) as both:
        asked = [both.submit(http.post, f"{BASE}/sessions/{viewer}/tracks/new", json=body) for _ in range(2)]
    done, refused = sorted((each.result() for each in asked), key=lambda answer: answer.status_code)
    assert (done.status_code, done.json()["requiresImmediateRenegotiation"]) == (200, True)
    assert (refused.status_code, refused.json()["errorCode"]) == (406, "invalid_session_description")
    assert "waits for its answer: send that with PUT renegotiate" in refused.json()["errorDescription"]
    return 1


def known_words(http: httpx.Client) -> dict[str, str]:
    """Mint what strangers show."""
    known = {"app": APP, "secret": SECRET, "other": OTHER_APP, "other_secret": OTHER_SECRET}
    for name, (app, body) in tokens_asked(http.post(f"{BASE}/sessions/new").json()["sessionId"]).items():
        bearer = {"authorization": f"Bearer {OTHER_SECRET if app == '{other}' else SECRET}"}
        known[name] = http.post(f"/v1/apps/{app.format(**known)}/tokens", json=body, headers=bearer).json()["token"]
    return known


def go_wrong(url: str, over: threading.Event) -> int:
    """Ask for everything that is refused, again and again; give how often."""
    count = 0
    with (
        httpx.Client(base_url=url, headers=BEARER, trust_env=False, timeout=30) as http,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as bare,
        ThreadPoolExecutor(1) as beside,
    ):
        session, browser = published(http)
        known = known_words(http)
        clash = beside.submit(two_at_once, http, session)
        while not over.is_set():
            for name, method, path, given, status, code, words in BAD:
                content = filled(given, session, browser.offer())
                answer = http.request(method, BASE + path.replace("{s}", session), content=content)
                assert (answer.status_code, answer.json()["errorCode"]) == (status, code), name
                assert words in answer.json()["errorDescription"], name
                count += 1
                over.wait(0.04)
            for name, app, credential, status, code, words in STRANGERS:
                headers = {"authorization": credential.format(**known)} if credential else {}
                for method, path, given in REACHES:
                    target = f"/v1/apps/{app.format(**known)}{path.replace('{s}', session)}"
                    answer = bare.request(method, target, content=filled(given, session, ""), headers=headers)
                    assert (answer.status_code, answer.json()["errorCode"]) == (status, code), (name, method)
                    assert words in answer.json()["errorDescription"], (name, method)
                    count += 1
                over.wait(0.04)
        return count + clash.result()


def value_of(report: dict[str, Any], name: str, **labels: str) -> float:
    """Read one value out of the metrics."""
    for line in report["metrics"].splitlines():
        if re.match(rf"{name}[{{ ]", line) and all(f'{label}="{value}"' in line for label, value in labels.items()):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"{name} {labels}: not in\n{report['metrics']}")


def test_a_person_and_an_endpoint_elsewhere_understand_each_other(tmp_path: Path) -> None:
    over = threading.Event()
    settings = Settings(calls_apps=((APP, SECRET), (OTHER_APP, OTHER_SECRET)))
    with native_calls(settings) as server, ThreadPoolExecutor(1) as beside:
        wrong = beside.submit(go_wrong, server.url, over)
        try:
            report = relayed(tmp_path, server.url, None)
        finally:
            over.set()
        assert wrong.result() > len(BAD) + len(STRANGERS) * len(REACHES), "all of it, while they spoke"
    check_replies(report)
    first, content_type = report["asked"]
    assert first.startswith("POST /v1/realtime?voice=ash&")
    assert content_type == "application/sdp"
    assert word_error_rate(PERSON, heard(recorded(tmp_path, "endpoint"))) <= 0.3
    assert word_error_rate(ENDPOINT, heard(recorded(tmp_path, "person"))) <= 0.3
    assert value_of(report, "parley_calls_received_packets_total", app=APP) > 300
    assert value_of(report, "parley_calls_sent_packets_total", app=APP) > 300
    assert value_of(report, "parley_calls_sent_bytes_total", app=APP) > 3_000
    assert value_of(report, "parley_calls_lost_packets_total", app=APP) == 0, "whatever others ask for"
    for side, far in (("A", "B"), ("B", "A")):
        (came,) = report["replies"][f"statistics {side}"]["body"]["local"]
        (went,) = report["replies"][f"statistics {far}"]["body"]["remote"]
        assert came["layers"][0]["lost"] == 0, side
        assert went["loss"] == 0, far
        # Each is told at a moment of its own.
        assert abs(went["packets"] - came["layers"][0]["packets"]) <= 25, (side, far)
    # What the person heard was written down just before.
    frames = len(recorded(tmp_path, "person")) // 2 * 50 // RATE_HZ
    assert went["packets"] - 50 <= frames <= went["packets"]
    assert value_of(report, "parley_calls_layers", app=APP) == 2
    assert 0 < value_of(report, "parley_calls_worst_jitter_seconds", app=APP) < 1
    assert value_of(report, "parley_calls_sessions", app=APP) == 5
    assert report["sessions"]["A"] not in report["metrics"], "no session is a label unless the operator wants it"
    states = {each["sessionId"]: each["state"] for each in report["replies"]["sessions"]["body"]["sessions"]}
    assert [states[report["sessions"][each]] for each in "AB"] == ["connected", "connected"]


def real_engines() -> EngineSet:
    """The bundled recogniser and voice; the model in between says back what it understood."""
    return engine_set(recognizer=MoonshineRecognizer(models_dir()), synthesizer=HibariSynthesizer())


def test_a_person_and_the_ai_of_this_server_understand_each_other_without_a_connection(tmp_path: Path) -> None:
    settings = calls_settings(calls_track_metrics=True)
    with udp_relay() as network, native_calls(settings, relay=network, build=real_engines) as server:
        report = relayed(tmp_path, server.url, f"{server.url}/v1/realtime")
        legs = len(network._peers)
    check_replies(report)
    # The AI wrote down what it heard and said it back: the person's record holds both ways.
    understood = heard(recorded(tmp_path, "person"))
    assert word_error_rate(f"You said {PERSON}", understood) <= 0.35, understood
    assert report["replies"]["B2"]["location"].startswith("/v1/realtime/calls/rtc_")

    # Another takes the button: the same m-line, no description, and the conversation goes on.
    assert report["replies"]["X3"]["body"]["requiresImmediateRenegotiation"] is False
    assert "sessionDescription" not in report["replies"]["X3"]["body"]
    understood = heard(recorded(tmp_path, "after"))
    assert word_error_rate(f"You said {OTHER}", understood) <= 0.35, understood

    # Two addresses only ever spoke to the media port, and they are the two persons'.
    assert legs == 2
    to_ai = report["replies"]["statistics B"]["body"]
    assert (to_ai["estimateBitsPerSecond"], to_ai["roundTripMs"]) == (None, None), "there is no network in between"
    (said,) = report["replies"]["statistics A"]["body"]["local"]
    (sent,) = to_ai["remote"]
    (given,) = report["replies"]["statistics A"]["body"]["remote"]
    assert 0 < sent["packets"] <= said["layers"][0]["packets"] + 25, "told a moment later"
    # Sound is decoded once on its way to the AI, and encoded once on its way back.
    assert 0.9 * sent["packets"] <= value_of(report, "parley_audio_frames_decoded_total") < 1.5 * sent["packets"]
    assert given["packets"] <= value_of(report, "parley_audio_frames_sent_total") < 1.5 * given["packets"]

    # The operator asked for every track.
    mine = {"app": APP, "session": report["sessions"]["A"], "mid": "0"}
    assert value_of(report, "parley_calls_local_track_packets_total", **mine, track="user-mic") >= sent["packets"]
    assert value_of(report, "parley_calls_local_track_lost_packets_total", **mine) == 0
    pulled = {**mine, "from": report["sessions"]["B"], "track": "ai-generated-voice"}
    assert value_of(report, "parley_calls_remote_track_packets_total", **pulled) >= given["packets"]
    assert value_of(report, "parley_calls_remote_track_loss_ratio", **pulled) == 0
