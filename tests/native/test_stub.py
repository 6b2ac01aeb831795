"""`_media.pyi` is the Rust module's contract: it declares exactly what the module has."""

from __future__ import annotations

import subprocess
import sys

import pytest

import parley._media
import parley.audio


@pytest.mark.timeout(120)
def test_the_stub_and_the_module_agree() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "parley._media"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_everything_public_is_offered_by_the_audio_package_or_used_by_the_media_plane() -> None:
    natives = {name for name in vars(parley._media) if not name.startswith("_")}
    assert natives - set(parley.audio.__all__) == {
        "MediaCore",
        "MediaCoreBusy",
        "MediaCoreClosed",
        "MediaCoreError",
        "MediaCoreRefused",
        "VirtualNetwork",
    }


def test_what_is_exported_exists() -> None:
    assert all(hasattr(parley.audio, name) for name in parley.audio.__all__)
