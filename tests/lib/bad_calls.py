"""Requests to the Calls API that must be refused, each with its status, code and words: bad ones, and strangers'."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["BAD", "REACHES", "STRANGERS", "filled", "tokens_asked"]

# Name, method, path, body, status, code, words. `{s}` is a live session with one track `mic`.
BAD: list[tuple[str, str, str, Any, int, str, str]] = [
    ("not JSON", "POST", "/sessions/{s}/tracks/new", b"{", 400, "decoding_error", "not valid JSON"),
    ("no body", "POST", "/sessions/{s}/tracks/new", b"", 400, "decoding_error", "The body is empty"),
    ("a list", "POST", "/sessions/{s}/tracks/new", [], 400, "decoding_error", "Expected `object`"),
    ("no tracks", "POST", "/sessions/{s}/tracks/new", {}, 400, "decoding_error", "tracks is missing"),
    ("pull of nothing", "POST", "/sessions/{s}/tracks/new", {"tracks": []}, 406, "invalid_params", "1 to 64 tracks"),
    ("wrong type", "POST", "/sessions/{s}/tracks/new", {"tracks": [{"location": "local", "mid": 7}]}, 400,
     "decoding_error", "/tracks/0/mid: Expected `str"),
    ("wrong case", "POST", "/sessions/{s}/tracks/new",
     {"tracks": [{"location": "remote", "trackname": "mic", "sessionId": "x"}]}, 400, "decoding_error",
     "trackName is missing"),
    ("no location", "POST", "/sessions/{s}/tracks/new", {"tracks": [{"trackName": "mic"}]}, 400, "decoding_error",
     "missing required field `location`"),
    ("no session", "POST", "/sessions/{s}/tracks/new", {"tracks": [{"location": "remote", "trackName": "mic"}]}, 400,
     "decoding_error", "sessionId is missing"),
    ("no kind", "POST", "/sessions/{s}/tracks/new", {"tracks": [{"location": "local", "trackName": "new"}]}, 400,
     "decoding_error", "kind is missing"),
    ("mixed", "POST", "/sessions/{s}/tracks/new",
     {"tracks": [{"location": "local", "trackName": "a"}, {"location": "remote", "trackName": "b", "sessionId": "x"}]},
     406, "invalid_params", "all local (publish) or all remote (pull)"),
    ("65 tracks", "POST", "/sessions/{s}/tracks/new",
     {"tracks": [{"location": "remote", "trackName": "a", "sessionId": "x"}] * 65}, 406, "invalid_params",
     "at most 64"),
    ("SDP without media", "POST", "/sessions/{s}/tracks/new",
     {"sessionDescription": {"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"},
      "tracks": [{"location": "local", "trackName": "a", "mid": "0"}]}, 406, "invalid_session_description",
     "it has no m-line"),
    ("no SDP at all", "POST", "/sessions/{s}/tracks/new",
     {"sessionDescription": {"type": "offer", "sdp": "hello"},
      "tracks": [{"location": "local", "trackName": "a", "mid": "0"}]},
     406, "invalid_session_description", "is this SDP"),
    ("an answer", "POST", "/sessions/{s}/tracks/new",
     {"sessionDescription": {"type": "answer", "sdp": "v=0"},
      "tracks": [{"location": "local", "trackName": "a", "mid": "0"}]},
     406, "invalid_session_description", "answers go to PUT renegotiate"),
    ("a mid that is not there", "POST", "/sessions/{s}/tracks/new",
     {"sessionDescription": "OFFER", "tracks": [{"location": "local", "trackName": "a", "mid": "9"}]}, 406,
     "invalid_session_description", "no m-line with the mid '9'"),
    ("a mid twice", "POST", "/sessions/{s}/tracks/new",
     {"sessionDescription": "OFFER",
      "tracks": [{"location": "local", "trackName": name, "mid": "0"} for name in ("a", "b")]}, 406, "invalid_params",
     "the mid '0' stands there twice"),
    ("a name twice", "POST", "/sessions/{s}/tracks/new",
     {"tracks": [{"location": "local", "trackName": "a", "kind": "audio"}] * 2}, 406, "invalid_params",
     "the trackName 'a' stands there twice"),
    ("two into one m-line", "POST", "/sessions/{s}/tracks/new",
     {"tracks": [{"location": "remote", "trackName": name, "sessionId": "x", "mid": "#mic"} for name in ("a", "b")]},
     406, "invalid_params", "the mid '#mic' stands there twice"),
    ("no mid", "POST", "/sessions/{s}/tracks/new",
     {"sessionDescription": "OFFER", "tracks": [{"location": "local", "trackName": "a"}]}, 400, "decoding_error",
     "mid is missing"),
    ("an unknown transceiver", "POST", "/sessions/{s}/tracks/new",
     {"tracks": [{"location": "remote", "trackName": "mic", "sessionId": "{s}", "mid": "#nothing"}]}, 406,
     "invalid_session_description", "no local track 'nothing'"),
    ("1 MB of JSON", "POST", "/sessions/{s}/tracks/new", {"tracks": [], "x": "y" * 1_000_000}, 413,
     "payload_too_large", "too large"),
    ("an answer out of turn", "PUT", "/sessions/{s}/renegotiate",
     {"sessionDescription": {"type": "answer", "sdp": "v=0"}}, 406, "invalid_session_description",
     "no offer of this server"),
    ("no description", "PUT", "/sessions/{s}/renegotiate", {}, 400, "decoding_error",
     "missing required field `sessionDescription`"),
    ("a close without offer", "PUT", "/sessions/{s}/tracks/close", {"tracks": [{"mid": "0"}]}, 406,
     "invalid_session_description", "or set force to true"),
    ("a close of nothing", "PUT", "/sessions/{s}/tracks/close", {"tracks": [], "force": True}, 406, "invalid_params",
     "1 to 64 mids"),
    ("an update without mid", "PUT", "/sessions/{s}/tracks/update",
     {"tracks": [{"location": "remote", "trackName": "mic", "sessionId": "{s}"}]}, 400, "decoding_error",
     "mid is missing"),
    ("another channel than ours", "POST", "/sessions/{s}/datachannels/establish",
     {"dataChannel": {"dataChannelName": "chat"}}, 406, "invalid_params", "server-events"),
    ("channels of nothing", "POST", "/sessions/{s}/datachannels/new", {"dataChannels": []}, 406, "invalid_params",
     "1 to 64 channels"),
    ("an unknown session", "GET", "/sessions/" + "0" * 32, b"", 410, "session_error", "unknown, closed or expired"),
    ("an unknown path", "GET", "/nothing", b"", 404, "not_found", "Unknown URL"),
    ("a wrong method", "DELETE", "/sessions/{s}/tracks/new", b"", 405, "not_found", "does not take that method"),
    ("adapters", "POST", "/adapters/websocket/new", {}, 501, "not_implemented", "WebSocket adapters are not served"),
    ("adapters", "POST", "/adapters/websocket/close", {}, 501, "not_implemented", "WebSocket adapters are not served"),
    ("WHIP", "POST", "/whip/stream", b"v=0", 501, "not_implemented", "WHIP and WHEP are not served"),
    ("WHEP", "PATCH", "/whep/stream/1", b"v=0", 501, "not_implemented", "WHIP and WHEP are not served"),
]  # fmt: skip

# Name, app, `Authorization`, status, code, words. What stands in braces is the tester's; `{s}` is a session of `{app}`.
STRANGERS: list[tuple[str, str, str, int, str, str]] = [
    ("no credential", "{app}", "", 401, "unauthorized", "No secret was sent"),
    ("a wrong secret", "{app}", "Bearer wrong", 401, "unauthorized", "not the secret of this app"),
    ("another scheme", "{app}", "Basic {secret}", 401, "unauthorized", "No secret was sent"),
    ("a forged token", "{app}", "Bearer ct_forged", 401, "unauthorized", "unknown, expired, or of another app"),
    ("another app's secret", "{app}", "Bearer {other_secret}", 401, "unauthorized", "not the secret of this app"),
    (
        "another app's token",
        "{app}",
        "Bearer {other_token}",
        401,
        "unauthorized",
        "unknown, expired, or of another app",
    ),
    ("an unknown app", "nobody", "Bearer {secret}", 404, "not_found", "No such app"),
    (
        "a session of another app",
        "{other}",
        "Bearer {other_secret}",
        410,
        "session_error",
        "unknown, closed or expired",
    ),
    ("a session of another, to its token", "{app}", "Bearer {bound_token}", 403, "forbidden", "bound to another"),
    ("a session of another, to its maker", "{app}", "Bearer {free_token}", 403, "forbidden", "did not make this one"),
]

REACHES: list[tuple[str, str, Any]] = [
    ("GET", "/sessions/{s}", b""),
    ("PUT", "/sessions/{s}/tracks/close", {"tracks": [{"mid": "0"}], "force": True}),
    ("POST", "/sessions/{s}/datachannels/establish", {}),
    ("DELETE", "/sessions/{s}", b""),
]
"""What a stranger tries: method, path, body."""


def tokens_asked(elsewhere: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Say which tokens `STRANGERS` need: by name, who mints it and the request. `elsewhere` is another session."""
    return {
        "other_token": ("{other}", {}),
        "bound_token": ("{app}", {"sessionId": elsewhere}),
        "free_token": ("{app}", {}),
    }


def filled(body: Any, session: str, offer: str) -> bytes:
    """Give the body of a row. `session` is a live session, `offer` one that its client could make."""
    if isinstance(body, bytes):
        return body
    text = json.dumps(body).replace("{s}", session)
    return text.replace('"OFFER"', json.dumps({"type": "offer", "sdp": offer})).encode()
