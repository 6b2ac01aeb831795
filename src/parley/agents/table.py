"""`[agents.NAME]` of parley.toml, read into an `Agent`. No files are opened here; functions are imported.

Every key is checked; a mistake is an `AgentError` that names the key and the nearest known one. Whatever an agent sets
is locked against clients, unless `client_may_set` lists it: SDKs send their whole configuration by habit and would
overwrite the prompt with an empty one. Neighbours: `agent`, `functions`; `parley.server.agent_file` opens the files.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from parley.agents.agent import Agent
from parley.agents.errors import AgentError
from parley.agents.functions import HostedFunction, by_name, load_function
from parley.engines.catalog import StageSettings
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.requests import parse_session_patch

__all__ = ["KEYS", "read_agent"]

STAGES = ("stt", "llm", "tts")
KEYS = (
    "client_may_set",
    "greeting",
    "instructions",
    "language",
    "max_output_tokens",
    "mcp",
    "noise_reduction",
    "progress",
    "prompt",
    "session",
    "speed",
    "temperature",
    "tools",
    "turn_detection",
    "voice",
    *(f"{stage}{part}" for stage in STAGES for part in ("", "_model", "_key")),
)
"""What an agent's table may hold; `limits` and names of files belong to whoever opens the file."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OUTPUT = {"voice": "audio.output.voice", "speed": "audio.output.speed"}
_INPUT = {"noise_reduction": "audio.input.noise_reduction", "turn_detection": "audio.input.turn_detection"}
_PLAIN = ("instructions", "temperature", "max_output_tokens")
_DEFAULT_PROGRESS = "One moment, please."


def read_agent(name: str, table: Any, load: Callable[[str, str], HostedFunction] = load_function) -> Agent:
    """Read one agent. `load` imports `module:function`. Raises `AgentError`."""
    where = f"agents.{name}"
    if not _NAME.fullmatch(name):
        raise AgentError(f"{where}: an agent's name is letters, digits, dots, dashes and underscores, 64 at most.")
    if not isinstance(table, dict):
        raise AgentError(f"{where} is a table: write [agents.{name}] and its keys below.")
    for key in table:
        if key not in KEYS:
            near = difflib.get_close_matches(key, (*KEYS, "limits"), n=1, cutoff=0.5)
            hint = f"Did you mean `{near[0]}`?" if near else f"There are {', '.join(KEYS)}."
            raise AgentError(f"{where}: unknown key `{key}`. {hint}")
    functions = _functions(table.get("tools"), f"{where}.tools", load)
    raw, locked = _session(table, where)
    settings = parse_session_patch(raw, prefix=where)
    if isinstance(settings, ClientFault):
        raise AgentError(f"{where}: {settings.message}")
    return Agent(
        name=name,
        settings=settings,
        locked=frozenset(locked) - frozenset(_texts(table, "client_may_set", where)),
        functions=functions,
        greeting=_text(table, "greeting", where),
        progress=_text(table, "progress", where) if "progress" in table else _DEFAULT_PROGRESS,
        prompt=_prompt(table.get("prompt"), where),
        engines=_engines(table, where),
    )


def _session(table: Mapping[str, Any], where: str) -> tuple[dict[str, Any], set[str]]:
    """Spell the table as a session object, and name the fields it sets."""
    session = table.get("session", {})
    if not isinstance(session, dict):
        raise AgentError(f"{where}.session is a table in the shape of the API's session object.")
    raw: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(session))
    locked = set(_paths(raw))
    audio = raw.setdefault("audio", {})
    inputs, output = audio.setdefault("input", {}), audio.setdefault("output", {})
    for key in _PLAIN:
        if key in table:
            raw[key] = table[key]
            locked.add(key)
    for keys, half in ((_OUTPUT, output), (_INPUT, inputs)):
        for key, path in keys.items():
            if key in table:
                half[key] = table[key]
                locked.add(path)
    if "language" in table:
        inputs["transcription"] = {**(inputs.get("transcription") or {}), "language": _text(table, "language", where)}
        locked.add("audio.input.transcription")
    if "prompt" in table:
        locked |= {"prompt", "instructions"}
    servers = table.get("mcp")
    if servers is not None:
        raw["tools"] = [*raw.get("tools", []), *_mcp_tools(servers, f"{where}.mcp")]
        locked.add("tools")
    return raw, locked


def _paths(session: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, value in session.items():
        path = prefix + name
        if path in {"audio", "audio.input", "audio.output"} and isinstance(value, dict):
            found += _paths(value, path + ".")
        else:
            found.append(path)
    return found


def _functions(given: Any, where: str, load: Callable[[str, str], HostedFunction]) -> Mapping[str, HostedFunction]:
    if given is None:
        return {}
    references = [given] if isinstance(given, str) else given
    if not isinstance(references, list) or not all(isinstance(one, str) for one in references):
        raise AgentError(f"{where} is module:function, or a list of them.")
    return by_name((load(reference, where) for reference in references), where)


def _mcp_tools(given: Any, where: str) -> list[dict[str, Any]]:
    servers = [given] if isinstance(given, dict) else given
    if not isinstance(servers, list) or not all(isinstance(one, dict) for one in servers):
        raise AgentError(f'{where} is a list of servers: [[{where}]] with server_label = "…" and server_url = "…".')
    tools = []
    for index, server in enumerate(servers):
        for key in ("server_label", "server_url"):
            if not isinstance(server.get(key), str) or not server[key]:
                raise AgentError(f"{where}[{index}]: `{key}` is missing.")
        # The server runs these without a client, so it also carries the response on and asks nobody by default.
        tools.append({"require_approval": "never", "parley_continue": True, **server, "type": "mcp"})
    return tools


def _prompt(given: Any, where: str) -> PromptReference | None:
    if given is None:
        return None
    try:
        return msgspec.convert({"id": given} if isinstance(given, str) else given, PromptReference)
    except msgspec.ValidationError as error:
        raise AgentError(f"{where}.prompt is a name, or {{ id, version, variables }}: {error}.") from None


def _engines(table: Mapping[str, Any], where: str) -> Mapping[str, StageSettings]:
    found = {}
    for stage in STAGES:
        target, model, key = (_text(table, f"{stage}{part}", where) or None for part in ("", "_model", "_key"))
        if target is None and (model or key):
            raise AgentError(
                f'{where}: `{stage}_model` and `{stage}_key` belong to a server: add {stage} = "http://…".'
            )
        if target is not None:
            found[stage] = StageSettings(target=target, model=model, key=key)
    return found


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise AgentError(f"{where}.{key} is a text in quotes.")
    return value


def _texts(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise AgentError(f"{where}.{key} is a list of texts.")
    return value
