"""Virtual environments for clients of other projects: each has its own locked packages, built once and kept.

`requirements/clients/NAME.txt` says what NAME needs, with hashes. The environment lies under `.cache/clients`, named by
the lock's contents, so that a changed lock makes a new one; one that was not finished is made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["client_python", "node_packages"]

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "clients"
LOCKS = ROOT / "requirements" / "clients"


def client_python(name: str) -> Path:
    """The Python of client `name`'s environment, which is built if it is not there yet."""
    lock = LOCKS / f"{name}.txt"
    folder = CACHE / f"{name}-{_digest(lock)}"
    with _built_once(folder, f"Python packages of {name}") as build:
        if build:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--require-hashes", "--no-deps", "--no-compile", "-r", str(lock)], check=True)
    return folder / "bin/python"


def node_packages(name: str) -> Path:
    """The folder whose `node_modules` holds client `name`'s packages, by its package.json and lock."""
    source = LOCKS / name
    folder = CACHE / f"{name}-{_digest(source / 'package-lock.json')}"
    with _built_once(folder, f"Node packages of {name}") as build:
        if build:
            folder.mkdir(parents=True)
            for file in ("package.json", "package-lock.json"):
                shutil.copy(source / file, folder / file)
            npm = ["npm", "ci", "--prefix", str(folder), "--no-fund", "--no-audit", "--loglevel=error"]
            subprocess.run([*npm, "--ignore-scripts"], check=True)
    return folder


def _digest(lock: Path) -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}".encode()
    return hashlib.sha256(version + lock.read_bytes()).hexdigest()[:12]


@contextlib.contextmanager
def _built_once(folder: Path, what: str) -> Iterator[bool]:
    """Tell whether `folder` is to be built; one process at a time finds out, and only a whole one counts."""
    CACHE.mkdir(parents=True, exist_ok=True)
    done = folder / ".complete"
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not done.exists()
        started = time.monotonic()
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
            _say(f"· {what} (once, under {os.path.relpath(CACHE, ROOT)})")
        yield missing
        if missing:
            done.touch()
            _say(f"· {what}: {time.monotonic() - started:.0f} s")


def _say(words: str) -> None:
    print(words, file=sys.__stderr__, flush=True)
