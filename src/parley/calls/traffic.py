"""Packets of Calls apps, sessions and tracks for Prometheus: counts that never fall, while tracks come and go.

The media plane counts by slot from a slot's beginning; what it tells is added up here by app. Pure: statistics in,
families out. Neighbours: `survey` (asks the plane), `parley.observe.families` (what Prometheus is given).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parley.calls.app import CallsApp
from parley.calls.session_statistics import session_statistics
from parley.calls.survey import Surveyed
from parley.observe.families import Family, Kind, Row
from parley.protocol.calls import SessionStatistics

__all__ = ["Traffic"]

_LONGEST_LABEL = 64
_COUNTS = (
    ("received_packets", "Packets of media that sessions of a Calls app sent to us."),
    ("received_bytes", "Payload of media that sessions of a Calls app sent to us."),
    ("lost_packets", "Packets that never came from sessions of a Calls app, repairs included."),
    ("sent_packets", "Packets of media that were sent to sessions of a Calls app."),
    ("sent_bytes", "Payload of media that was sent to sessions of a Calls app."),
)
_Key = tuple[str, str, str, str | None]
"""Session, direction, mid, layer."""


@dataclass(frozen=True, slots=True)
class _Told:
    """The newest of one session."""

    app_id: str
    session_id: str
    statistics: SessionStatistics


class Traffic:
    """See the module."""

    def __init__(self, apps: Iterable[str]) -> None:
        self._apps = tuple(apps)
        self._totals: dict[str, Counter[str]] = {app_id: Counter() for app_id in self._apps}
        self._seen: dict[_Key, dict[str, int]] = {}
        self._newest: list[_Told] = []

    def take(self, apps: Iterable[CallsApp], told: Surveyed) -> None:
        """Add what passed since the last time."""
        newest, seen = [], {}
        for app in apps:
            for session_id, member in app.members.items():
                peer = member.session.negotiation.peer
                if peer is None:
                    continue
                statistics = session_statistics(member.session, told.get(peer, ()))
                newest.append(_Told(app.app_id, session_id, statistics))
                for key, counts in _counts(session_id, statistics):
                    before = self._seen.get(key, {})
                    for name, count in counts.items():
                        # A slot that began anew counts from 0.
                        known = before.get(name, 0)
                        self._totals[app.app_id][name] += count - known if count >= known else count
                    seen[key] = counts
        self._seen, self._newest = seen, newest

    def families(self, *, tracks: bool) -> Iterator[Family]:
        """Give every app's totals and newest values; with `tracks` those of each session and track as well."""
        for name, words in _COUNTS:
            rows = [Row((app_id,), self._totals[app_id][name]) for app_id in self._apps]
            yield Family(f"parley_calls_{name}", words, "counter", ("app",), rows)
        layers, worst, estimates = Counter[str](), dict.fromkeys(self._apps, 0.0), Counter[str]()
        for told in self._newest:
            for track in told.statistics.local:
                layers[told.app_id] += sum(layer.bits_per_second > 0 for layer in track.layers)
                worst[told.app_id] = max([worst[told.app_id], *(layer.jitter_ms for layer in track.layers)])
            estimates[told.app_id] += told.statistics.estimate_bits_per_second or 0
        for family, words, values in (
            ("layers", "Streams that come in now: simulcast layers, and tracks without.", layers),
            ("estimate_bits_per_second", "What all clients' networks carry, as estimated.", estimates),
        ):
            rows = [Row((app_id,), values[app_id]) for app_id in self._apps]
            yield Family(f"parley_calls_{family}", words, "gauge", ("app",), rows)
        rows = [Row((app_id,), worst[app_id] / 1_000) for app_id in self._apps]
        yield Family("parley_calls_worst_jitter_seconds", "Of the tracks that come in.", "gauge", ("app",), rows)
        if tracks:
            yield from self._sessions()
            yield from self._local()
            yield from self._remote()

    def _sessions(self) -> Iterator[Family]:
        labels = ("app", "session")
        for name, words, value in (
            ("estimate_bits_per_second", "What this client's network carries.", "estimate_bits_per_second"),
            ("round_trip_ms", "To this client and back.", "round_trip_ms"),
        ):
            known = ((told, getattr(told.statistics, value)) for told in self._newest)
            rows = [Row((told.app_id, told.session_id), found) for told, found in known if found is not None]
            yield Family(f"parley_calls_session_{name}", words, "gauge", labels, rows)

    def _local(self) -> Iterator[Family]:
        labels = ("app", "session", "mid", "track", "layer")
        found = [
            ((told.app_id, told.session_id, track.mid, _short(track.track_name), layer.rid or ""), layer)
            for told in self._newest
            for track in told.statistics.local
            for layer in track.layers
        ]
        table: tuple[tuple[str, Kind, str, str], ...] = (
            ("packets", "counter", "Packets that came.", "packets"),
            ("lost_packets", "counter", "Packets that never came.", "lost"),
            ("jitter_ms", "gauge", "As RFC 3550 has it.", "jitter_ms"),
            ("bits_per_second", "gauge", "Of the last seconds.", "bits_per_second"),
        )
        for name, kind, words, value in table:
            rows = [Row(names, getattr(layer, value)) for names, layer in found]
            yield Family(f"parley_calls_local_track_{name}", words, kind, labels, rows)

    def _remote(self) -> Iterator[Family]:
        labels = ("app", "session", "mid", "from", "track")
        found = [
            ((told.app_id, told.session_id, track.mid, track.session_id, _short(track.track_name)), track)
            for told in self._newest
            for track in told.statistics.remote
        ]
        table: tuple[tuple[str, Kind, str, str], ...] = (
            ("packets", "counter", "Packets that were sent.", "packets"),
            ("bits_per_second", "gauge", "Of the last seconds.", "bits_per_second"),
            ("loss_ratio", "gauge", "As the client reports.", "loss"),
            ("jitter_ms", "gauge", "As the client reports.", "jitter_ms"),
        )
        for name, kind, words, value in table:
            values = ((names, getattr(track, value)) for names, track in found)
            rows = [Row(names, value) for names, value in values if value is not None]
            yield Family(f"parley_calls_remote_track_{name}", words, kind, labels, rows)
        rows = [Row((*names, track.rid), 1) for names, track in found if track.rid is not None]
        yield Family(
            "parley_calls_remote_track_layer", "1 for the layer that is sent now.", "gauge", (*labels, "layer"), rows
        )


def _counts(session_id: str, told: SessionStatistics) -> Iterator[tuple[_Key, dict[str, int]]]:
    for given in told.local:
        for layer in given.layers:
            counts = {
                "received_packets": layer.packets,
                "received_bytes": layer.payload_bytes,
                "lost_packets": layer.lost,
            }
            yield (session_id, "local", given.mid, layer.rid), counts
    for got in told.remote:
        yield (session_id, "remote", got.mid, None), {"sent_packets": got.packets, "sent_bytes": got.payload_bytes}


def _short(name: str) -> str:
    return name[:_LONGEST_LABEL]
