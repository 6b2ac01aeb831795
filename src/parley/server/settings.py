"""Every setting of the server: its name, default, meaning, and where a value may come from.

One name, four places, in this order: flag `--stt-model`, variable `PARLEY_STT_MODEL`, key `stt_model` of `parley.toml`,
default. Keys that begin with `calls_` may stand in a table `[calls]`, without that. A secret may also come from a file:
`PARLEY_API_KEY_FILE`, `api_key_file`. An unknown variable or key is an error that names the nearest known one.
Only `server` and `cli` read settings; nothing else reads the environment.
Neighbour: `settings_values` turns texts into values.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from parley.auth.permissions import is_loopback
from parley.calls.limits import CallsLimits
from parley.server.settings_calls import CALLS_BOUNDS, calls_limits
from parley.server.settings_values import (
    ConfigError,
    Kind,
    as_address,
    as_api_keys,
    as_apps,
    as_count,
    as_directory,
    as_file,
    as_log_level,
    as_origins,
    as_port,
    as_root_path,
    as_switch,
    as_text,
)

__all__ = ["OPTIONS", "ConfigError", "EngineStage", "Option", "Resolved", "Settings", "load_settings", "resolve"]

DEFAULT_FILE = "parley.toml"
MAX_ANNOUNCED = 3
AGENTS_KEY = "agents"
"""The settings file's tables of agents, which `agent_file` reads."""
CALLS_TABLE = "calls"
"""The settings file's table whose keys are short for those that begin with `calls_`."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. `kind` parses and checks a text; `many` collects several values, `values` says how many belong
    together, `switch` that its flag takes none.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    metavar: str
    many: bool = False
    secret: bool = False
    values: int = 1
    switch: bool = False

    @property
    def flag(self) -> str:
        """`--stt-model`"""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """`PARLEY_STT_MODEL`"""
        return "PARLEY_" + self.name.upper()


_STAGES = {
    "stt": ("speech recognition", "a /v1/audio/transcriptions server"),
    "llm": ("the language model", "a /v1/chat/completions server (with #images=yes behind it, one that sees)"),
    "tts": ("speech synthesis", "a /v1/audio/speech server"),
}


def _stage_options() -> Iterator[Option]:
    for stage, (what, server) in _STAGES.items():
        yield Option(
            stage, as_text, None, f"Engine for {what}: URL of {server}, or a built-in engine's name.", "URL|NAME"
        )
        yield Option(f"{stage}_model", as_text, None, f"Model name to ask {stage.upper()} for.", "NAME")
        yield Option(f"{stage}_key", as_text, None, f"API key of the {stage.upper()} server.", "KEY", secret=True)


OPTIONS: tuple[Option, ...] = (
    Option("host", as_text, "127.0.0.1", "Address to listen on. Anything but loopback needs --api-key.", "ADDR"),
    Option("port", as_port, 8080, "HTTP and WebSocket port. 0 takes a free one.", "N"),
    Option("media_port", as_port, None, "UDP and TCP port for WebRTC media. Default: the HTTP port + 1.", "N"),
    Option(
        "announce",
        as_address,
        (),
        "Address to announce to WebRTC peers, e.g. the public one behind NAT; at most three. Default: this machine's.",
        "ADDR",
        many=True,
    ),
    Option("media_threads", as_count, None, "Threads that carry WebRTC media. Default: one less than processors.", "N"),
    Option(
        "api_key",
        as_api_keys,
        (),
        "Key that clients must send as bearer. Repeat for several. Better: PARLEY_API_KEY_FILE, one key a line.",
        "KEY",
        many=True,
        secret=True,
    ),
    Option(
        "calls_app", as_apps, (), "A Calls app and its secret. Repeat for several.", "ID:SECRET", many=True, secret=True
    ),
    *(Option(name, kind, default, words, "N") for name, kind, default, words in CALLS_BOUNDS),
    Option(
        "calls_track_metrics",
        as_switch,
        False,
        "Tell at /metrics of every Calls session and track as well, not only of apps.",
        "",
        switch=True,
    ),
    Option(
        "turn_url",
        as_text,
        (),
        "STUN or TURN server for WebRTC clients, e.g. turn:turn.example:3478?transport=udp. Repeat for several.",
        "URL",
        many=True,
    ),
    Option(
        "turn_secret",
        as_text,
        None,
        "Secret shared with the TURN server (coturn: static-auth-secret).",
        "TEXT",
        secret=True,
    ),
    Option(
        "turn_key",
        as_apps,
        (),
        "A key with which back ends ask for TURN credentials at /v1/turn/keys/ID. Repeat for several.",
        "ID:TOKEN",
        many=True,
        secret=True,
    ),
    Option(
        "cors_origin",
        as_origins,
        (),
        "Web origin that may use a server without keys, e.g. https://app.example; `null` admits file:// pages.",
        "ORIGIN",
        many=True,
    ),
    Option("tls", as_file, None, "Serve https and wss with this certificate and its key (PEM).", "CERT KEY", values=2),
    Option(
        "tls_self_signed",
        as_switch,
        False,
        "Serve https and wss with a certificate made here, for clients that insist on wss.",
        "",
        switch=True,
    ),
    Option(
        "lan",
        as_switch,
        False,
        "Let phones on this network in: all interfaces, https, and a one-time link as a QR code.",
        "",
        switch=True,
    ),
    Option("root_path", as_root_path, "", "Path below which a reverse proxy shows the server, e.g. /voice.", "PATH"),
    Option(
        "trusted_proxy",
        as_address,
        ("127.0.0.1", "::1"),
        "Reverse proxy whose X-Forwarded-For and -Proto are believed.",
        "ADDR",
        many=True,
    ),
    Option("max_session_minutes", as_count, 60, "Longest life of a session.", "N"),
    Option("max_sessions", as_count, 200, "Sessions at once; a further one is refused with the reason.", "N"),
    Option(
        "capture", as_directory, None, "Record every session into DIR, audio and text included (parley replay).", "DIR"
    ),
    Option("max_sessions_per_key", as_count, None, "Sessions at once of one API key and the secrets it minted.", "N"),
    Option("max_requests_per_minute", as_count, None, "HTTP requests and new sessions a minute of one API key.", "N"),
    Option("prompts_dir", as_directory, None, "Where stored prompts are. Default: prompts beside parley.toml.", "DIR"),
    Option(
        "mcp_allow",
        as_text,
        (),
        "Private host that clients' MCP tools may lead to: NAME, NAME:PORT, an address or a network.",
        "HOST",
        many=True,
    ),
    *_stage_options(),
    Option("voice", as_text, None, "Voice for every answer; wins over what clients ask for.", "NAME"),
    Option("models_dir", as_directory, None, "Where fetched models are kept.", "DIR"),
    Option("log_level", as_log_level, "info", "debug, info, warning or error.", "LEVEL"),
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A setting's value and where it came from, in words that a person can follow to the place."""

    option: Option
    value: Any
    source: str

    @property
    def shown(self) -> str:
        """The value as text, secrets masked."""
        if self.value is None or self.value in {(), ""}:
            return "—"
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if self.option.switch:
            return "yes" if self.value else "no"
        return ", ".join(_masked(value) if self.option.secret else str(value) for value in values)


