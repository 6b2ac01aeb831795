"""What an engine costs, as the operator writes it behind the engine's URL, so that usage shows money.

    --llm "http://10.0.0.5:8000/v1#input=0.15&cached=0.075&output=0.60"      per million tokens
    --stt "http://10.0.0.5:8001/v1#minute=0.006"                            per minute of audio
    --tts "http://10.0.0.5:8002/v1#minute=0.015&currency=EUR"

The fragment never leaves this process. `images=yes` in it is no price: `catalog` reads it.
Pure. Neighbours: `catalog` (splits URLs), `parley.runtime.costs` (multiplies).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

__all__ = ["FREE", "PriceError", "Prices", "read_prices", "without_prices"]

_KEYS: Mapping[str, tuple[str, ...]] = {
    "llm": ("input", "cached", "output"),
    "stt": ("minute",),
    "tts": ("minute",),
    "turn": (),
}


class PriceError(ValueError):
    """A price cannot be read; the text names the setting and the fix."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Money per million tokens of text (`input`, `cached`, `output`) and per minute of audio heard and spoken."""

    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0
    heard_minute: float = 0.0
    spoken_minute: float = 0.0
    currency: str = "USD"

    @property
    def known(self) -> bool:
        """Whether any price was given."""
        return any((self.input, self.cached, self.output, self.heard_minute, self.spoken_minute))


FREE = Prices()


def without_prices(target: str | None) -> str | None:
    """Give an engine's URL or name without its prices."""
    return target.partition("#")[0] if target is not None else None


def read_prices(targets: Mapping[str, str | None]) -> Prices:
    """Read the prices behind the targets of all stages. Raises `PriceError`."""
    found: dict[str, dict[str, float]] = {}
    currencies: set[str] = set()
    for stage, target in targets.items():
        found[stage] = {}
        for name, value in parse_qsl((target or "").partition("#")[2], keep_blank_values=True):
            if (stage, name) == ("llm", "images"):
                continue
            if name == "currency" and len(value) == 3 and value.isalpha():
                currencies.add(value.upper())
                continue
            found[stage][name] = _price(stage, name, value)
    if len(currencies) > 1:
        raise PriceError(f"Prices are in {' and '.join(sorted(currencies))}: write all of them in one currency.")
    llm = found.get("llm", {})
    return Prices(
        input=llm.get("input", 0.0),
        cached=llm.get("cached", llm.get("input", 0.0)),
        output=llm.get("output", 0.0),
        heard_minute=found.get("stt", {}).get("minute", 0.0),
        spoken_minute=found.get("tts", {}).get("minute", 0.0),
        currency=next(iter(currencies), "USD"),
    )


def _price(stage: str, name: str, text: str) -> float:
    known = _KEYS.get(stage, ())
    if name not in known:
        raise PriceError(f"--{stage}: there is no price `{name}`; write #{'&'.join(f'{key}=0.1' for key in known)}.")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise PriceError(f"--{stage}: the price {name}={text!r} is not a number, such as 0.15.")
    return value
