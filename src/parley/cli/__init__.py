"""The command line. Each command is a module of its own name, loaded when it is used: `parley --help` stays quick.

Heavy libraries (engines, server, rich) are imported inside commands. Neighbours: `parley.server.settings` says what can
be set, `parley.server.app` is what `serve` runs.
"""

from __future__ import annotations

import importlib

import click

import parley

__all__ = ["main"]

_COMMANDS = {
    "serve": ("serve", "Run the server; open http://127.0.0.1:8080 and talk."),
    "talk": ("talk", "Talk to a server with this terminal's microphone, or with wav files."),
    "token": ("token", "Mint a client secret from a running server."),
    "calls": ("calls", "List, show and end sessions of the Calls API on a running server."),
    "models": ("models", "List, fetch and remove the built-in engines' models."),
    "doctor": ("doctor", "Check engines, ports, addresses and models, and say how to mend them."),
    "config": ("config", "Show every setting, its value and where it comes from."),
    "conformance": ("conformance", "Check any Realtime server against the protocol, event by event."),
    "replay": ("replay", "Run a recorded session again and compare."),
}


class _Commands(click.Group):
    """Commands by name; a command's module is imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them in the order a newcomer needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"parley.cli.{_COMMANDS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_module, words) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean `parley {near[0]}`?" if near else " `parley --help` lists the commands."
            raise click.UsageError(error.format_message().rstrip(".") + "." + hint, ctx) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(parley.__version__, prog_name="parley")
def main() -> None:
    """Parley: your own real-time voice-AI server. It speaks the OpenAI Realtime protocol.

    \b
    First conversation, no key needed:
      parley serve            then open http://127.0.0.1:8080
    With your own language model:
      parley serve --llm http://127.0.0.1:11434/v1 --llm-model llama3.2
    For others to reach:
      parley serve --host 0.0.0.0 --api-key KEY
    """  # noqa: D301 - click reads \b
