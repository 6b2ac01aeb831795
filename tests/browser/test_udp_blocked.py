"""A network that lets no UDP through: Chromium finds the way over TCP by itself, and the conversation is the same.

The network is a namespace of this machine's own, in which a routing rule swallows every datagram. Where none can be
made (it needs `unshare` and `ip`, and the right to), that is said and the test is skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from console import artifacts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_UDP = """
set -e
ip link set lo up
ip link add parley0 type veth peer name parley1
ip addr add 10.9.9.1/24 dev parley0
ip link set parley0 up
ip link set parley1 up
ip rule add pref 5 lookup local
ip rule del pref 0
ip rule add pref 1 ipproto udp blackhole
exec "$@"
"""
UDP_FAILS = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near:
    far.bind(("10.9.9.1", 0))
    far.settimeout(0.5)
    try:
        near.sendto(b"?", far.getsockname())
        far.recv(1)
    except OSError:
        raise SystemExit(0)
raise SystemExit("a datagram came through")
"""


def without_udp(*command: str) -> list[str]:
    return ["unshare", "--net", "sh", "-c", WITHOUT_UDP, "sh", *command]


def test_a_conversation_goes_over_tcp_where_udp_is_blocked() -> None:
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("no network namespace: unshare and ip (apt install iproute2) are not here")
    tried = subprocess.run(without_udp(sys.executable, "-c", UDP_FAILS), capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no network namespace without UDP: {tried.stderr.strip().splitlines()[-1]}")
    talks = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "tests/browser/test_console_talks.py"]
    chosen = "webrtc and (server_alone or greets or person_says or function)"
    done = subprocess.run(without_udp(*talks, "-k", chosen), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    result = json.loads((artifacts("conversation-webrtc") / "result.json").read_text(encoding="utf-8"))
    assert result["path"].startswith("TCP to 10.9.9.1:"), result["path"]
