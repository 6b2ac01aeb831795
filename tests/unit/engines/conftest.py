"""Engines under test run in virtual time: delays cost nothing and come out the same every time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from parley.testing import VirtualTimeLoop

HERE = Path(__file__).parent
REAL_TIME = {"test_openai_endpoint", "test_openai_chat", "test_openai_speech", "test_openai_recognition", "test_probe"}


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:
    """Give the tests of this folder a loop whose time jumps, except those that talk to a real server."""
    del config
    jumps = item.path.parent == HERE and item.path.stem not in REAL_TIME
    return {"virtual": VirtualTimeLoop} if jumps else {"real": asyncio.new_event_loop}
