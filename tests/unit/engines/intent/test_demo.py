"""The entry point builds the demonstration brain without touching the disk."""

from __future__ import annotations

from pathlib import Path

from parley.engines.catalog import StageSettings
from parley.engines.local import demo
from parley.engines.local.intent import DemoBrain


def test_it_builds_the_brain_before_any_weights_are_there(tmp_path: Path) -> None:
    brain = demo.build(StageSettings(), tmp_path / "missing")
    assert isinstance(brain, DemoBrain)
    assert brain.info.model == "parley-demo"
    assert not (tmp_path / "missing").exists()
