"""`python -m benchmarks [NAME …]`: run all benchmarks, or the named ones."""

from __future__ import annotations

import importlib
import platform
import sys

NAMES = (
    "startup",
    "audio_core",
    "forwarding",
    "fan_out",
    "simulcast",
    "engines_local",
    "keyless_turns",
    "added_latency",
    "websocket_sessions",
    "webrtc_sessions",
    "webrtc_turns",
)


def main() -> int:
    """Run them one after another on an otherwise idle machine."""
    wanted = sys.argv[1:] or NAMES
    unknown = set(wanted) - set(NAMES)
    if unknown:
        print(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(NAMES)}.")
        return 2
    print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    for name in wanted:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n## {name}\n{(module.__doc__ or '').strip()}\n", flush=True)
        module.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
