"""Texts of settings turned into checked values. Each parser names the place, the value and the fix when it refuses.

Neighbour: `settings`, which finds the texts.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = [
    "ConfigError",
    "Kind",
    "as_address",
    "as_api_keys",
    "as_apps",
    "as_count",
    "as_count_or_0",
    "as_directory",
    "as_file",
    "as_log_level",
    "as_origins",
    "as_port",
    "as_root_path",
    "as_switch",
    "as_text",
]

Kind = Callable[[str, str], Any]
"""Parse `text`, which came from the place named by the second argument. Raises `ConfigError`."""


class ConfigError(Exception):
    """A setting cannot be used. The message names the key, the value and the fix, and never shows a secret."""


def as_text(text: str, where: str) -> str:
    """Take any text but an empty one."""
    if not text:
        raise ConfigError(f"{where}: the value is empty. Leave it out to use the default.")
    return text


def as_port(text: str, where: str) -> int:
    """Take a port number, 0 for any free one."""
    if not text.isdecimal() or int(text) > 65_535:
        raise ConfigError(f"{where}: `{text}` is not a port. Give a number from 0 to 65535.")
    return int(text)


def as_count(text: str, where: str) -> int:
    """Take a whole number from 1 to a million."""
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise ConfigError(f"{where}: `{text}` is not a whole number from 1 on.")
    return int(text)


def as_count_or_0(text: str, where: str) -> int:
    """Take a whole number from 0, which switches off, to a million."""
    return 0 if text == "0" else as_count(text, where)


def as_directory(text: str, where: str) -> Path:
    """Take a directory, which need not exist yet."""
    path = Path(as_text(text, where)).expanduser()
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{where}: {path} is a file. Name a directory.")
    return path


def as_file(text: str, where: str) -> Path:
    """Take a file that can be read."""
    path = Path(as_text(text, where)).expanduser()
    if not path.is_file():
        raise ConfigError(f"{where}: there is no file {path}.")
    return path


def as_root_path(text: str, where: str) -> str:
    """Take a path prefix; it comes back without a slash at its end."""
    path = text.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", path):
        raise ConfigError(f"{where}: `{text}` is not a path prefix. Write it like /voice.")
    return path


def as_switch(text: str, where: str) -> bool:
    """Take yes or no, in the usual words."""
    word = text.lower()
    if word not in {"true", "yes", "on", "1", "false", "no", "off", "0"}:
        raise ConfigError(f"{where}: `{text}` is neither yes nor no. Use true or false.")
    return word in {"true", "yes", "on", "1"}


def as_address(text: str, where: str) -> str:
    """Take an IP address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ConfigError(f"{where}: `{text}` is not an IP address, such as 203.0.113.7.") from None


def as_log_level(text: str, where: str) -> str:
    """One of the four levels."""
    level = text.lower()
    if level not in {"debug", "info", "warning", "error"}:
        raise ConfigError(f"{where}: `{text}` is not a log level. Use debug, info, warning or error.")
    return level


def as_api_keys(text: str, where: str) -> str:
    """Take a key a bearer header can carry, distinct from minted secrets."""
    if not re.fullmatch(r"[\x21-\x7e]+", text) or "," in text:
        raise ConfigError(f"{where}: a key is visible ASCII without spaces and commas, as it travels in a header.")
    if text.startswith("ek_"):
        raise ConfigError(f"{where}: a key must not begin with `ek_`, which marks minted client secrets.")
    return text


def as_apps(text: str, where: str) -> str:
    """`ID:SECRET`"""
    name, separator, secret = text.partition(":")
    if not (name and separator and secret):
        raise ConfigError(f"{where}: a Calls app is written ID:SECRET.")
    return text


def as_origins(text: str, where: str) -> str:
    """Take an origin as browsers send it: scheme, host, port when not the default; or `null`, or `*`."""
    if text in {"null", "*"}:
        return text
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        port = -1
    host = parts.hostname
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if not parts.scheme or not host or port == -1 or not bare:
        raise ConfigError(
            f"{where}: `{text}` is not an origin. Write scheme and host as the browser shows them, e.g. "
            "https://app.example or http://192.168.1.5:3000; `null` stands for file:// pages."
        )
    host = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}.get(parts.scheme.lower())
    return f"{parts.scheme.lower()}://{host}" + (f":{port}" if port not in {None, default} else "")
