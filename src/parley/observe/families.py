"""A family of values as Prometheus is given it at a scrape: what `metrics` reads from parts that count themselves.

Data, and the one collector that hands it over. Neighbour: `metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

__all__ = ["Families", "Family", "Kind", "Row"]

Kind = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True)
class Row:
    """One value. `labels` in the order of the family's."""

    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """Values of one name."""

    name: str
    words: str
    kind: Kind
    labels: tuple[str, ...]
    rows: Iterable[Row]


class Families(Collector):
    """Reads `source` at every scrape."""

    def __init__(self, source: Callable[[], Iterable[Family]]) -> None:
        self._source = source

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Give what there is now."""
        for family in self._source():
            make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            made = make(family.name, family.words, labels=family.labels)
            for row in family.rows:
                made.add_metric(row.labels, row.value)
            yield made
