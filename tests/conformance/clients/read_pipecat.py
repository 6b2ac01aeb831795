"""What Pipecat makes of single events, by its own parser: no test itself.

Takes a file with a JSON list of events. Prints a JSON list: null for an event that was read, or what is wrong with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pipecat.services.openai.realtime.events import parse_server_event  # type: ignore[import-not-found]


def fault(event: dict[str, Any]) -> str | None:
    try:
        parsed = parse_server_event(json.dumps(event))
    except Exception as error:
        return str(error).splitlines()[0]
    return None if parsed is not None else "no model: passed over"


if __name__ == "__main__":
    sys.stdout.write(json.dumps([fault(event) for event in json.loads(Path(sys.argv[1]).read_text())]) + "\n")
