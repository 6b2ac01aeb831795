"""What several commands need: options made from the settings' table, settings read once, errors in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from parley.server.settings import OPTIONS, ConfigError, Resolved, Settings, load_settings, resolve

__all__ = [
    "Failure",
    "models_dir",
    "read_settings",
    "resolved_settings",
    "server_key",
    "server_url",
    "settings_options",
]

_F = TypeVar("_F", bound=Callable[..., Any])
DEFAULT_URL = "http://127.0.0.1:8080"


class Failure(click.ClickException):
    """A command that cannot do its work: one line that names the fix, exit status 1."""

    def format_message(self) -> str:
        """Give the line as it is."""
        return self.message


def settings_options(command: _F) -> _F:
    """Add every setting as an option, and `--config`."""
    for option in reversed(OPTIONS):
        words = option.help + _default(option.default)
        if option.switch:
            command = click.option(option.flag, option.name, is_flag=True, default=None, help=words)(command)
        else:
            command = click.option(
                option.flag,
                option.name,
                multiple=option.many,
                nargs=option.values,
                metavar=option.metavar,
                help=words,
            )(command)
    named = click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Settings file. Default: parley.toml.",
    )
    return named(command)


def _default(value: object) -> str:
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    return "" if shown in {None, "", False} else f" Default: {shown}."


def read_settings(flags: dict[str, Any], config_file: Path | None) -> Settings:
    """Read the settings from all sources, or fail with the fix."""
    try:
        return load_settings(flags=flags, environ=os.environ, directory=Path.cwd(), config=config_file)
    except ConfigError as error:
        raise Failure(str(error)) from None


def resolved_settings(flags: dict[str, Any], config_file: Path | None) -> list[Resolved]:
    """Find every setting with its source, or fail with the fix."""
    try:
        return resolve(flags, os.environ, Path.cwd(), config_file)
    except ConfigError as error:
        raise Failure(str(error)) from None


def models_dir(settings: Settings) -> Path:
    """Where models are kept."""
    from parley.engines.local.store import default_models_dir

    return settings.models_dir or default_models_dir(os.environ)


def server_url(url: str | None) -> str:
    """Where the running server is: `--url`, `PARLEY_URL`, or this machine's default port."""
    return (url or os.environ.get("PARLEY_URL") or DEFAULT_URL).rstrip("/")


def server_key(key: str | None) -> str | None:
    """Find the key to send: `--api-key`, or what the settings here say."""
    if key:
        return key
    keys = next(one.value for one in resolved_settings({}, None) if one.option.name == "api_key")
    return keys[0] if keys else None