@dataclass(frozen=True, slots=True)
class EngineStage:
    """What was asked for one stage: a URL or an engine's name, its model, its key. All None: the keyless default."""

    target: str | None = None
    model: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """All settings, checked. No `repr`: it holds secrets."""

    host: str = "127.0.0.1"
    port: int = 8080
    media_port: int | None = None
    announce: tuple[str, ...] = ()
    media_threads: int | None = None
    api_keys: tuple[str, ...] = ()
    calls_apps: tuple[tuple[str, str], ...] = ()
    calls_limits: CallsLimits = field(default_factory=CallsLimits)
    calls_track_metrics: bool = False
    turn_urls: tuple[str, ...] = ()
    turn_secret: str | None = None
    turn_keys: tuple[tuple[str, str], ...] = ()
    cors_origins: tuple[str, ...] = ()
    tls: tuple[Path, Path] | None = None
    tls_self_signed: bool = False
    lan: bool = False
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    max_session_minutes: int = 60
    max_sessions: int = 200
    capture: Path | None = None
    stt: EngineStage = EngineStage()
    llm: EngineStage = EngineStage()
    tts: EngineStage = EngineStage()
    voice: str | None = None
    models_dir: Path | None = None
    log_level: str = "info"
    max_sessions_per_key: int | None = None
    max_requests_per_minute: int | None = None
    prompts_dir: Path | None = None
    mcp_allow: tuple[str, ...] = ()
    config_file: Path | None = None
    """Where the settings file is or would be; agents are read from it."""


