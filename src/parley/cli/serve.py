"""`parley serve`: fetch what is missing, start, say what runs and what to open, stop gracefully."""

from __future__ import annotations

import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from parley.cli.shared import Failure, models_dir, read_settings, settings_options

__all__ = ["command"]


@click.command("serve")
@settings_options
def command(config_file: Path | None, **flags: Any) -> None:
    """Run the server.

    Without any option it listens on http://127.0.0.1:8080 for this machine only, fetches small models once and answers
    by voice with no key. Every option can also be a variable (PARLEY_STT_MODEL) or a key of parley.toml (stt_model).

    \b
    Examples:
      parley serve
      parley serve --llm http://127.0.0.1:11434/v1 --llm-model llama3.2
      parley serve --host 0.0.0.0 --api-key "$(openssl rand -hex 16)"
      parley serve --lan
      parley serve --cors-origin https://app.example
    """  # noqa: D301 - click reads \b
    settings = read_settings(flags, config_file)
    if settings.lan and not settings.api_keys:
        settings = replace(settings, api_keys=(secrets.token_urlsafe(24),))  # nobody knows it: the link lets in
    from parley.cli.start import run_server, tls_files
    from parley.engines.base import EngineError
    from parley.observe.log import configure_logging
    from parley.server.serving import bind
    from parley.server.settings import ConfigError

    configure_logging(settings.log_level, sys.stderr)
    try:
        tls = tls_files(settings, models_dir(settings).parent / "tls")
        sockets = bind(settings.host, settings.port)
    except ConfigError as error:
        raise Failure(str(error)) from None
    try:
        run_server(settings, sockets, models_dir(settings), tls)
    except ConfigError as error:
        raise Failure(str(error)) from None
    except EngineError as error:
        raise Failure(error.message) from None
