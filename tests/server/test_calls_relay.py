"""TURN credentials against coturn, Debian's package: it lets them in, and neither forged nor expired ones."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from parley.calls.turn_credentials import TurnCredentials
from parley.protocol.calls import IceServer

pytestmark = [
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="coturn is not installed: apt-get install coturn"),
    pytest.mark.timeout(120),
]

SECRET = "shared-with-the-relay"


def free_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A relay on loopback; gives its port."""
    port, folder = free_port(), tmp_path_factory.mktemp("turn")
    command = [
        *("turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}"),
        *("--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=parley.test", "--no-cli", "--no-tls"),
        *("--no-dtls", "--allow-loopback-peers", "--min-port=40000", "--max-port=40100", "--log-file=stdout"),
        *(f"--pidfile={folder}/pid", f"--userdb={folder}/db"),
    ]
    with Path(folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        deadline = time.monotonic() + 20
        while "Total General servers" not in (text := Path(folder / "log").read_text(errors="replace")):
            assert process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def credential(secret: str = SECRET, now: float | None = None) -> IceServer:
    made = TurnCredentials(
        ("turn:127.0.0.1",), secret, (), lambda: time.time() if now is None else now, lambda: "somebody"
    )
    return made.relays(600)[-1]


def relayed(port: int, server: IceServer) -> str:
    """Send five messages through the relay to itself; give what the client says."""
    assert server.username
    assert server.credential
    command = [
        *("turnutils_uclient", "-y", "-n", "5", "-m", "1", "-c", "-p", str(port)),
        *("-u", server.username, "-w", server.credential, "127.0.0.1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
    return done.stdout + done.stderr


def test_the_relay_takes_our_credentials(relay: int) -> None:
    said = relayed(relay, credential())
    found = re.findall(r"tot_recv_msgs=(\d+)", said)
    assert found, said
    assert int(found[-1]) > 0, said


@pytest.mark.parametrize("made", [credential("another-secret"), credential(now=time.time() - 86_400)])
def test_the_relay_refuses_forged_and_expired_ones(relay: int, made: IceServer) -> None:
    said = relayed(relay, made)
    assert "Cannot complete Allocation" in said, said
    assert not [number for number in re.findall(r"tot_recv_msgs=(\d+)", said) if int(number)], said
