"""A turn detector that believes what it is told. Neighbour: `engines.base`."""

from __future__ import annotations

from collections.abc import Callable

from parley.engines.base import Capabilities, EngineInfo

__all__ = ["FakeTurnDetector"]


class FakeTurnDetector:
    """Answer `probability`, or what a callable makes of the text. `asked` keeps `(audio bytes, text)` of every call."""

    def __init__(self, probability: float | Callable[[str], float] = 1.0) -> None:
        self._probability = probability
        self.asked: list[tuple[int, str]] = []
        self.warm = False
        self.closed = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("turn", "fake", "fake-turn", "Apache-2.0", "in process")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(languages=("en",))

    async def warm_up(self) -> None:
        self.warm = True

    async def aclose(self) -> None:
        self.closed = True

    async def score(self, pcm: bytes, text: str) -> float:
        self.asked.append((len(pcm), text))
        return self._probability(text) if callable(self._probability) else self._probability
