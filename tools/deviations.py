"""Write `docs/reference/compatibility.md` from the event tables, the error codes and the `DEVIATION:` comments.

`--check` only compares. Each such comment says what the vendor does, what Parley does, and why; an event's row is its
struct's first line of documentation, its beta name comes from the dialect's table. The page cannot drift from the code.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from parley.protocol.realtime.client_events import ClientEvent
from parley.protocol.realtime.dialects import Dialect, beta_name, encode
from parley.protocol.realtime.requests import BETA_TYPES
from parley.protocol.realtime.server_events import ServerEvent, SessionCreated, SessionUpdated
from parley.protocol.realtime.session_config import SessionConfig, session_object

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
| resuming a session after a lost connection | not built: clients replay their history, which is taken with its ids; \
a lost connection of a call is kept 30 s |
| limits of time, tokens and sessions for who holds a client secret | `max_session_seconds`, `max_tokens`, \
`max_sessions`: `docs/client-secrets.md` |
| browsers that can neither read nor rewrite the prompt and the tools | `lock`, `hide`, `client_events`, `origins` \
of a client secret, or an agent |
| sidebands that close with their call, and attach at once | both |
| `response.create` without races | not built: a second one is refused as the vendor does, with its `event_id`; \
three SDKs queue around the refusal |
| no `response_cancel_not_active` when a response has just ended | not built: the vendor's code stays, so that a \
client's own mistake is seen |
| truncation without rounding errors | beyond the end is clamped |
| what was heard of a truncated answer | `conversation.item.truncated` carries the item with the words that were \
heard |
| noise and coughs that do not interrupt for good | a turn without words is not answered; noise reduction; \
`threshold` and semantic turn detection |
| back-channels ("hmm") that do not interrupt | not built: it needs a judge of meaning within 200 ms |
| no echo of the server's own voice | not built: browsers and phones cancel echo where the loudspeaker is, and know \
its delay |
| no clipped first word | sound before the voice is kept whether or not an answer plays, `prefix_padding_ms` \
included |
| knowing when playback ends | `output_audio_buffer.*` in calls; over WebSocket the client plays, and is the one who \
knows |
| the transcript is what the model read, and comes first | in a cascade it is, and `completed` comes before \
`response.created` |
| transcripts in the right language | `transcription.language`; an agent's language holds where a client sets none |
| what a conversation costs | `usage` of every response and transcript, with `parley_cost` where prices are set: \
`docs/prices.md` |
| a notice when old items leave the context | not built: `usage` shows it; clients refuse unknown event types |
| old items summed up rather than dropped | not built: it would cost a generation that nobody asked for; \
`truncation` says what to keep |
| unknown parameters that do not void a whole update | they are passed over |
| a new voice without a refusal | applies from the next response |
| MCP results that are spoken without asking | `"parley_continue": true` in the tool |
| pictures larger than a data channel's message | `POST /v1/realtime/calls/{call_id}/items`, up to 32 MiB |
| events that outgrow a data channel | shortened to what the peer takes, and marked by `parley_cut` |
| a camera whose use is documented | `docs/webrtc.md`: one still a response, from any kind of turn |
| a change of network without a new call | `POST /v1/realtime/calls/{call_id}` with a new offer restarts ICE |
| times of single words | `parley_spans` of `response.output_audio.delta`; exact where the voice knows them |
| clients that can be pointed at another server | their own setting for it, as in README; nothing else changes |
| DTMF, speaker labels, SIP, translation sessions | not built: no telephone line and no such models come with Parley |
"""
CODED = ("protocol/realtime", "runtime", "auth", "server", "transports", "engines")
"""The packages whose codes reach clients of the Realtime API; the Calls API has codes of its own."""
OF_CALLS = ("calls_", "routes_calls", "routes_turn")
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
PLACE = {"refused": 0, "Refused": 0, "_failed": 0, "Refusal": 2}
"""Where the code stands among what is given by position."""
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
    """Find every error code of events and HTTP answers, and the modules that give it."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in CODED:
        for path in sorted((ROOT / "src/parley" / package).rglob("*.py")):
            if not path.stem.startswith(OF_CALLS):
                for code in _codes_in(ast.parse(path.read_text(encoding="utf-8"))):
                    found[code].add(path.stem)
    return found


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        for value in _given_codes(node):
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and CODE.fullmatch(value.value):
                yield value.value


def _given_codes(node: ast.AST) -> Iterator[ast.expr | None]:
    """Find what stands for a code: by name or position in a call, as a default, as a member of a JSON object."""
    match node:
        case ast.Call(func=function, args=given, keywords=named):
            yield from (keyword.value for keyword in named if keyword.arg == "code")
            place = PLACE.get(function.id) if isinstance(function, ast.Name) else None
            if place is not None and len(given) > place:
                yield given[place]
        case ast.arguments(kwonlyargs=names, kw_defaults=defaults):
            yield from (default for name, default in zip(names, defaults, strict=True) if name.arg == "code")
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            yield from (value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "code")
        case _:
            return


def _says(event: Any) -> str:
    return str(event.__doc__).strip().splitlines()[0].replace("|", "\\|")


def _tag(event: Any) -> str:
    return str(event.__struct_config__.tag)


def _server_row(event: Any) -> str:
    name, beta = _tag(event), beta_name(event)
    spelled = "—" if beta is None else "the same" if beta == name else f"`{beta}`"
    if event in (SessionCreated, SessionUpdated):
        spelled += f"; of transcription `{_of_transcription(event)}`"
    return f"| `{name}` | {spelled} | {_says(event)} |"


def _of_transcription(event: type[SessionCreated | SessionUpdated]) -> str:
    """Give beta's name for the event of a session that only transcribes."""
    session = session_object(SessionConfig(type="transcription"), session_id="sess_1", expires_at=0)
    frame = encode(event(event_id="event_1", session=session), Dialect.BETA)
    return str(json.loads(frame or b"{}")["type"])


def page() -> str:
    """Write the page's text."""
    parts = [HEAD, "## Client events\n\n| event | |\n|---|---|"]
    parts += [f"| `{_tag(event)}` | {_says(event)} |" for event in get_args(ClientEvent)]
    parts += [f"| `{tag}` | Beta's name for `session.update`. |" for tag in BETA_TYPES]
    parts += ["\n## Server events\n\n| event | in beta | |\n|---|---|---|"]
    parts += [_server_row(event) for event in get_args(ServerEvent)]
    parts += ["\n## Error codes, in events and answers over HTTP\n\n| code | given by |\n|---|---|"]
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
