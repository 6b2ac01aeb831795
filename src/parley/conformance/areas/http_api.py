"""The HTTP side: client secrets, error envelopes, what browsers ask before they ask, the rest of the surface."""

from __future__ import annotations

import time
from typing import Any

from parley.conformance.bench import Bench
from parley.conformance.check import Check, Event, at, checks, expect, expect_equal

__all__ = ["CHECKS"]

_SECRETS = "/realtime/client_secrets"


# --- client secrets ---------------------------------------------------------------------------------------------------


async def _value(bench: Bench) -> None:
    """Mint a secret that begins with `ek_`."""
    expect(str(at(await bench.secret(), "value")).startswith("ek_"), "it begins otherwise")


async def _empty_body(bench: Bench) -> None:
    """Mint for an empty body."""
    answer = await bench.http("POST", _SECRETS)
    expect(answer.status_code == 200, f"the status is {answer.status_code}")


async def _default_lifetime(bench: Bench) -> None:
    """Let a secret live for 600 s unless told otherwise."""
    left = at(await bench.secret(), "expires_at") - time.time()
    expect(abs(left - 600) <= 30, f"it expires in {left:.0f} s")


def _lifetime(seconds: int, allowed: bool) -> Check:
    async def work(bench: Bench) -> None:
        wanted = {"anchor": "created_at", "seconds": seconds}
        answer = await bench.http("POST", _SECRETS, json={"expires_after": wanted})
        if allowed:
            expect(answer.status_code == 200, f"the status is {answer.status_code}")
            left = at(answer.json(), "expires_at") - time.time()
            expect(abs(left - seconds) <= 30, f"it expires in {left:.0f} s")
        else:
            expect(answer.status_code == 400, f"the status is {answer.status_code}")
            expect_equal(at(answer.json(), "error.param"), "expires_after.seconds", "error.param")

    verb = "Take" if allowed else "Refuse"
    return Check("client_secrets", f"lifetime-{seconds}", f"{verb} a lifetime of {seconds} s.", work)


async def _twin(bench: Bench) -> None:
    """Give the secret also as `client_secret.value`, where older clients look."""
    minted = await bench.secret()
    expect_equal(at(minted, "client_secret.value"), minted["value"], "client_secret.value")


async def _session_shown(bench: Bench) -> None:
    """Show the session that the secret starts, `expires_at` 0."""
    minted = await bench.secret(session={"type": "realtime", "instructions": "Arr."})
    expect_equal(at(minted, "session.instructions"), "Arr.", "session.instructions")
    expect_equal(at(minted, "session.type"), "realtime", "session.type")
    expect_equal(at(minted, "session.expires_at"), 0, "session.expires_at")


async def _starts_with(bench: Bench) -> None:
    """Start sessions with what the secret was minted with."""
    audio = {"output": {"voice": "verse"}, "input": {"turn_detection": None}}
    minted = await bench.secret(session={"type": "realtime", "instructions": "Arr.", "audio": audio})
    async with bench.open(bench.target.websocket_base, key=minted["value"]) as peer:
        session = at(peer.log[0], "session")
        expect_equal(session.get("instructions"), "Arr.", "instructions")
        expect_equal(at(session, "audio.output.voice"), "verse", "voice")
        expect_equal(at(session, "audio.input.turn_detection"), None, "turn_detection")


async def _model_of_secret(bench: Bench) -> None:
    """Take the model from the secret when the address names none."""
    minted = await bench.secret(session={"type": "realtime", "model": "gpt-realtime-mini"})
    async with bench.open(bench.target.websocket_base, key=minted["value"]) as peer:
        expect_equal(at(peer.log[0], "session.model"), "gpt-realtime-mini", "session.model")


async def _override(bench: Bench) -> None:
    """Let the client change what an ordinary secret starts with."""
    minted = await bench.secret(session={"type": "realtime", "instructions": "Arr."})
    async with bench.open(key=minted["value"]) as peer:
        expect_equal((await peer.update(instructions="Hi.")).get("instructions"), "Hi.", "instructions")


async def _reused(bench: Bench) -> None:
    """Start several sessions with one secret."""
    minted = await bench.secret()
    for _ in range(2):
        async with bench.open(key=minted["value"]) as peer:
            expect(peer.log, "no greeting")


async def _cannot_mint(bench: Bench) -> None:
    """Let no secret mint another."""
    minted = await bench.secret()
    answer = await bench.http("POST", _SECRETS, key=minted["value"], json={})
    expect(answer.status_code in {401, 403}, f"the status is {answer.status_code}")


def _bad_session(name: str, session: Any, param: str) -> Check:
    async def work(bench: Bench) -> None:
        answer = await bench.http("POST", _SECRETS, json={"session": session})
        expect(answer.status_code == 400, f"the status is {answer.status_code}")
        expect_equal(at(answer.json(), "error.param"), param, "error.param")
        expect_equal(at(answer.json(), "error.type"), "invalid_request_error", "error.type")

    return Check("client_secrets", f"refuses-{name}", f"Refuse a session with a mistake, and name `{param}`.", work)


