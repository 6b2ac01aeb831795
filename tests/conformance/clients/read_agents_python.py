"""What the Agents SDK for Python makes of single events, by its own type adapter: no test itself.

Takes a file with a JSON list of events. Prints a JSON list: null for an event that was read, or what is wrong with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from agents.realtime.openai_realtime import get_server_event_type_adapter  # type: ignore[import-not-found]
from pydantic import ValidationError

ADAPTER = get_server_event_type_adapter()


def fault(event: dict[str, Any]) -> str | None:
    """As the SDK does: a null `previous_item_id` is taken for an empty one before anything is read."""
    if event.get("previous_item_id", "") is None:
        event = {**event, "previous_item_id": ""}
    try:
        ADAPTER.validate_python(event)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}"
    return None


if __name__ == "__main__":
    sys.stdout.write(json.dumps([fault(event) for event in json.loads(Path(sys.argv[1]).read_text())]) + "\n")
