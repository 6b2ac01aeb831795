"""Where each setting's value comes from, and what is refused with which words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from parley.calls.limits import CallsLimits
from parley.server import settings_values as values
from parley.server.settings import OPTIONS, ConfigError, EngineStage, Settings, load_settings, resolve
from parley.server.settings_calls import as_kib


def load(
    directory: Path, flags: dict[str, Any] | None = None, environ: dict[str, str] | None = None, toml: str | None = None
) -> Settings:
    if toml is not None:
        (directory / "parley.toml").write_text(toml)
    return load_settings(flags=flags or {}, environ=environ or {}, directory=directory)


def test_defaults_are_a_loopback_server_without_keys(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.host, settings.port, settings.api_keys, settings.max_session_minutes) == (
        "127.0.0.1",
        8080,
        (),
        60,
    )
    assert settings.stt == settings.llm == settings.tts == EngineStage()


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(tmp_path: Path) -> None:
    toml, environ, flags = (
        "port = 3\nvoice = 'c'\nhost = '127.0.0.3'",
        {"PARLEY_PORT": "2", "PARLEY_VOICE": "b"},
        {"port": "1"},
    )
    settings = load(tmp_path, flags, environ, toml)
    assert (settings.port, settings.voice, settings.host) == (1, "b", "127.0.0.3")
    sources = {one.option.name: one.source for one in resolve(flags, environ, tmp_path)}
    assert (sources["port"], sources["voice"], sources["host"], sources["llm"]) == (
        "--port",
        "PARLEY_VOICE",
        "parley.toml: host",
        "default",
    )


def test_every_option_can_come_from_each_place(tmp_path: Path) -> None:
    (tmp_path / "c.pem").touch()
    sample: dict[values.Kind, str] = {
        values.as_address: "203.0.113.7",
        values.as_apps: "app:secret",
        values.as_count: "9",
        values.as_count_or_0: "9",
        as_kib: "9",
        values.as_file: f"{tmp_path}/c.pem",
        values.as_log_level: "debug",
        values.as_origins: "https://a.example",
        values.as_port: "9",
        values.as_root_path: "/voice",
        values.as_switch: "yes",
    }
    for option in OPTIONS:
        text = " ".join([sample.get(option.kind, "127.0.0.9")] * option.values)
        given = tuple(text.split()) if option.many or option.values > 1 else text
        by_flag = _value(resolve({option.name: given}, {}, tmp_path), option.name)
        by_variable = _value(resolve({}, {option.variable: text}, tmp_path), option.name)
        (tmp_path / "parley.toml").write_text(f'{option.name.replace("_", "-")} = "{text}"')
        by_file = _value(resolve({}, {}, tmp_path), option.name)
        (tmp_path / "parley.toml").unlink()
        assert by_flag == by_variable == by_file != option.default, option.name


def _value(resolved: list[Any], name: str) -> Any:
    return next(one.value for one in resolved if one.option.name == name)


@pytest.mark.parametrize("name", [option.name for option in OPTIONS if option.secret])
def test_secrets_come_from_files_too(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("id:s3cret\n")
    for environ, toml in (
        ({f"PARLEY_{name.upper()}_FILE": str(tmp_path / "secret")}, ""),
        ({}, f'{name}_file = "secret"'),
    ):
        (tmp_path / "parley.toml").write_text(toml)
        value = _value(resolve({}, environ, tmp_path), name)
        assert value in ("id:s3cret", ("id:s3cret",))


def test_several_keys_from_one_variable_file_or_list(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("first\nsecond\n")
    assert load(tmp_path, environ={"PARLEY_API_KEY": "first, second"}).api_keys == ("first", "second")
    assert load(tmp_path, environ={"PARLEY_API_KEY_FILE": str(tmp_path / "keys")}).api_keys == ("first", "second")
    assert load(tmp_path, toml='api_key = ["first", "second"]').api_keys == ("first", "second")


def test_stages_are_independent(tmp_path: Path) -> None:
    settings = load(tmp_path, {"llm": "http://127.0.0.1:11434/v1", "llm_model": "qwen"}, {"PARLEY_TTS_KEY": "k"})
    assert settings.llm == EngineStage("http://127.0.0.1:11434/v1", "qwen", None)
    assert settings.tts == EngineStage(None, None, "k")


def test_secrets_are_masked_and_not_in_the_repr(tmp_path: Path) -> None:
    flags = {"api_key": ("sk-abcdefghijkl", "short"), "calls_app": ("app:topsecret",), "llm_key": "sk-llmllmllmllm"}
    shown = " ".join(one.shown for one in resolve(flags, {}, tmp_path))
    text = shown + repr(load(tmp_path, flags))
    for secret in ("abcdefghijkl", "short", "topsecret", "llmllm"):
        assert secret not in text
    assert "app:…" in shown


REFUSED = [
    ({"port": "99999"}, {}, "", "--port: `99999` is not a port"),
    ({"port": "http"}, {}, "", "0 to 65535"),
    ({}, {"PARLEY_PROT": "1"}, "", "Unknown variable PARLEY_PROT. Did you mean `PARLEY_PORT`?"),
    ({}, {}, "llm_modle = 'x'", "unknown key `llm_modle`. Did you mean `llm_model`?"),
    ({}, {}, "zzz = 'x'", "parley config show"),
    ({}, {}, "port = ", "is not valid TOML"),
    ({}, {}, "port = true", "a text, a number"),
    ({"host": "0.0.0.0"}, {}, "", "Set --api-key KEY (or PARLEY_API_KEY_FILE), or use --host 127.0.0.1"),
    ({"host": "box.local"}, {}, "", "listens on loopback only"),
    ({"api_key": ("ek_mine",)}, {}, "", "must not begin with `ek_`"),
    ({"api_key": ("two words",)}, {}, "", "without spaces"),
    ({}, {"PARLEY_API_KEY_FILE": "/does/not/exist"}, "", "PARLEY_API_KEY_FILE: cannot read /does/not/exist"),
    ({"cors_origin": ("app.example",)}, {}, "", "is not an origin"),
    ({"cors_origin": ("https://app.example/path",)}, {}, "", "is not an origin"),
    ({"calls_app": ("justid",)}, {}, "", "ID:SECRET"),
    ({"announce": ("myhost",)}, {}, "", "not an IP address"),
    ({"announce": ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")}, {}, "", "at most three"),
    ({"media_threads": "0"}, {}, "", "whole number from 1"),
    ({"max_session_minutes": "0"}, {}, "", "whole number from 1"),
    ({"log_level": "loud"}, {}, "", "debug, info, warning or error"),
    ({"voice": " "}, {}, "", "the value is empty"),
]


@pytest.mark.parametrize(("flags", "environ", "toml", "words"), REFUSED)
def test_refusals_name_the_place_and_the_fix(
    tmp_path: Path, flags: dict[str, Any], environ: dict[str, str], toml: str, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, flags, environ, toml)
    assert words in str(refused.value)


def test_a_refusal_never_shows_the_secret(tmp_path: Path) -> None:
    for flags in ({"api_key": ("ek_topsecret",)}, {"api_key": ("top secret",)}, {"calls_app": ("topsecret",)}):
        with pytest.raises(ConfigError) as refused:
            load(tmp_path, flags)
        assert "secret" not in str(refused.value).replace("ID:SECRET", "").replace("client secrets", "")


def test_a_named_file_must_exist_and_kubernetes_links_are_ignored(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(flags={}, environ={}, directory=tmp_path, config=tmp_path / "absent.toml")
    links = {"PARLEY_PORT": "tcp://10.0.0.1:8080", "PARLEY_SERVICE_HOST": "10.0.0.1", "PARLEY_PORT_8080_TCP_ADDR": "x"}
    assert load(tmp_path, environ=links).port == 8080


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("HTTPS://App.Example:443/", "https://app.example"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("null", "null"),
        ("*", "*"),
        ("chrome-extension://abc", "chrome-extension://abc"),
    ],
)
def test_origins_are_kept_as_browsers_send_them(tmp_path: Path, given: str, origin: str) -> None:
    assert load(tmp_path, {"cors_origin": (given,)}).cors_origins == (origin,)


def test_the_bounds_of_calls_may_stand_in_a_table_of_their_own(tmp_path: Path) -> None:
    toml = """