async def _bad_json(bench: Bench) -> None:
    """Refuse a body that is no JSON with 400."""
    answer = await bench.http("POST", _SECRETS, content=b"{oops")
    expect(answer.status_code == 400, f"the status is {answer.status_code}")
    expect(at(answer.json(), "error.message"), "there is no message")


async def _get_secret(bench: Bench) -> None:
    """Refuse to GET a secret with 404 or 405."""
    answer = await bench.http("GET", _SECRETS)
    expect(answer.status_code in {404, 405}, f"the status is {answer.status_code}")


# --- errors and ids ---------------------------------------------------------------------------------------------------


async def _envelope(bench: Bench) -> None:
    """Answer an unknown key with 401 and the standard envelope."""
    answer = await bench.http("POST", _SECRETS, key="ek_unknown", json={})
    expect(answer.status_code == 401, f"the status is {answer.status_code}")
    error: Event = at(answer.json(), "error")
    expect({"message", "type", "param", "code"} <= set(error), f"the envelope has {sorted(error)}")


async def _not_found(bench: Bench) -> None:
    """Answer an unknown address with 404 and the standard envelope."""
    answer = await bench.http("GET", "/realtime/nothing_here")
    expect(answer.status_code in {404, 405, 501}, f"the status is {answer.status_code}")
    expect(at(answer.json(), "error.message"), "there is no message")


async def _request_id(bench: Bench) -> None:
    """Give every answer an `x-request-id`."""
    answer = await bench.http("POST", _SECRETS, json={})
    expect(answer.headers.get("x-request-id"), "there is none")


async def _upgrade_only(bench: Bench) -> None:
    """Answer a GET of the WebSocket's address with a 4xx that says what is wrong."""
    answer = await bench.http("GET", "/realtime")
    expect(400 <= answer.status_code < 500, f"the status is {answer.status_code}")
    expect(at(answer.json(), "error.message"), "there is no message")


async def _models(bench: Bench) -> None:
    """List models."""
    answer = await bench.http("GET", "/models")
    expect(answer.status_code == 200, f"the status is {answer.status_code}")
    expect_equal(at(answer.json(), "object"), "list", "object")
    expect(at(answer.json(), "data.0.id"), "the list is empty")


async def _hangup_unknown(bench: Bench) -> None:
    """Answer the hang-up of an unknown call with 404."""
    answer = await bench.http("POST", "/realtime/calls/rtc_unknown/hangup")
    expect(answer.status_code == 404, f"the status is {answer.status_code}")


async def _call_of_nonsense(bench: Bench) -> None:
    """Refuse an offer that is no SDP with 400 and an envelope."""
    headers = {"content-type": "application/sdp"}
    answer = await bench.http("POST", "/realtime/calls", content=b"hello", headers=headers)
    expect(answer.status_code == 400, f"the status is {answer.status_code}")
    expect(at(answer.json(), "error.message"), "there is no message")


# --- browsers ---------------------------------------------------------------------------------------------------------


def _preflight(path: str) -> Check:
    async def work(bench: Bench) -> None:
        asked = {
            "origin": _origin(bench),
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-openai-agents-sdk,openai-beta",
        }
        answer = await bench.http("OPTIONS", path, key="", headers=asked)
        expect(answer.status_code in {200, 204}, f"the status is {answer.status_code}")
        allowed = answer.headers.get("access-control-allow-headers", "").lower()
        expect("authorization" in allowed or allowed == "*", f"allowed are {allowed!r}")
        expect("POST" in answer.headers.get("access-control-allow-methods", ""), "POST is not allowed")

    return Check("browsers", f"preflight{path.replace('/', '-')}", f"Let a page ask for {path}.", work)


def _origin(bench: Bench) -> str:
    return bench.target.http_base.removesuffix("/v1")


async def _exposed(bench: Bench) -> None:
    """Let a page read `Location`: the id of a call stands there."""
    answer = await bench.http("POST", _SECRETS, json={}, headers={"origin": _origin(bench)})
    expect(answer.headers.get("access-control-allow-origin"), "no origin is allowed")
    expect("location" in answer.headers.get("access-control-expose-headers", "").lower(), "Location is not exposed")


CHECKS = (
    *checks(
        "client_secrets",
        _value,
        _empty_body,
        _default_lifetime,
        _twin,
        _session_shown,
        _starts_with,
        _model_of_secret,
        _override,
        _reused,
        _bad_json,
        _get_secret,
    ),
    *checks("client_secrets", _cannot_mint, needs=("key",)),
    *(_lifetime(seconds, allowed) for seconds, allowed in ((9, False), (10, True), (7_200, True), (7_201, False))),
    _bad_session("session-type", {"type": "chat"}, "session.type"),
    _bad_session(
        "session-speed", {"type": "realtime", "audio": {"output": {"speed": 9}}}, "session.audio.output.speed"
    ),
    _bad_session("session-tools", {"type": "realtime", "tools": [{"type": "function"}]}, "session.tools[0].name"),
    *checks("HTTP", _envelope, _not_found, _request_id, _upgrade_only, _models, _hangup_unknown, _call_of_nonsense),
    *(_preflight(path) for path in (_SECRETS, "/realtime/calls", "/realtime", "/realtime/sessions")),
    *checks("browsers", _exposed),
)