def load_settings(
    *, flags: Mapping[str, Any], environ: Mapping[str, str], directory: Path, config: Path | None = None
) -> Settings:
    """Read all sources into checked settings. Raises `ConfigError` naming the key, the value and the fix."""
    values: dict[str, Any] = {one.option.name: one.value for one in resolve(flags, environ, directory, config)}
    settings = Settings(
        api_keys=values.pop("api_key"),
        calls_apps=tuple(_app(text) for text in values.pop("calls_app")),
        calls_limits=calls_limits(values),
        turn_urls=values.pop("turn_url"),
        turn_keys=tuple(_app(text) for text in values.pop("turn_key")),
        cors_origins=values.pop("cors_origin"),
        trusted_proxies=values.pop("trusted_proxy"),
        stt=_stage(values, "stt"),
        llm=_stage(values, "llm"),
        tts=_stage(values, "tts"),
        config_file=_config_path(environ, directory, config),
        **values,
    )
    if settings.lan and is_loopback(settings.host):
        settings = replace(settings, host="0.0.0.0")  # noqa: S104 - what the flag asks for
    _check_binding(settings)
    if len(settings.announce) > MAX_ANNOUNCED:
        raise ConfigError(f"--announce: {len(settings.announce)} addresses were given; peers are told at most three.")
    return settings


def resolve(
    flags: Mapping[str, Any], environ: Mapping[str, str], directory: Path, config: Path | None = None
) -> list[Resolved]:
    """Find every setting's value and its source.

    `flags` holds what was given on the command line, by name, absent or None where it was not. `directory` is where a
    `parley.toml` is looked for; `config` (or `PARLEY_CONFIG`) names another file, which must exist.
    """
    _refuse_unknown(environ)
    path, table = _read_file(environ, directory, config)
    return [_resolve_one(option, flags, environ, path, table) for option in OPTIONS]


def _resolve_one(
    option: Option, flags: Mapping[str, Any], environ: Mapping[str, str], path: Path, table: Mapping[str, Any]
) -> Resolved:
    given = flags.get(option.name)
    if given is not None and given != ():
        return Resolved(option, _parsed(option, given, option.flag), option.flag)
    if environ.get(option.variable, "") != "" and not _is_service_link(option.variable, environ[option.variable]):
        return Resolved(option, _parsed(option, environ[option.variable], option.variable), option.variable)
    if option.secret:
        file_variable = option.variable + "_FILE"
        if environ.get(file_variable):
            return Resolved(option, _from_secret_file(option, environ[file_variable], file_variable), file_variable)
    if option.name in table:
        where = f"{path.name}: {option.name}"
        return Resolved(option, _parsed(option, table[option.name], where), where)
    if option.secret and option.name + "_file" in table:
        where = f"{path.name}: {option.name}_file"
        secret_path = path.parent / str(table[option.name + "_file"])
        return Resolved(option, _from_secret_file(option, str(secret_path), where), where)
    return Resolved(option, option.default, "default")


def _parsed(option: Option, given: Any, where: str) -> Any:
    texts = list(given) if isinstance(given, list | tuple) else _split(option, given)
    if not all(isinstance(text, str | int) and (option.switch or not isinstance(text, bool)) for text in texts):
        raise ConfigError(f"{where}: a text, a number or a list of texts is expected.")
    values = tuple(option.kind(str(text).strip(), where) for text in texts)
    if option.many:
        return values
    if len(values) != option.values:
        wanted = "one value is" if option.values == 1 else f"{option.metavar} are"
        raise ConfigError(f"{where}: {wanted} expected, {len(values)} were given.")
    return values if option.values > 1 else values[0]


