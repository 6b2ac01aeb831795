"""Write `docs/reference/compatibility.md` from the event tables, the error codes and the `DEVIATION:` comments.

`--check` only compares. Each such comment says what the vendor does, what Parley does, and why; an event's row is its
struct's first line of documentation, its beta name comes from the dialect's table. The page cannot drift from the code.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from parley.protocol.realtime.client_events import ClientEvent
from parley.protocol.realtime.dialects import beta_name
from parley.protocol.realtime.server_events import ServerEvent

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/compatibility.md"
HEAD = """# The Realtime protocol, as Parley speaks it

Written by `tools/deviations.py` from the code. How well it is kept is measured in [conformance.md](conformance.md).

A connection speaks GA unless it asks for the retired beta: by the header `OpenAI-Beta: realtime=v1`, the sub-protocol
`openai-beta.realtime-v1`, an offer posted to `/v1/realtime`, or a secret of `/v1/realtime/sessions` or
`/v1/realtime/transcription_sessions`. Requests are understood in either spelling by everybody.
"""
WISHES = """## What users of the vendor's API miss, and what became of it

| wish | here |
|---|---|
| no cap of 60 minutes | `--max-session-minutes`; a client secret may set less |
| limits for who holds a client secret | fields, events, origins, seconds, tokens, sessions: `docs/client-secrets.md` |
| sidebands that close with their call, and attach at once | both |
| what was heard of a truncated answer | `conversation.item.truncated` carries the item with the words that were heard |
| pictures larger than a data channel's message | `POST /v1/realtime/calls/{call_id}/items`, up to 32 MiB |
| a change of network without a new call | `POST /v1/realtime/calls/{call_id}` with a new offer restarts ICE |
| transcripts in the right language | `transcription.language`; an agent's language holds where a client sets none |
| the transcript is what the model read | in a cascade it is, and `completed` comes before `response.created` |
| truncation without rounding errors, a new voice without a refusal | both are taken |
| MCP results that are spoken without asking | `"parley_continue": true` in the tool |
| resuming a session after a lost connection | not built: clients replay their history, which is taken with its ids |
| queueing a second `response.create` | not built: three SDKs have queues of their own around the refusal |
| back-channels ("hmm") that do not interrupt | not built: it needs a judge of meaning within 200 ms |
| DTMF, speaker labels, SIP, translation sessions | not built: no telephone line and no such models come with Parley |
"""
COMMENT = re.compile(r"^\s*(?:#|//)\s?(.*)$")


def deviations(path: Path) -> list[str]:
    """Read the texts of a file's deviation comments, unwrapped."""
    found: list[str] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if "DEVIATION:" not in line or not COMMENT.match(line):
            continue
        words = []
        for following in lines[number:]:
            match = COMMENT.match(following)
            if not match:
                break
            words.append(match.group(1))
        text = " ".join(words).split("DEVIATION:", 1)[1].strip()
        found.append(text[:1].upper() + text[1:])
    return found


def codes() -> dict[str, set[str]]:
    """Find every error code of the events, and the modules that give it."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in ("protocol/realtime", "runtime"):
        for path in sorted((ROOT / "src/parley" / package).glob("*.py")):
            for code in _codes_in(ast.parse(path.read_text(encoding="utf-8"))):
                found[code].add(path.stem)
    return found


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        given: list[ast.expr] = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        if isinstance(call.func, ast.Name) and call.func.id in {"refused", "Refused"}:
            given += call.args[:1]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                yield value.value


def _says(event: Any) -> str:
    return str(event.__doc__).strip().splitlines()[0].replace("|", "\\|")


def _tag(event: Any) -> str:
    return str(event.__struct_config__.tag)


def _server_row(event: Any) -> str:
    name, beta = _tag(event), beta_name(event)
    spelled = "—" if beta is None else "the same" if beta == name else f"`{beta}`"
    return f"| `{name}` | {spelled} | {_says(event)} |"


def page() -> str:
    """Write the page's text."""
    parts = [HEAD, "## Client events\n\n| event | |\n|---|---|"]
    parts += [f"| `{_tag(event)}` | {_says(event)} |" for event in get_args(ClientEvent)]
    parts += ["\n## Server events\n\n| event | in beta | |\n|---|---|---|"]
    parts += [_server_row(event) for event in get_args(ServerEvent)]
    parts += ["\n## Error codes of events\n\n| code | given by |\n|---|---|"]
    parts += [f"| `{code}` | {', '.join(sorted(modules))} |" for code, modules in sorted(codes().items())]
    parts += ["\n## Where Parley deliberately differs\n"]
    sources = [*ROOT.glob("src/**/*.py"), *ROOT.glob("rust/**/*.rs")]
    parts += [f"* {text} — `{path.relative_to(ROOT)}`" for path in sorted(sources) for text in deviations(path)]
    return "\n".join(parts) + "\n\n" + WISHES


def main() -> int:
    """Write or check the page."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
