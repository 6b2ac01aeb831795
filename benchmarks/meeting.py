"""Many clients of one meeting, on any server: `parley-load meet` under the hands of whoever does the signalling.

What lives here: the generator's requests and replies (`benchmarks/load/src/meet.rs`). What does not: how a server is
told (`benchmarks.sfu`).
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Self

from benchmarks.load_generator import Generator

__all__ = ["Meeting"]


class Meeting:
    """Clients in a process of their own. Descriptions are SDP texts."""

    def __init__(self, **options: object) -> None:
        """`bind`: where clients' sockets are; `listens_every`: of so many that receive, one decrypts."""
        self._generator = Generator("meet", **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._generator.end()

    def offer(self, *wishes: str) -> tuple[int, str]:
        """Make a client that offers `send:audio`, `recv:video`, `channels` and the like; give its number and offer."""
        return _numbered(self._ask("offer " + " ".join(wishes)))

    def accept(self, client: int, answer: str) -> None:
        """Give a client the answer to its offer; it connects."""
        self._ask(f"accept {client}", answer)

    def answer(self, offer: str) -> tuple[int, str]:
        """Make a client that takes all that is offered; give its number and answer."""
        return _numbered(self._ask("answer", offer))

    def again(self, client: int, offer: str) -> str:
        """Give a client another offer; what it sent it goes on sending. Gives its answer."""
        return _text(self._ask(f"again {client}", offer))

    def connect(self, seconds: float = 60.0) -> dict[str, float]:
        """Wait until all are connected. Gives `clients`, `connected`, `p50_ms`, `p99_ms`."""
        figures: dict[str, float] = json.loads(self._ask(f"connect {seconds}"))
        if figures["connected"] < figures["clients"]:
            raise RuntimeError(f"only {figures['connected']:.0f} of {figures['clients']:.0f} clients connected")
        return figures

    def talk(self, client: int, what: str, slot: int = 0) -> None:
        """Send `sound`, `pictures` or `tone:HZ` on a slot from now on."""
        self._ask(f"talk {client} {slot} {what}")

    def hush(self) -> None:
        """Let nobody send until the next measurement."""
        self._ask("hush")

    def measure(self, seconds: float) -> dict[str, float]:
        """Count what is sent and received in so many seconds, and how long it takes."""
        figures: dict[str, float] = json.loads(self._ask(f"measure {seconds}"))
        return figures

    def decode(self, hz: float) -> list[dict[str, float]]:
        """Decode what each listening client received in the last measurement, one after another."""
        heard: list[dict[str, float]] = json.loads(self._ask(f"decode {hz}"))
        return heard

    def _ask(self, request: str, description: str | None = None) -> str:
        text = "" if description is None else "\t" + "\t".join(description.split("\r\n")).rstrip("\t")
        self._generator.say(request + text)
        return self._generator.line()


def _numbered(reply: str) -> tuple[int, str]:
    number, _, description = reply.partition("\t")
    return int(number), _text(description)


def _text(description: str) -> str:
    return description.replace("\t", "\r\n") + "\r\n"