def _split(option: Option, given: Any) -> list[Any]:
    """Separate a list in one variable or secret file at commas and white space."""
    if (option.many or option.values > 1) and isinstance(given, str):
        return [text for text in re.split(r"[,\s]+", given) if text]
    return [given]


def _from_secret_file(option: Option, name: str, where: str) -> Any:
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{where}: cannot read {name}: {reason}. Name a readable file holding the secret.") from None
    if not text.strip():
        raise ConfigError(f"{where}: {name} is empty. Put the secret into it, or unset {where}.")
    return _parsed(option, text.strip(), where)


def _read_file(environ: Mapping[str, str], directory: Path, config: Path | None) -> tuple[Path, dict[str, Any]]:
    path = _config_path(environ, directory, config)
    if config is None and not environ.get("PARLEY_CONFIG") and not path.exists():
        return path, {}
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config: cannot read {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    table = _flattened({key.replace("-", "_"): value for key, value in raw.items()}, path.name)
    known = _known_keys() | {AGENTS_KEY}
    for key in table:
        if key not in known:
            raise ConfigError(f"{path.name}: unknown key `{key}`.{_nearest(key, known)}")
    return path, table


def _flattened(table: dict[str, Any], file: str) -> dict[str, Any]:
    """Give the keys of `[calls]` their long names."""
    given = table.get(CALLS_TABLE)
    if not isinstance(given, dict):
        return table
    flat = {key: value for key, value in table.items() if key != CALLS_TABLE}
    for key, value in given.items():
        name = f"{CALLS_TABLE}_{key.replace('-', '_')}"
        if name in flat:
            raise ConfigError(f"{file}: `{name}` and `{key}` of [{CALLS_TABLE}] are the same. Keep one of them.")
        flat[name] = value
    return flat


def _config_path(environ: Mapping[str, str], directory: Path, config: Path | None) -> Path:
    named = config or (Path(environ["PARLEY_CONFIG"]) if environ.get("PARLEY_CONFIG") else None)
    return (named or directory / DEFAULT_FILE).expanduser()


def _known_keys() -> set[str]:
    return {option.name for option in OPTIONS} | {f"{option.name}_file" for option in OPTIONS if option.secret}


_SERVICE_LINK = re.compile(r"^PARLEY_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))")
_OTHER_VARIABLES = ("PARLEY_CONFIG", "PARLEY_URL")
"""`PARLEY_URL` tells client commands where the server is."""


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {f"PARLEY_{key.upper()}" for key in _known_keys()} | set(_OTHER_VARIABLES)
    for name, value in environ.items():
        if name.startswith("PARLEY_") and name not in known and not _is_service_link(name, value):
            raise ConfigError(f"Unknown variable {name}.{_nearest(name, known)}")


def _is_service_link(name: str, value: str) -> bool:
    """Kubernetes gives every pod such variables for a service named `parley`; they are not meant for us."""
    return bool(_SERVICE_LINK.match(name)) or (name == "PARLEY_PORT" and value.startswith("tcp://"))


def _nearest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean `{close[0]}`?" if close else " `parley config show` lists all of them."


def _check_binding(settings: Settings) -> None:
    if settings.api_keys or settings.lan or is_loopback(settings.host):
        return
    raise ConfigError(
        f"--host {settings.host}: without a key the server listens on loopback only, since anyone who reaches the port "
        "could hold conversations on your engines. Set --api-key KEY (or PARLEY_API_KEY_FILE), or use --host 127.0.0.1."
    )


def _stage(values: dict[str, Any], name: str) -> EngineStage:
    return EngineStage(values.pop(name), values.pop(f"{name}_model"), values.pop(f"{name}_key"))


def _app(text: str) -> tuple[str, str]:
    name, _, secret = text.partition(":")
    return name, secret


def _masked(value: Any) -> str:
    text = str(value)
    name, separator, _ = text.partition(":")
    if separator:
        return f"{name}:…"
    return f"{text[:3]}…{text[-2:]}" if len(text) >= 12 else "…"
