"""The entry point `llm.demo`: the demonstration brain with its small-talk model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from parley.engines.local import smollm
from parley.engines.local.intent.brain import DemoBrain

if TYPE_CHECKING:
    from parley.engines.catalog import StageSettings

__all__ = ["build"]


def build(stage: StageSettings, models_dir: Path) -> DemoBrain:
    """Make the demonstration brain; its small-talk model reads its weights from `models_dir`."""
    return DemoBrain(smollm.build(stage, models_dir))