[calls]
app = ["a:secret"]
max-sessions = 7
max_tracks = 8
max_body_kib = 64
session_rate = 9
app_rate = 10
track_timeout = 0
connect_timeout = 11
third_party_timeout = 12
track_metrics = true
"""
    settings = load(tmp_path, toml=toml)
    assert settings.calls_apps == (("a", "secret"),)
    assert settings.calls_track_metrics
    assert settings.calls_limits == CallsLimits(
        max_sessions=7,
        max_tracks=8,
        max_body_bytes=65_536,
        requests_per_second=9,
        app_requests_per_second=10,
        silent_track_ms=None,
        never_connected_ms=11_000,
        idle_third_party_ms=12_000,
    )
    assert load(tmp_path, {"calls_max_tracks": "3"}).calls_limits.max_tracks == 3
    assert load(tmp_path, toml="port = 1").calls_limits == CallsLimits()


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[calls]\nmax_sesions = 7", "unknown key `calls_max_sesions`. Did you mean `calls_max_sessions`?"),
        ("[calls]\nmax_sessions = 0", "parley.toml: calls_max_sessions: `0` is not a whole number from 1 on"),
        ("[calls]\ntrack_timeout = -1", "calls_track_timeout: `-1` is not a whole number"),
        ("[calls]\nmax_body_kib = 10000", "calls_max_body_kib: 10000 KiB are too many; no body is read beyond 8192"),
        (
            "calls_max_tracks = 1\n[calls]\nmax_tracks = 2",
            "`calls_max_tracks` and `max_tracks` of [calls] are the same",
        ),
        ("calls = 3", "unknown key `calls`"),
    ],
)
def test_bounds_of_calls_that_cannot_be_used_are_refused(tmp_path: Path, toml: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        load(tmp_path, toml=toml)
